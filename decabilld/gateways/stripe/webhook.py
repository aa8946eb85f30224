"""Reads what Stripe posts to our webhook: proves the signature on the raw body, keeps the few facts we use.

Owns no consequence: which event changes what, and that each is handled once, is decided by the tenant it names.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
import stripe
from msgspec import Struct

from decabilld.domain.checkout_amounts import from_stripe
from decabilld.domain.ids import id_of
from decabilld.domain.refusals import Invalid
from decabilld.messages.commands import ApplyPaymentEvent, PaymentNotice, RecordReversal

CHECKOUT_EVENTS = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
    }
)
REVERSAL_EVENTS: dict[str, Literal["refunded", "disputed", "dispute_closed"]] = {
    "charge.refunded": "refunded",
    "charge.dispute.created": "disputed",
    "charge.dispute.closed": "dispute_closed",
}


class StripeEvent(Struct, frozen=True, kw_only=True):
    """One event; `event_id` stays the same however often Stripe delivers it. `created` is Stripe's clock, UTC.

    The ids that `StripeCheckout.open_session` was given come back in the metadata; an event of a payment link or of
    another program has none. From `session_id` on all is None for types not in CHECKOUT_EVENTS. `completed` does not
    mean paid: with a delayed means of payment (SEPA debit) `payment_status` is `unpaid`, and `async_payment_succeeded`
    or `_failed` follows days later. `amount_minor` is the session's total in our minor units of `currency`
    (upper case); None if they can't tell it.
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
    def outcome(self) -> Literal["paid", "processing", "failed", "expired", "unused"]:
        """What became of the attempt; `unused`: not our affair."""
        match self.type, self.payment_status:
            case (("checkout.session.completed" | "checkout.session.async_payment_succeeded"), "paid"):
                return "paid"
            case "checkout.session.completed", "unpaid":
                return "processing"
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


class _Charge(_Object, kw_only=True):
    """Refunds are counted up; what an event adds to them its `_Before` tells."""

    amount_refunded: int | None = None
    currency: str | None = None
    payment_intent: str | None = None


class _Dispute(_Object, kw_only=True):
    """It doesn't inherit our metadata: only the payment intent leads to the invoice."""

    amount: int | None = None
    currency: str | None = None
    payment_intent: str | None = None
    reason: str | None = None
    status: str | None = None


class _Before(Struct):
    amount_refunded: int | None = None


class _Body(Struct):
    object: msgspec.Raw
    previous_attributes: dict[str, Any] = {}


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
    _prove(raw, signature_header, secret, tolerance)
    try:
        return _read(msgspec.json.decode(raw, type=_Wire))
    except msgspec.DecodeError as error:
        raise Invalid(f"Webhook body: {error}") from None


def _prove(raw: bytes, signature_header: str, secret: str, tolerance: int) -> None:
    if not signature_header.isascii():
        # The SDK's comparison raises TypeError on these.
        raise Invalid("Webhook signature: not ASCII")
    try:
        stripe.WebhookSignature.verify_header(raw, signature_header, secret, tolerance)
    except stripe.SignatureVerificationError as error:
        raise Invalid(f"Webhook signature: {error.user_message}") from None
    except UnicodeDecodeError:
        raise Invalid("Webhook body: not UTF-8") from None


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
        amount_minor=from_stripe(session.amount_total, _upper(session.currency)),
        currency=_upper(session.currency),
        payment_status=session.payment_status,
        payment_intent=session.payment_intent,
    )


def _read_reversal(wire: _Wire) -> tuple[str | None, RecordReversal]:
    kind = REVERSAL_EVENTS[wire.type]
    told: _Charge | _Dispute
    amount: int | None
    if kind == "refunded":
        charge = msgspec.json.decode(wire.data.object, type=_Charge)
        before = msgspec.convert(wire.data.previous_attributes, _Before).amount_refunded
        total, detail, told = charge.amount_refunded, None, charge
        amount = None if total is None else total - (before or 0)
    else:
        dispute = msgspec.json.decode(wire.data.object, type=_Dispute)
        total, detail, told = None, dispute.status if kind == "dispute_closed" else dispute.reason, dispute
        amount = dispute.amount
    metadata, currency = told.metadata or {}, _upper(told.currency)
    return metadata.get("tenantId"), RecordReversal(
        record_id=id_of("stripe_event", wire.id),
        event_id=wire.id,
        type=wire.type,
        kind=kind,
        invoice_id=metadata.get("invoiceId"),
        amount_minor=from_stripe(amount, currency),
        total_minor=from_stripe(total, currency),
        currency=currency,
        reference=told.payment_intent,
        detail=detail,
    )


def _upper(currency: str | None) -> str | None:
    return currency.upper() if currency else None


def read_payment_event(raw: bytes, signature_header: str, *, secret: str) -> tuple[str | None, PaymentNotice]:
    """A webhook's tenant, if it names one, and what to ask of it. Raises Invalid."""
    event = parse_event(raw, signature_header, secret)
    if event.type in REVERSAL_EVENTS:
        try:
            return _read_reversal(msgspec.json.decode(raw, type=_Wire))
        except msgspec.DecodeError as error:
            raise Invalid(f"Webhook body: {error}") from None
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
