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
    """Outcome of `OpenCheckout`."""

    attempt_id: Id
    session_id: str
    checkout_url: str
    expires_at: datetime

    def needs(self) -> tuple[Need, ...]:
        return ((e.PaymentAttempt, self.attempt_id),)


class ConfirmCheckoutFailed(Command, frozen=True, kw_only=True):
    """Outcome of `OpenCheckout`: no session that we know of. `in_doubt`: there may be one all the same."""

    attempt_id: Id
    reason: str
    in_doubt: bool = False
    timed_out: bool = False

    def needs(self) -> tuple[Need, ...]:
        return ((e.PaymentAttempt, self.attempt_id),)


class ApplyPaymentEvent(Command, frozen=True, kw_only=True):
    """A verified event of the payment processor; handled once per `event_id`. `record_id` is derived from it."""

    record_id: Id
    event_id: str
    type: str
    outcome: Literal["paid", "failed", "expired", "unused"]
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
