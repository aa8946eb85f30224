"""What a tenant's actor wants done outside. Rows of the outbox; `daemon.py` says who runs each."""

from datetime import datetime
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


MailTemplate = Literal["confirm_email", "reset_password"]


class SendMail(Effect, frozen=True, kw_only=True):
    """Tell a user a one-time code by mail; `id` makes the Message-ID. Worthless once the code has expired.

    The code lies in the outbox, and in every backup of it, so it is sealed as SEALED_CODE of its tenant.
    """

    SEALED_CODE: ClassVar[str] = "SendMail.sealed_code"
    template: MailTemplate
    to: str
    user_id: Id
    sealed_code: str
    expires_at: datetime
    """Real time, never the test clock's."""


AnyEffect = RenderDocument | OpenCheckout | SendMail

_decoder: msgspec.json.Decoder[AnyEffect] = msgspec.json.Decoder(AnyEffect)


def decode_effect(payload: str | bytes) -> AnyEffect:
    """The effect of an outbox row's payload. Raises msgspec.ValidationError for one that this version doesn't know."""
    return _decoder.decode(payload)
