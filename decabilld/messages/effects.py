"""What a tenant's actor wants done outside. Rows of the outbox; `daemon.py` says who runs each."""

from datetime import date, datetime
from typing import ClassVar, Literal

import msgspec

from decabilld.domain.entities import Id, Interval
from decabilld.messages.decision import Effect, Lane
from decabilld.messages.server_effects import (
    AwaitAddress,
    CreateForBackorder,
    CreateServer,
    PublishName,
    RemoveServer,
    SwitchServer,
)


class RenderDocument(Effect, frozen=True, kw_only=True):
    """Make the PDF of an invoice or of its credit note and keep it."""

    lane: ClassVar[Lane] = "documents"
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
    customer_id: str | None
    """At the processor, if one is known."""
    amount_minor: int
    currency: str


class AskCheckout(Effect, frozen=True, kw_only=True):
    """Ask the processor what became of an attempt: by its session, else among those opened between the two instants."""

    attempts_max: ClassVar[int] = 3
    lane: ClassVar[Lane] = "documents"  # a hundred may come at once, and nobody waits for them
    attempt_id: Id
    invoice_id: Id
    user_id: Id
    session_id: str | None
    created_at: datetime
    updated_at: datetime


class CloseCheckout(Effect, frozen=True, kw_only=True):
    """See to it that nobody pays an attempt's checkout any more. Tried until it would have expired by itself (24 h)."""

    attempts_max: ClassVar[int] = 110
    pause_seconds_max: ClassVar[float] = 900.0
    attempt_id: Id
    invoice_id: Id
    user_id: Id
    session_id: str
    updated_at: datetime


class UpdateCustomer(Effect, frozen=True, kw_only=True):
    """Tell the processor's customer another e-mail address. `id` is made of the user's: a newer one takes its place."""

    lane: ClassVar[Lane] = "documents"  # nobody waits for it
    user_id: Id
    customer_id: str
    email: str


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


class InvoiceFacts(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What a letter says of an invoice. `amount_minor` is what was paid, or was not; calendar days are local."""

    number: str
    credit_note_number: str | None = None
    currency: str
    total_minor: int
    balance_minor: int
    amount_minor: int | None = None
    due_date: date | None = None


class SubscriptionFacts(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What a letter says of a subscription. `price_minor` is net, of one whole interval.

    `at` is when the next period begins, or when the subscription ends or has ended.
    """

    number: str
    plan_name: str
    price_minor: int
    currency: str
    interval: Interval
    interval_count: int
    at: datetime | None = None
    hostname: str | None = None
    address: str | None = None


InvoiceLetter = Literal["invoice_issued", "invoice_voided", "payment_succeeded", "payment_failed", "invoice_overdue"]
SubscriptionLetter = Literal[
    "renewal_reminder",
    "subscription_ordered",
    "cancel_scheduled",
    "subscription_ended",
    "order_backordered",
    "order_refused",
    "order_cancelled",
    "server_ready",
]


class Notice(Effect, frozen=True, kw_only=True):
    """Tell a customer what has happened, in facts as they were then; `id` makes the Message-ID.

    Tried for four days and more, as long as mail servers do (RFC 5321, 4.5.4.1).
    """

    attempts_max: ClassVar[int] = 110
    lane: ClassVar[Lane] = "documents"
    to: str
    name: str = ""
    """The customer's."""
    user_id: Id


class SendNotice(Notice, frozen=True, kw_only=True):
    """A notice without a document."""

    template: InvoiceLetter | SubscriptionLetter
    invoice_id: Id | None = None
    subscription_id: Id | None = None
    facts: InvoiceFacts | SubscriptionFacts


class MailDocument(Notice, frozen=True, kw_only=True):
    """Make the PDF of an invoice or of its credit note, keep it, and send it to the customer."""

    template: Literal["invoice_issued", "invoice_voided"]
    invoice_id: Id
    document: Literal["invoice", "credit_note"]
    facts: InvoiceFacts


AnyServerEffect = CreateServer | CreateForBackorder | AwaitAddress | PublishName | RemoveServer | SwitchServer
AnyEffect = (
    RenderDocument
    | OpenCheckout
    | AskCheckout
    | CloseCheckout
    | UpdateCustomer
    | SendMail
    | SendNotice
    | MailDocument
    | AnyServerEffect
)

_decoder: msgspec.json.Decoder[AnyEffect] = msgspec.json.Decoder(AnyEffect)


def decode_effect(payload: str | bytes) -> AnyEffect:
    """The effect of an outbox row's payload. Raises msgspec.ValidationError for one that this version doesn't know."""
    return _decoder.decode(payload)
