"""What travels over the `/billing` namespace, event by event, and what a payload may be.

Owns shapes only, for checking and for the AsyncAPI document; who gets which is the namespace's affair.
"""

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from decabilld.domain.refusals import Invalid

SUBSCRIBE, UNSUBSCRIBE = "subscribeDashboardStatus", "unsubscribeDashboardStatus"
UPDATE, ERROR = "dashboardStatusUpdate", "error"
SHORTEST_POLL_MS, LONGEST_POLL_MS = 10_000, 120_000


class SubscribeDashboardStatus(Schema):
    """How often a socket wants snapshots; clamped to what we allow."""

    class Meta:
        unknown = EXCLUDE

    poll_interval_ms = fields.Integer(strict=True, data_key="pollIntervalMs")


class DashboardStatusItem(Schema):
    """A provisioned item of a subscription, as its provider sees it."""

    subscription_id = fields.UUID(required=True, data_key="subscriptionId")
    item_id = fields.UUID(required=True, data_key="itemId")
    service = fields.String(required=True, validate=validate.OneOf(("controller", "manager")))
    name = fields.String(required=True)
    public_ip = fields.String(required=True, data_key="publicIp")
    private_ip = fields.String(data_key="privateIp")
    status = fields.String(required=True)
    metadata = fields.Dict(keys=fields.String())
    hostname = fields.String()
    hostname_fqdn = fields.String(data_key="hostnameFqdn")


class DashboardStatusUpdate(Schema):
    """A snapshot."""

    generated_at = fields.AwareDateTime(required=True, data_key="generatedAt")
    items = fields.List(fields.Nested(DashboardStatusItem), required=True)


class ErrorMessage(Schema):
    """Why something asked for doesn't happen, or why the stream ends."""

    message = fields.String(required=True)


_subscribe = SubscribeDashboardStatus()


def poll_interval_ms(payload: object, default_ms: int) -> int:
    """The interval that a subscription asks for, clamped. Raises Invalid for a payload that isn't what it should be."""
    if payload is None:
        payload = {}
    if not isinstance(payload, dict):
        raise Invalid("The payload must be an object")
    try:
        wanted: int = _subscribe.load(payload).get("poll_interval_ms", default_ms)
    except ValidationError as error:
        problems = error.messages_dict.items()
        raise Invalid("; ".join(f"{field}: {' '.join(map(str, said))}" for field, said in problems)) from None
    return max(SHORTEST_POLL_MS, min(wanted, LONGEST_POLL_MS))
