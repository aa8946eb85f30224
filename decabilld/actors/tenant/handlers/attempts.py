"""Payment attempts: what the journal says of them, and the closing of checkouts that nobody shall pay any more.

Owns which open checkout fits its invoice no more. Whoever changes a balance asks; what becomes of a closing one at the
processor comes back like any event (`payment_events.py`): the customer may have been quicker.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from decabilld.actors.tenant.indexes import ATTEMPTS_OF_INVOICE
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Id, Invoice, PaymentAttempt
from decabilld.domain.ids import id_of
from decabilld.messages.decision import Context, Decision, Entry
from decabilld.messages.effects import CloseCheckout


def close_unfit(state: TenantState, invoice: Invoice, context: Context, *, but: Id | None = None) -> Decision:
    """Closes the open checkouts over another amount than `invoice`, as it shall be, owes; without a reply."""
    return close(
        [attempt for attempt in _open_ones(state, invoice.id, but) if attempt.amount_minor != invoice.balance_minor],
        context,
    )


def close_others(state: TenantState, invoice_id: Id, context: Context, *, but: Id | None = None) -> Decision:
    """Closes every open checkout of an invoice but one: two that can be paid are one too many."""
    return close(_open_ones(state, invoice_id, but), context)


def close(attempts: Iterable[PaymentAttempt], context: Context) -> Decision:
    """Each is nobody's to pay from now on, as far as we are concerned; Stripe is told by an effect."""
    closing = [replace(attempt, status="closing", updated_at=context.wall) for attempt in attempts]
    return Decision(
        changes=tuple(closing),
        entries=tuple(
            attempt_entry("payment.checkout_closing", "Checkout is being closed: it fits the balance no more", attempt)
            for attempt in closing
        ),
        effects=tuple(_effect(attempt) for attempt in closing),
    )


def fits(state: TenantState, attempt: PaymentAttempt) -> bool:
    """Whether a checkout that opens now is over what is owed, and the only one that may be paid."""
    invoice = state.get(Invoice, attempt.invoice_id)  # paid and void ones aren't in memory
    if invoice is None or invoice.balance_minor != attempt.amount_minor:
        return False
    others = state.each(ATTEMPTS_OF_INVOICE, attempt.invoice_id)
    return not any(other.status in ("open", "processing") and other.id != attempt.id for other in others)


def _open_ones(state: TenantState, invoice_id: Id, but: Id | None) -> list[PaymentAttempt]:
    attempts = state.each(ATTEMPTS_OF_INVOICE, invoice_id)
    return [attempt for attempt in attempts if attempt.status == "open" and attempt.id != but]


def _effect(attempt: PaymentAttempt) -> CloseCheckout:
    assert attempt.session_id is not None, "an open checkout has a session"
    return CloseCheckout(
        id=id_of("close_checkout", attempt.id),
        attempt_id=attempt.id,
        invoice_id=attempt.invoice_id,
        user_id=attempt.user_id,
        session_id=attempt.session_id,
        updated_at=attempt.updated_at,
    )


def attempt_entry(kind: str, message: str, attempt: PaymentAttempt, *, level: str = "info", **data: object) -> Entry:
    """What happened to an attempt, for the journal."""
    return Entry(
        kind=kind,
        message=message,
        entity=attempt,
        user_id=attempt.user_id,
        invoice_id=attempt.invoice_id,
        level=level,
        data={**data, "amount_minor": attempt.amount_minor, "currency": attempt.currency},
    )
