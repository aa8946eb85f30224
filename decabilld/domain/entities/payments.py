"""How invoices are paid."""

from datetime import datetime
from typing import ClassVar, Literal

from decabilld.domain.entities.base import AttemptStatus, Entity, Id


class PaymentAttempt(Entity, frozen=True, kw_only=True, gc=False):
    """One Stripe Checkout session; its id is the idempotency key at Stripe.

    `opening` while no session is known; `closing` when nobody shall pay it any more and Stripe is being told;
    `processing` when the customer has gone through with it and the bank hasn't.
    """

    table: ClassVar[str] = "payment_attempts"
    invoice_id: Id
    user_id: Id
    amount_minor: int
    currency: str
    status: AttemptStatus
    session_id: str | None = None
    checkout_url: str | None = None
    customer_email: str | None = None
    stripe_customer_id: str | None = None
    """Both as first told to the processor: asked again, an attempt must be asked for in the same words."""
    expires_at: datetime | None = None
    failure: str | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def live(self) -> bool:
        return self.status in ("opening", "open", "closing", "processing")


class Payment(Entity, frozen=True, kw_only=True, gc=False):
    """Money applied to an invoice, or taken back (negative, by mark-unpaid)."""

    table: ClassVar[str] = "payments"
    invoice_id: Id
    user_id: Id
    amount_minor: int
    currency: str
    source: Literal["stripe", "manual"]
    reference: str | None = None
    reason: str | None = None
    received_at: datetime

    @property
    def live(self) -> bool:
        return False


class WebhookEvent(Entity, frozen=True, kw_only=True, gc=False):
    """A payment provider's event that was handled; `id` is a UUID made of the provider's `event_id` (UUIDv5)."""

    table: ClassVar[str] = "webhook_events"
    event_id: str
    type: str
    outcome: str
    invoice_id: Id | None = None
    received_at: datetime

    @property
    def live(self) -> bool:
        return False
