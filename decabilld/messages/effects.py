"""What a tenant's actor wants done outside. Rows of the outbox; `daemon.py` says who runs each."""

from typing import ClassVar, Literal

import msgspec

from decabilld.domain.entities import Id
from decabilld.messages.decision import Effect


class RenderDocument(Effect, frozen=True, kw_only=True):
    """Make the PDF of an invoice or of its credit note and keep it."""

    invoice_id: Id
    document: Literal["invoice", "credit_note"]


class OpenCheckout(Effect, frozen=True, kw_only=True):
    """Open a checkout session at the payment processor; `id` is the payment attempt's."""

    attempts_max: ClassVar[int] = 3
    invoice_id: Id
    invoice_number: str
    subscription_id: Id | None
    user_id: Id
    customer_email: str | None
    amount_minor: int
    currency: str


AnyEffect = RenderDocument | OpenCheckout

_decoder: msgspec.json.Decoder[AnyEffect] = msgspec.json.Decoder(AnyEffect)


def decode_effect(payload: str | bytes) -> AnyEffect:
    """The effect of an outbox row's payload. Raises msgspec.ValidationError for one that this version doesn't know."""
    return _decoder.decode(payload)
