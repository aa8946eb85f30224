"""Paying, and what the processor says."""

from datetime import datetime
from typing import Literal

from decabilld.domain import entities as e
from decabilld.domain.entities import Id
from decabilld.messages.decision import Command, Need


class InitiatePayment(Command, frozen=True, kw_only=True):
    """Reply: the PaymentAttempt with its checkout URL, deferred until the processor answered."""

    user_id: Id
    invoice_id: Id
    subscription_id: Id | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class ConfirmCheckoutOpened(Command, frozen=True, kw_only=True):
    """Outcome of `OpenCheckout`, and of `AskCheckout` while the checkout can be paid. Reply: the PaymentAttempt."""

    attempt_id: Id
    customer_id: str | None = None
    """Of the payer at the processor, if it was told with the opening."""
    session_id: str
    checkout_url: str
    expires_at: datetime

    def needs(self) -> tuple[Need, ...]:
        return ((e.PaymentAttempt, self.attempt_id),)


class ConfirmCheckoutFailed(Command, frozen=True, kw_only=True):
    """Outcome of `OpenCheckout`: no session that we know of. `in_doubt`: there may be one all the same."""

    attempt_id: Id
    customer_id: str | None = None
    reason: str
    in_doubt: bool = False
    timed_out: bool = False

    def needs(self) -> tuple[Need, ...]:
        return ((e.PaymentAttempt, self.attempt_id),)


class ConfirmCustomerUpdated(Command, frozen=True, kw_only=True):
    """Outcome of `UpdateCustomer`: the processor knows this address, or not that customer any more."""

    user_id: Id
    customer_id: str
    email: str


class ApplyPaymentEvent(Command, frozen=True, kw_only=True):
    """A verified event of the payment processor; handled once per `event_id`. `record_id` is derived from it."""

    record_id: Id
    event_id: str
    type: str
    outcome: Literal["paid", "processing", "failed", "expired", "unused"]
    """`processing`: gone through with, by a means of payment that takes days."""
    invoice_id: Id | None = None
    attempt_id: Id | None = None
    amount_minor: int | None = None
    currency: str | None = None
    reference: str | None = None

    def needs(self) -> tuple[Need, ...]:
        wanted: list[Need] = [(e.WebhookEvent, self.record_id)]
        if self.invoice_id:
            wanted.append((e.Invoice, self.invoice_id))
        if self.attempt_id:
            wanted.append((e.PaymentAttempt, self.attempt_id))
        return tuple(wanted)


class RecordReversal(Command, frozen=True, kw_only=True):
    """A verified event about money that went back, or may; handled once per `event_id`. It reopens no balance.

    `amount_minor` is this refund's or what is disputed; `total_minor` all that was refunded of the payment by then.
    `detail` is the dispute's reason, or how it ended.
    """

    record_id: Id
    event_id: str
    type: str
    kind: Literal["refunded", "disputed", "dispute_closed"]
    invoice_id: Id | None = None
    amount_minor: int | None = None
    total_minor: int | None = None
    currency: str | None = None
    reference: str | None = None
    detail: str | None = None

    def needs(self) -> tuple[Need, ...]:
        wanted: list[Need] = [(e.WebhookEvent, self.record_id)]
        return (*wanted, (e.Invoice, self.invoice_id)) if self.invoice_id else tuple(wanted)


PaymentNotice = ApplyPaymentEvent | RecordReversal
"""What a webhook of the processor asks for."""


class ReconcilePayments(Command, frozen=True, kw_only=True):
    """Ask the processor about attempts that have been pending for so long. Reply: how many, of this page of them."""

    older_than_minutes: int = 60
    after: Id | None = None


class AskPayment(Command, frozen=True, kw_only=True):
    """Ask the processor about one attempt. Reply: what `payment_reconciliation.outcome_of` understands, deferred."""

    attempt_id: Id

    def needs(self) -> tuple[Need, ...]:
        return ((e.PaymentAttempt, self.attempt_id),)


class ConfirmCheckoutMissing(Command, frozen=True, kw_only=True):
    """Outcome of `AskCheckout`: for an attempt as it was at `updated_at`, the processor has no checkout."""

    attempt_id: Id
    updated_at: datetime

    def needs(self) -> tuple[Need, ...]:
        return ((e.PaymentAttempt, self.attempt_id),)
