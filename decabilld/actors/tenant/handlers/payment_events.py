"""What the payment processor says: each event applied exactly once, in the commit that records it.

Owns what an event does to an attempt and its invoice. The same rules hold for what reconciliation finds out.
"""

from msgspec.structs import replace

from decabilld.actors.tenant.handlers import notices
from decabilld.actors.tenant.handlers.attempts import attempt_entry, close_others, close_unfit
from decabilld.actors.tenant.state import TenantState
from decabilld.domain import invoices
from decabilld.domain.entities import Entity, Invoice, Payment, PaymentAttempt, WebhookEvent
from decabilld.domain.money import to_decimal
from decabilld.messages.commands import ApplyPaymentEvent, PaymentNotice, RecordReversal
from decabilld.messages.decision import Context, Decision, Effect, Entry

_REVERSALS = {"refunded": "Payment refunded", "disputed": "Payment disputed", "dispute_closed": "Dispute closed"}


def apply_payment_event(state: TenantState, command: ApplyPaymentEvent, context: Context) -> Decision:
    """Once per event id; what we can't use is recorded all the same."""
    if state.get(WebhookEvent, command.record_id) is not None:
        return Decision(reply="duplicate")
    invoice = state.get(Invoice, command.invoice_id)
    attempt = state.get(PaymentAttempt, command.attempt_id)
    if invoice is None or invoice.status == "draft" or command.outcome == "unused":
        return _of_nothing_known(command, context)
    if command.outcome != "paid":
        return _told_attempt(state, command, invoice, attempt, context)
    if attempt is not None and attempt.status == "paid":
        return _recorded(command, "already_applied", context, invoice)
    if command.currency != invoice.currency or not command.amount_minor or command.amount_minor < 0:
        entry = _paid_entry("payment.not_applicable", invoice, command, level="error")
        return _recorded(command, "not_applicable", context, invoice, entries=(entry,))
    return _applied(state, command, invoice, attempt, context)


def _applied(
    state: TenantState,
    command: ApplyPaymentEvent,
    invoice: Invoice,
    attempt: PaymentAttempt | None,
    context: Context,
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
    told: tuple[Effect, ...] = ()
    if applied:
        invoice = invoices.pay(invoice, applied, context.now)
        changes.append(invoice)
        entries.append(_paid_entry("payment.received", invoice, command, applied_minor=applied))
        told = notices.payment_succeeded(state, invoice, amount, context)
    if over:
        entries.append(_paid_entry("payment.overpayment", invoice, command, level="warning", overpaid_minor=over))
    if attempt is not None:
        changes.append(replace(attempt, status="paid", updated_at=context.wall))
    outcome = "applied" if applied else "overpayment"
    recorded = _recorded(
        command, outcome, context, invoice, changes=tuple(changes), entries=tuple(entries), effects=told
    )
    return recorded.along_with(close_unfit(state, invoice, context, but=command.attempt_id))


def _told_attempt(
    state: TenantState,
    command: ApplyPaymentEvent,
    invoice: Invoice,
    attempt: PaymentAttempt | None,
    context: Context,
) -> Decision:
    if attempt is None or not attempt.live:
        return _recorded(command, "unused", context, invoice)
    closing = Decision()
    effects: tuple[Effect, ...] = ()
    match command.outcome:
        case "processing" as status:
            level, closing = "info", close_others(state, invoice.id, context, but=attempt.id)
        case "expired" as status:
            # A page that somebody closed: nobody wants a mail about it.
            level = "info" if attempt.status == "closing" else "warning"
        case "failed" as status:
            level = "warning"
            if invoice.balance_minor:
                effects = notices.payment_failed(state, invoice, attempt.amount_minor, context)
        case _:
            raise AssertionError(f"{command.outcome} closes no attempt")
    told = replace(attempt, status=status, updated_at=context.wall)
    entry = attempt_entry(f"payment.{status}", f"Payment attempt {status}", told, level=level)
    recorded = _recorded(command, status, context, invoice, changes=(told,), entries=(entry,), effects=effects)
    return recorded.along_with(closing)


def record_reversal(state: TenantState, command: RecordReversal, context: Context) -> Decision:
    """Told, once per event id, and no more: what is owed again is the operator's to say (`MarkInvoiceUnpaid`)."""
    if state.get(WebhookEvent, command.record_id) is not None:
        return Decision(reply="duplicate")
    invoice = state.get(Invoice, command.invoice_id)
    if invoice is None or invoice.status == "draft":
        return _recorded(command, "unknown_invoice", context, level="error")
    entry = Entry(
        kind=f"payment.{command.kind}",
        message=f"{_REVERSALS[command.kind]}: {_said(command)}invoice {invoice.number}",
        entity=invoice,
        user_id=invoice.user_id,
        invoice_id=invoice.id,
        level="warning",
        data={
            "event_id": command.event_id,
            "amount_minor": command.amount_minor,
            "total_minor": command.total_minor,
            "currency": command.currency,
            "reference": command.reference,
            "detail": command.detail,
            "balance_minor": invoice.balance_minor,
        },
    )
    return _recorded(command, command.kind, context, invoice, entries=(entry,))


def _said(command: RecordReversal) -> str:
    if command.amount_minor is None or command.currency is None:
        return ""
    return f"{to_decimal(command.amount_minor, command.currency)} {command.currency} of "


def _of_nothing_known(command: ApplyPaymentEvent, context: Context) -> Decision:
    """An event that says nothing, or nothing of an invoice that could be paid; money that has come is an error."""
    if command.outcome == "unused":
        return _recorded(command, "unused", context)
    return _recorded(command, "unknown_invoice", context, level="error" if command.outcome == "paid" else "info")


def _recorded(
    command: PaymentNotice,
    outcome: str,
    context: Context,
    invoice: Invoice | None = None,
    *,
    changes: tuple[Entity, ...] = (),
    entries: tuple[Entry, ...] = (),
    effects: tuple[Effect, ...] = (),
    level: str = "info",
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
        level=level,
        data={"event_id": command.event_id, "invoice_named": command.invoice_id},
    )
    return Decision(reply=outcome, changes=(*changes, event), entries=(*entries, handled), effects=effects)


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
