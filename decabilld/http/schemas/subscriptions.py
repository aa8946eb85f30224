"""Subscriptions, their items and their usage."""

from typing import Any

from marshmallow import ValidationError, fields, validates

from decabilld.http.schemas.base import Answer, KeptAsSent, Request
from decabilld.http.schemas.fields import (
    PROSE_LENGTH,
    Amount,
    Choice,
    Flag,
    FreeObject,
    Id,
    Instant,
    Text,
    Tuple,
)

STATUSES = ("active", "pending_backorder", "pending_cancel", "canceled")
LONGEST_KEY = 20_000


class SmtpConfig(KeptAsSent):
    host = Text(allow_none=True)
    port = Amount(allow_none=True)
    user = Text(allow_none=True)
    password = Text(1024, allow_none=True)
    from_ = Text(allow_none=True, data_key="from")


class KeycloakConfig(KeptAsSent):
    server_url = Text(2048, allow_none=True)
    auth_server_url = Text(2048, allow_none=True)
    realm = Text(allow_none=True)
    client_id = Text(allow_none=True)
    client_secret = Text(1024, allow_none=True)


class GitConfig(KeptAsSent):
    repository_url = Text(2048, allow_none=True)
    username = Text(allow_none=True)
    token = Text(1024, allow_none=True)
    password = Text(1024, allow_none=True)
    private_key = Text(LONGEST_KEY, allow_none=True)
    commit_author_name = Text(allow_none=True)
    commit_author_email = Text(allow_none=True)


class RequestedConfigSchema(KeptAsSent):
    """What the customer wants deployed."""

    service = Choice("controller", "manager", "agenstra-controller", "agenstra-manager", allow_none=True)
    region = Text(allow_none=True)
    location = Text(allow_none=True)
    server_type = Text(100, allow_none=True)
    authentication_method = Text(allow_none=True)
    static_api_key = Text(1024, allow_none=True)
    disable_signup = Flag(allow_none=True)
    smtp = fields.Nested(SmtpConfig)
    keycloak = fields.Nested(KeycloakConfig)
    hetzner_api_token = Text(1024, allow_none=True)
    digitalocean_api_token = Text(1024, allow_none=True)
    git = fields.Nested(GitConfig)
    cursor_api_key = Text(1024, allow_none=True)


class CreateSubscriptionDtoSchema(Request):
    plan_id = Id(required=True)
    requested_config = fields.Nested(RequestedConfigSchema, allow_none=True, metadata={"cleared": {}})
    preferred_alternatives = FreeObject(allow_none=True, metadata={"cleared": {}})
    auto_backorder = Flag(allow_none=True, metadata={"cleared": False})
    addon_ids = Tuple(Id(), most=50, allow_none=True, metadata={"unused": True})
    addon_configs = FreeObject(allow_none=True, metadata={"unused": True})
    promotion_code = Text(allow_none=True, metadata={"unused": True, "nullable_in_contract": True})
    promotion_benefit_starts_at = Text(
        64, allow_none=True, metadata={"unused": True, "format": "date-time", "nullable_in_contract": True}
    )

    @validates("addon_ids", "promotion_code", "promotion_benefit_starts_at")
    def _refuse(self, value: Any, data_key: str) -> None:
        if value:
            raise ValidationError("not available")


class CancelSubscriptionDtoSchema(Request):
    reason = Text(PROSE_LENGTH, allow_none=True)


class ResumeSubscriptionDtoSchema(Request):
    reason = Text(PROSE_LENGTH, allow_none=True)


class SubscriptionResponseSchema(Answer):
    id = Id()
    number = Text()
    plan_id = Id()
    user_id = Id()
    status = Choice(*STATUSES)
    current_period_start = Instant(allow_none=True)
    current_period_end = Instant(allow_none=True)
    next_billing_at = Instant(allow_none=True)
    cancel_requested_at = Instant(allow_none=True)
    cancel_effective_at = Instant(allow_none=True)
    resumed_at = Instant(allow_none=True)
    created_at = Instant()
    updated_at = Instant()


class SubscriptionItemResponseSchema(Answer):
    id = Id()
    subscription_id = Id()
    service_type_id = Id(allow_none=True)
    provisioning_status = Choice("pending", "active", "failed")
    hostname = Text(allow_none=True)
    service = Choice("controller", "manager", allow_none=True)


# --- usage ---


class CreateUsageRecordDtoSchema(Request):
    subscription_id = Id(required=True)
    period_start = Instant(required=True)
    period_end = Instant(required=True)
    payload = FreeObject(required=True, data_key="usagePayload")


class UsageRecordResponseSchema(Answer):
    id = Id()


class UsageSummarySchema(Answer):
    subscription_id = Id()
    period_start = Instant()
    period_end = Instant()
    usage_payload = FreeObject()
