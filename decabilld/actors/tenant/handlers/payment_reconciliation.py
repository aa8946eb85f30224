"""Asking the processor about attempts that hang: what its webhooks should have told, and didn't.

Owns which attempts are asked about, and what an answer counts as. What is booked is decided by `payment_events.py`, as
if the webhook had come.
"""

from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from decabilld.actors.tenant.handlers.attempts import attempt_entry
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import PaymentAttempt
from decabilld.domain.ids import id_of
from decabilld.domain.refusals import NotFound
from decabilld.messages.commands import AskPayment, ConfirmCheckoutMissing, ReconcilePayments
from decabilld.messages.decision import Context, Decision, Deferred
from decabilld.messages.effects import AskCheckout

AT_A_TIME = 100
OPENING_TAKES = timedelta(minutes=10)
"""While the opening may still be under way, there is nothing to ask about."""
Asked = Literal["booked", "expired", "failed", "pending", "known", "unanswered"]
_COUNTS_AS: dict[object, Asked] = {
    "applied": "booked",
    "overpayment": "booked",
    "expired": "expired",
    "failed": "failed",
    "not_applicable": "failed",
    "unknown_invoice": "failed",
    "processing": "pending",
    "pending": "pending",
    "duplicate": "pending",  # only `processing` is found again
    "already_applied": "known",
    "unused": "known",
    None: "unanswered",
}


def pending_payments(state: TenantState, before: datetime) -> list[PaymentAttempt]:
    """Attempts without an outcome that were begun by then, in the order of their ids."""
    pending = [attempt for attempt in state.all(PaymentAttempt).values() if attempt.created_at <= before]
    return sorted(pending, key=lambda attempt: attempt.id)


def outcome_of(reply: object) -> Asked:
    """What a reply to `AskPayment` counts as; `known`: a webhook told it meanwhile."""
    if isinstance(reply, PaymentAttempt):
        return "pending" if reply.live else "known"
    return _COUNTS_AS[reply]


def reconcile_payments(state: TenantState, command: ReconcilePayments, context: Context) -> Decision:
    """Page by page, so that requests get in between."""
    if not context.policy.online_payment:
        return Decision(reply=0)
    before = context.wall - timedelta(minutes=command.older_than_minutes)
    pending = [a.id for a in pending_payments(state, before) if command.after is None or a.id > command.after]
    page, more = pending[:AT_A_TIME], len(pending) > AT_A_TIME
    asks = tuple(AskPayment(attempt_id=attempt_id) for attempt_id in page)
    following = (replace(command, after=page[-1]),) if more else ()
    return Decision(reply=len(page), then=(*asks, *following))


def ask_payment(state: TenantState, command: AskPayment, context: Context) -> Decision:
    """The effect's id is the attempt's own: asked twice at a time is asked once."""
    attempt = state.get(PaymentAttempt, command.attempt_id)
    if attempt is None:
        raise NotFound("Payment attempt")
    if not attempt.live:
        return Decision(reply="unused")
    if attempt.status == "opening" and attempt.failure is None and attempt.updated_at > context.wall - OPENING_TAKES:
        return Decision(reply="pending")
    effect = AskCheckout(
        id=id_of("ask_checkout", attempt.id),
        attempt_id=attempt.id,
        invoice_id=attempt.invoice_id,
        user_id=attempt.user_id,
        session_id=attempt.session_id,
        created_at=attempt.created_at,
        updated_at=attempt.updated_at,
    )
    return Decision(reply=Deferred(effect.id), effects=(effect,))


def confirm_checkout_missing(state: TenantState, command: ConfirmCheckoutMissing, context: Context) -> Decision:
    """Never opened, nobody can pay it, unless the opening has been asked for again meanwhile.

    Opened, it is in another account than our key's: it may be paid there until it expires.
    """
    attempt = state.get(PaymentAttempt, command.attempt_id)
    assert attempt is not None, "an effect's outcome names the attempt that it was written with"
    known = attempt.status in ("open", "closing")
    if known and attempt.expires_at is not None and attempt.expires_at <= context.wall:
        expired = replace(attempt, status="expired", updated_at=context.wall)
        entry = attempt_entry("payment.expired", "Stripe doesn't know this checkout any more", expired, level="warning")
        return Decision(reply="expired", changes=(expired,), entries=(entry,))
    if attempt.status != "opening" or attempt.updated_at != command.updated_at:
        return Decision(reply="pending" if attempt.live else "unused")
    failed = replace(attempt, status="failed", updated_at=context.wall)
    entry = attempt_entry("payment.failed", "Stripe never opened this checkout", failed, level="warning")
    return Decision(reply="failed", changes=(failed,), entries=(entry,))
