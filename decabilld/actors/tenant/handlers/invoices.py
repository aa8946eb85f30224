"""What is done to issued invoices: voided by a credit note, marked paid and unpaid by hand."""

from decabilld.actors.tenant.handlers import notices
from decabilld.actors.tenant.handlers.attempts import close_unfit
from decabilld.actors.tenant.state import TenantState
from decabilld.domain import invoices
from decabilld.domain.entities import Id, Invoice, Payment
from decabilld.domain.lifecycle import INVOICE, step
from decabilld.domain.refusals import Invalid, NotFound
from decabilld.messages.commands import MarkInvoicePaid, MarkInvoiceUnpaid, VoidInvoice
from decabilld.messages.decision import Context, Decision, Entry


def void_invoice(state: TenantState, command: VoidInvoice, context: Context) -> Decision:
    """Writes the credit note; what was billed stays billed."""
    invoice = invoice_of(state, command.invoice_id, subscription_id=command.subscription_id)
    voided = invoices.void(invoice, context.now, context.policy)
    entry = _entry(
        "invoice.voided",
        f"Invoice {voided.number} voided by credit note {voided.credit_note_number}",
        voided,
        credit_note=voided.credit_note_number,
        gross_minor=voided.total_gross_minor,
        reason=command.reason,
    )
    effect = notices.invoice_voided(state, voided, context)
    decision = Decision(reply=voided, changes=(voided,), entries=(entry,), effects=(effect,))
    return decision.along_with(close_unfit(state, voided, context))


def mark_invoice_paid(state: TenantState, command: MarkInvoicePaid, context: Context) -> Decision:
    """Books the whole balance as paid by hand."""
    invoice = invoice_of(state, command.invoice_id)
    step(INVOICE, invoice.status, "pay_all")
    paid = invoices.pay(invoice, invoice.balance_minor, context.now)
    payment = _payment(invoice, invoice.balance_minor, command.reason, context)
    entry = _entry(
        "invoice.marked_paid",
        f"Invoice {paid.number} marked paid",
        paid,
        amount_minor=payment.amount_minor,
        reason=command.reason,
    )
    effects = notices.payment_succeeded(state, paid, payment.amount_minor, context)
    decision = Decision(reply=paid, changes=(paid, payment), entries=(entry,), effects=effects)
    return decision.along_with(close_unfit(state, paid, context))


def mark_invoice_unpaid(state: TenantState, command: MarkInvoiceUnpaid, context: Context) -> Decision:
    """Takes every payment back: all of it is owed again."""
    invoice = invoice_of(state, command.invoice_id)
    unpaid = invoices.mark_unpaid(invoice, context.now)
    if not invoice.total_gross_minor:
        raise Invalid("An invoice with a total of zero has nothing to be owed again")
    payment = _payment(invoice, -invoice.paid_minor, command.reason, context)
    entry = _entry(
        "invoice.marked_unpaid",
        f"Invoice {unpaid.number} marked unpaid",
        unpaid,
        amount_minor=payment.amount_minor,
        reason=command.reason,
    )
    decision = Decision(reply=unpaid, changes=(unpaid, payment), entries=(entry,))
    return decision.along_with(close_unfit(state, unpaid, context))


def invoice_of(
    state: TenantState, invoice_id: Id, *, user_id: Id | None = None, subscription_id: Id | None = None
) -> Invoice:
    """The invoice. Raises NotFound too when it isn't that customer's or has no line of that subscription."""
    invoice = state.get(Invoice, invoice_id)
    if invoice is None:
        raise NotFound("Invoice")
    if user_id is not None and (invoice.user_id != user_id or invoice.status == "draft"):
        raise NotFound("Invoice")
    if subscription_id is not None and subscription_id not in invoice.subscription_ids:
        raise NotFound("Invoice")
    return invoice


def _payment(invoice: Invoice, amount_minor: int, reason: str | None, context: Context) -> Payment:
    return Payment(
        id=context.new_id(),
        invoice_id=invoice.id,
        user_id=invoice.user_id,
        amount_minor=amount_minor,
        currency=invoice.currency,
        source="manual",
        reason=reason,
        received_at=context.now,
    )


def _entry(kind: str, message: str, invoice: Invoice, **data: object) -> Entry:
    return Entry(
        kind=kind,
        message=message,
        entity=invoice,
        user_id=invoice.user_id,
        invoice_id=invoice.id,
        data={**data, "currency": invoice.currency, "balance_minor": invoice.balance_minor},
    )
