"""Paying by Stripe Checkout: attempts, and the processor's events, each applied exactly once."""

from datetime import timedelta

from msgspec.structs import replace

from decabilld.actors.tenant.handlers.invoices import invoice_of
from decabilld.actors.tenant.indexes import ATTEMPTS_OF_INVOICE, PROFILE_OF_USER
from decabilld.actors.tenant.state import TenantState
from decabilld.domain import invoices
from decabilld.domain.entities import Entity, Invoice, Payment, PaymentAttempt, User, WebhookEvent
from decabilld.domain.refusals import (
    Invalid,
    PaymentNotConfigured,
    PaymentProviderFailed,
    PaymentProviderTimedOut,
    Refusal,
)
from decabilld.messages.commands import (
    ApplyPaymentEvent,
    ConfirmCheckoutFailed,
    ConfirmCheckoutOpened,
    InitiatePayment,
)
from decabilld.messages.decision import Context, Decision, Deferred, Entry
from decabilld.messages.effects import OpenCheckout

KEY_KEPT = timedelta(hours=23)
"""How long the processor knows an idempotency key (Stripe: at least 24 h), with an hour to spare."""


def initiate_payment(state: TenantState, command: InitiatePayment, context: Context) -> Decision:
    """A live attempt over the same balance is answered again; one in doubt is asked for again under its own key."""
    invoice = invoice_of(state, command.invoice_id, user_id=command.user_id, subscription_id=command.subscription_id)
    if not context.policy.online_payment:
        raise PaymentNotConfigured("Online payment is not configured")
    if not invoices.can_pay(invoice, context.policy):
        raise Invalid(f"Invoice {invoice.number} can't be paid online (status {invoice.status})")
    for attempt in state.find(ATTEMPTS_OF_INVOICE, invoice.id):
        if attempt.amount_minor != invoice.balance_minor:
            continue
        if attempt.status == "open" and attempt.expires_at is not None and attempt.expires_at > context.wall:
            return Decision(reply=attempt)
        if attempt.status == "opening" and attempt.created_at + KEY_KEPT > context.wall:
            return _ask_again(invoice, attempt, context)
    profile, user = state.first(PROFILE_OF_USER, invoice.user_id), state.get(User, invoice.user_id)
    attempt = PaymentAttempt(
        id=context.new_id(),
        invoice_id=invoice.id,
        user_id=invoice.user_id,
        amount_minor=invoice.balance_minor,
        currency=invoice.currency,
        status="opening",
        customer_email=(profile and profile.email) or (user and user.email) or None,
        created_at=context.wall,
        updated_at=context.wall,
    )
    return _open(invoice, attempt)


def confirm_checkout_opened(state: TenantState, command: ConfirmCheckoutOpened, context: Context) -> Decision:
    attempt = _attempt(state, command.attempt_id)
    if attempt.status != "opening":
        return Decision(reply=attempt)
    opened = replace(
        attempt,
        status="open",
        session_id=command.session_id,
        checkout_url=command.checkout_url,
        expires_at=command.expires_at,
        failure=None,
        updated_at=context.wall,
    )
    entry = _entry("payment.checkout_opened", "Checkout session opened", opened, session_id=command.session_id)
    return Decision(reply=opened, changes=(opened,), entries=(entry,))


def confirm_checkout_failed(state: TenantState, command: ConfirmCheckoutFailed, context: Context) -> Decision:
    """Refused for good: the attempt failed. In doubt: a session may exist, so the attempt is kept and asked again."""
    attempt = _attempt(state, command.attempt_id)
    status = "opening" if command.in_doubt else "failed"
    failed = replace(attempt, status=status, failure=command.reason, updated_at=context.wall)
    kind = "payment.checkout_in_doubt" if command.in_doubt else "payment.checkout_failed"
    entry = _entry(kind, command.reason, failed, level="warning")
    refusal: Refusal = (PaymentProviderTimedOut if command.timed_out else PaymentProviderFailed)(command.reason)
    return Decision(reply=refusal, changes=(failed,), entries=(entry,))


def apply_payment_event(state: TenantState, command: ApplyPaymentEvent, context: Context) -> Decision:
    """Once per event id; what we can't use is recorded all the same."""
    if state.get(WebhookEvent, command.record_id) is not None:
        return Decision(reply="duplicate")
    invoice = state.get(Invoice, command.invoice_id)
    attempt = state.get(PaymentAttempt, command.attempt_id)
    if invoice is None or invoice.status == "draft" or command.outcome == "unused":
        return _recorded(command, "unused" if command.outcome == "unused" else "unknown_invoice", context)
    if command.outcome != "paid":
        return _closed_attempt(command, invoice, attempt, context)
    if attempt is not None and attempt.status == "paid":
        return _recorded(command, "already_applied", context, invoice)
    if command.currency != invoice.currency or not command.amount_minor or command.amount_minor < 0:
        entry = _paid_entry("payment.not_applicable", invoice, command, level="error")
        return _recorded(command, "not_applicable", context, invoice, entries=(entry,))
    return _applied(command, invoice, attempt, context)


def _applied(
    command: ApplyPaymentEvent, invoice: Invoice, attempt: PaymentAttempt | None, context: Context
) -> Decision:
    amount = command.amount_minor or 0
    owed = 0 if invoice.status in ("paid", "void") else invoice.balance_minor
    applied, over = min(amount, owed), amount - min(amount, owed)
    changes: list[Entity] = [
        Payment(
            id=context.new_id(),
            invoice_id=invoice.id,
            user_id=invoice.user_id,
            amount_minor=amount,
            currency=invoice.currency,
            source="stripe",
            reference=command.reference,
            received_at=context.now,
        )
    ]
    entries = []
    if applied:
        invoice = invoices.pay(invoice, applied, context.now)
        changes.append(invoice)
        entries.append(_paid_entry("payment.received", invoice, command, applied_minor=applied))
    if over:
        entries.append(_paid_entry("payment.overpayment", invoice, command, level="warning", overpaid_minor=over))
    if attempt is not None:
        changes.append(replace(attempt, status="paid", updated_at=context.wall))
    outcome = "applied" if applied else "overpayment"
    return _recorded(command, outcome, context, invoice, changes=tuple(changes), entries=tuple(entries))


def _closed_attempt(
    command: ApplyPaymentEvent, invoice: Invoice, attempt: PaymentAttempt | None, context: Context
) -> Decision:
    if attempt is None or not attempt.live:
        return _recorded(command, "unused", context, invoice)
    status = "expired" if command.outcome == "expired" else "failed"
    closed = replace(attempt, status=status, updated_at=context.wall)
    entry = _entry(f"payment.{status}", f"Payment attempt {status}", closed, level="warning")
    return _recorded(command, status, context, invoice, changes=(closed,), entries=(entry,))


def _recorded(
    command: ApplyPaymentEvent,
    outcome: str,
    context: Context,
    invoice: Invoice | None = None,
    *,
    changes: tuple[Entity, ...] = (),
    entries: tuple[Entry, ...] = (),
) -> Decision:
    event = WebhookEvent(
        id=command.record_id,
        event_id=command.event_id,
        type=command.type,
        outcome=outcome,
        invoice_id=None if invoice is None else invoice.id,
        received_at=context.wall,
    )
    handled = Entry(
        kind="payment.event_handled",
        message=f"{command.type}: {outcome}",
        entity=event,
        user_id=None if invoice is None else invoice.user_id,
        invoice_id=event.invoice_id,
        data={"event_id": command.event_id},
    )
    return Decision(reply=outcome, changes=(*changes, event), entries=(*entries, handled))


def _ask_again(invoice: Invoice, attempt: PaymentAttempt, context: Context) -> Decision:
    if attempt.failure is None:
        return Decision(reply=Deferred(attempt.id))
    return _open(invoice, replace(attempt, failure=None, updated_at=context.wall))


def _open(invoice: Invoice, attempt: PaymentAttempt) -> Decision:
    effect = OpenCheckout(
        id=attempt.id,
        invoice_id=invoice.id,
        invoice_number=invoice.number or "",
        subscription_id=invoice.subscription_id,
        user_id=invoice.user_id,
        customer_email=attempt.customer_email,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
    )
    entry = _entry("payment.initiated", f"Payment of invoice {invoice.number} initiated", attempt)
    return Decision(reply=Deferred(effect.id), changes=(attempt,), entries=(entry,), effects=(effect,))


def _attempt(state: TenantState, attempt_id: str) -> PaymentAttempt:
    attempt = state.get(PaymentAttempt, attempt_id)
    assert attempt is not None, "an effect's outcome names the attempt that it was written with"
    return attempt


def _entry(kind: str, message: str, attempt: PaymentAttempt, *, level: str = "info", **data: object) -> Entry:
    return Entry(
        kind=kind,
        message=message,
        entity=attempt,
        user_id=attempt.user_id,
        invoice_id=attempt.invoice_id,
        level=level,
        data={**data, "amount_minor": attempt.amount_minor, "currency": attempt.currency},
    )


def _paid_entry(
    kind: str, invoice: Invoice, command: ApplyPaymentEvent, *, level: str = "info", **data: object
) -> Entry:
    return Entry(
        kind=kind,
        message=f"{kind.removeprefix('payment.').replace('_', ' ').capitalize()}: invoice {invoice.number}",
        entity=invoice,
        user_id=invoice.user_id,
        invoice_id=invoice.id,
        level=level,
        data={
            **data,
            "event_id": command.event_id,
            "amount_minor": command.amount_minor,
            "currency": command.currency,
            "balance_minor": invoice.balance_minor,
        },
    )
