"""Reads what Stripe posts to our webhook: proves the signature on the raw body, keeps the few facts we use.

Owns no consequence: which event changes what, and that each is handled once, is decided by the tenant it names.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import stripe
from msgspec import Struct

from decabilld.domain.ids import id_of
from decabilld.domain.refusals import Invalid
from decabilld.messages.commands import ApplyPaymentEvent

CHECKOUT_EVENTS = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
    }
)


class StripeEvent(Struct, frozen=True, kw_only=True):
    """One event; `event_id` stays the same however often Stripe delivers it. `created` is Stripe's clock, UTC.

    The ids that `StripeCheckout.open_session` was given come back in the metadata; an event of a payment link or of
    another program has none. From `session_id` on all is None for types not in CHECKOUT_EVENTS. `completed` does not
    mean paid: with a delayed means of payment (SEPA debit) `payment_status` is `unpaid`, and `async_payment_succeeded`
    or `_failed` follows days later. `amount_minor` is the session's total, in `currency` (upper case).
    """

    event_id: str
    type: str
    created: datetime
    attempt_id: str | None = None
    invoice_id: str | None = None
    tenant_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    payment_status: str | None = None
    payment_intent: str | None = None

    @property
    def outcome(self) -> Literal["paid", "failed", "expired", "unused"]:
        """What became of the attempt; `unused`: nothing yet, or not our affair."""
        match self.type, self.payment_status:
            case (("checkout.session.completed" | "checkout.session.async_payment_succeeded"), "paid"):
                return "paid"
            case "checkout.session.async_payment_failed", _:
                return "failed"
            case "checkout.session.expired", _:
                return "expired"
            case _:
                return "unused"


class _Object(Struct, kw_only=True):
    """What every object of Stripe may carry; the fields not named are skipped."""

    metadata: dict[str, str] | None = None


class _Session(_Object, kw_only=True):
    id: str
    amount_total: int | None = None
    currency: str | None = None
    payment_status: str | None = None
    payment_intent: str | None = None


class _Body(Struct):
    object: msgspec.Raw


class _Wire(Struct):
    id: str
    type: str
    created: Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
    """Seconds since 1970, up to the last that a datetime can hold."""
    data: _Body


def parse_event(raw: bytes, signature_header: str, secret: str, *, tolerance: int = 300) -> StripeEvent:
    """The event in the request body `raw`, whose `Stripe-Signature` header was `signature_header`.

    A signature older than `tolerance` seconds counts as replayed. Raises Invalid for a signature that is missing,
    wrong or too old, and for a body that is not an event.
    """
    if not signature_header.isascii():
        # The SDK's comparison raises TypeError on these.
        raise Invalid("Webhook signature: not ASCII")
    try:
        stripe.WebhookSignature.verify_header(raw, signature_header, secret, tolerance)
    except stripe.SignatureVerificationError as error:
        raise Invalid(f"Webhook signature: {error.user_message}") from None
    except UnicodeDecodeError:
        raise Invalid("Webhook body: not UTF-8") from None
    try:
        return _read(msgspec.json.decode(raw, type=_Wire))
    except msgspec.DecodeError as error:
        raise Invalid(f"Webhook body: {error}") from None


def _read(wire: _Wire) -> StripeEvent:
    session = msgspec.json.decode(wire.data.object, type=_Session) if wire.type in CHECKOUT_EVENTS else None
    metadata = (session or msgspec.json.decode(wire.data.object, type=_Object)).metadata or {}
    event = StripeEvent(
        event_id=wire.id,
        type=wire.type,
        created=datetime.fromtimestamp(wire.created, UTC),
        attempt_id=metadata.get("attemptId"),
        invoice_id=metadata.get("invoiceId"),
        tenant_id=metadata.get("tenantId"),
        user_id=metadata.get("userId"),
    )
    if session is None:
        return event
    return msgspec.structs.replace(
        event,
        session_id=session.id,
        amount_minor=session.amount_total,
        currency=session.currency.upper() if session.currency else None,
        payment_status=session.payment_status,
        payment_intent=session.payment_intent,
    )


def read_payment_event(raw: bytes, signature_header: str, *, secret: str) -> tuple[str | None, ApplyPaymentEvent]:
    """A webhook's tenant, if it names one, and what to ask of it. Raises Invalid."""
    event = parse_event(raw, signature_header, secret)
    return event.tenant_id, ApplyPaymentEvent(
        record_id=id_of("stripe_event", event.event_id),
        event_id=event.event_id,
        type=event.type,
        outcome=event.outcome,
        invoice_id=event.invoice_id,
        attempt_id=event.attempt_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
        reference=event.payment_intent or event.session_id,
    )
