"""What Stripe answers, in the few facts that we use. Knows neither the SDK nor what follows from it."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from decabilld.domain.refusals import PaymentProviderFailed

Standing = Literal["open", "processing", "paid", "failed", "expired"]


class CustomerMissing(PaymentProviderFailed):
    """The customer that was named is not at Stripe, or not any more; nothing was done."""


class SessionMissing(PaymentProviderFailed):
    """There is no such session at Stripe, or not in the account of our key."""


class CheckoutSession(Struct, frozen=True, kw_only=True):
    """An open page at Stripe where one attempt can be paid until `expires_at` (24 h after the opening)."""

    session_id: str
    url: str
    expires_at: datetime


class FoundSession(Struct, frozen=True, kw_only=True):
    """A session as it stands. `status` and `payment_status` are its own, `intent_status` its payment intent's.

    `amount_minor` counts our minor units of `currency` (upper case); None if they can't tell it.
    """

    session_id: str
    status: str | None
    payment_status: str
    url: str | None = None
    expires_at: datetime
    amount_minor: int | None = None
    currency: str | None = None
    payment_intent: str | None = None
    intent_status: str | None = None

    @property
    def standing(self) -> Standing:
        """A delayed payment that failed leaves the session complete and unpaid: only its intent tells."""
        if self.payment_status == "paid":
            return "paid"
        if self.status == "expired":
            return "expired"
        if self.status != "complete":
            return "open"
        return "failed" if self.intent_status in ("requires_payment_method", "canceled") else "processing"
