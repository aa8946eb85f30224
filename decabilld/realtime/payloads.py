"""What travels over the `/billing` namespace, event by event, and what a payload may be.

Owns shapes only, for checking and for the AsyncAPI document; who gets which is the namespace's affair.
"""

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from decabilld.domain.refusals import Invalid

SUBSCRIBE, UNSUBSCRIBE = "subscribeDashboardStatus", "unsubscribeDashboardStatus"
UPDATE, ERROR = "dashboardStatusUpdate", "error"
SHORTEST_POLL_MS, LONGEST_POLL_MS = 10_000, 120_000


def _said(words: str) -> dict[str, str]:
    return {"description": words}


class SubscribeDashboardStatus(Schema):
    """How often a socket wants snapshots; clamped to what we allow."""

    class Meta:
        unknown = EXCLUDE

    poll_interval_ms = fields.Integer(
        strict=True,
        data_key="pollIntervalMs",
        metadata={
            "description": f"Milliseconds between snapshots, clamped to {SHORTEST_POLL_MS} to {LONGEST_POLL_MS}; "
            "the operator's STATUS_POLL_INTERVAL if left out.",
            "examples": [15_000],
        },
    )


class DashboardStatusItem(Schema):
    """A provisioned item of a subscription, as its provider sees it."""

    subscription_id = fields.UUID(required=True, data_key="subscriptionId", metadata=_said("The subscription."))
    item_id = fields.UUID(required=True, data_key="itemId", metadata=_said("The subscription's item."))
    service = fields.String(
        required=True, validate=validate.OneOf(("controller", "manager")), metadata=_said("What runs there.")
    )
    name = fields.String(required=True, metadata=_said("As the provider calls it."))
    public_ip = fields.String(required=True, data_key="publicIp", metadata=_said("IPv4 address."))
    private_ip = fields.String(data_key="privateIp", metadata=_said("Address in the provider's network."))
    status = fields.String(required=True, metadata=_said("In the provider's word."))
    metadata = fields.Dict(keys=fields.String(), metadata=_said("What else the provider says."))
    hostname = fields.String(metadata=_said("Its name in the network."))
    hostname_fqdn = fields.String(data_key="hostnameFqdn", metadata=_said("Its full name in the network."))


class DashboardStatusUpdate(Schema):
    """A snapshot."""

    generated_at = fields.AwareDateTime(
        required=True, data_key="generatedAt", metadata=_said("When the providers were asked; ISO 8601, UTC.")
    )
    items = fields.List(
        fields.Nested(DashboardStatusItem), required=True, metadata=_said("The user's servers, oldest first.")
    )


class ErrorMessage(Schema):
    """Why something asked for doesn't happen, or why the stream ends."""

    message = fields.String(required=True, metadata=_said("A sentence for people."))


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
