"""Providers, what they sell, availability, servers and backorders."""

from marshmallow import fields

from decabilld.http.schemas.base import Answer, Request
from decabilld.http.schemas.fields import PROSE_LENGTH, Amount, Choice, Flag, FreeObject, Id, Instant, Text
from decabilld.http.schemas.subscriptions import RequestedConfigSchema

BACKORDER_STATUSES = ("pending", "retrying", "fulfilled", "cancelled", "failed")


class ProviderDetailSchema(Answer):
    id = Text()
    display_name = Text()
    config_schema = FreeObject()


class ServerTypeSchema(Answer):
    id = Text()
    name = Text()
    cores = Amount()
    memory = Amount()
    disk = Amount()
    price_monthly = Amount(metadata={"sometimes": True})
    price_hourly = Amount(metadata={"sometimes": True})
    description = Text()


class AvailabilityCheckDtoSchema(Request):
    service_type_id = Id(required=True)
    region = Text(100, required=True)
    server_type = Text(100, required=True)
    requested_config = FreeObject(allow_none=True, metadata={"unused": True})


class AvailabilityResponseSchema(Answer):
    is_available = Flag()
    reason = Text(allow_none=True)
    alternatives = FreeObject(allow_none=True)


class ProvisioningOptionSchema(Answer):
    key = Choice("controller", "manager")
    label = Text()
    description = Text()


class ServerInfoResponseSchema(Answer):
    name = Text()
    public_ip = Text()
    private_ip = Text(allow_none=True)
    status = Text()
    metadata = FreeObject(allow_none=True)
    hostname = Text(allow_none=True)
    hostname_fqdn = Text(allow_none=True)


class ServerActionResponseSchema(Answer):
    success = Flag()


class BackorderRetryDtoSchema(Request):
    reason = Text(PROSE_LENGTH, allow_none=True)
    override_config = fields.Nested(RequestedConfigSchema, allow_none=True)


class BackorderCancelDtoSchema(Request):
    reason = Text(PROSE_LENGTH, allow_none=True)


class BackorderResponseSchema(Answer):
    id = Id()
    user_id = Id()
    service_type_id = Id()
    plan_id = Id()
    status = Choice(*BACKORDER_STATUSES)
    failure_reason = Text(allow_none=True)
    requested_config_snapshot = FreeObject()
    provider_errors = FreeObject()
    preferred_alternatives = FreeObject()
    retry_after = Instant(allow_none=True)
    created_at = Instant()
    updated_at = Instant()
