"""Invoices that the operator writes by hand: drafts that can be changed and thrown away until they are issued.

What they are made of and what they come to is `domain/invoices`; what happens to them once issued, `invoices`.
"""

from collections.abc import Sequence

from decabilld.actors.tenant.handlers import notices
from decabilld.actors.tenant.handlers.billing import issued_entry
from decabilld.actors.tenant.handlers.invoices import invoice_of
from decabilld.actors.tenant.handlers.numbers import Numbers
from decabilld.actors.tenant.handlers.users import user_of
from decabilld.actors.tenant.indexes import PROFILE_OF_USER
from decabilld.actors.tenant.state import TenantState
from decabilld.domain import invoices
from decabilld.domain.entities import Id, Invoice, InvoiceLine, Subscription
from decabilld.domain.lifecycle import INVOICE, step
from decabilld.domain.money import check_currency
from decabilld.domain.numbering import invoice_number, invoice_series
from decabilld.domain.refusals import Conflict, Invalid, NotFound
from decabilld.messages.commands import (
    CreateManualInvoice,
    DeleteManualInvoice,
    IssueManualInvoice,
    LineWanted,
    UpdateManualInvoice,
)
from decabilld.messages.decision import Context, Decision, Entry


def create_manual_invoice(state: TenantState, command: CreateManualInvoice, context: Context) -> Decision:
    """A draft without a number. The customer needs no complete profile yet."""
    user_of(state, command.user_id)
    _check_own(state, command)
    currency = command.currency or context.policy.currency
    check_currency(currency)
    empty = Invoice(
        id=context.new_id(),
        user_id=command.user_id,
        subscription_id=command.subscription_id,
        subscription_ids=(command.subscription_id,) if command.subscription_id else (),
        origin="manual",
        status="draft",
        currency=currency,
        lines=(),
        tax_groups=(),
        subtotal_net_minor=0,
        tax_total_minor=0,
        total_gross_minor=0,
        balance_minor=0,
        created_at=context.now,
        updated_at=context.now,
    )
    draft = invoices.with_lines(empty, _lines(command.lines, empty, context), context.now)
    return Decision(reply=draft, changes=(draft,), entries=(_entry("invoice.created", "Draft written", draft),))


def update_manual_invoice(state: TenantState, command: UpdateManualInvoice, context: Context) -> Decision:
    """Raises Conflict for what was issued."""
    known = _draft_of(state, command.invoice_id, "changed")
    draft = invoices.with_lines(known, _lines(command.lines, known, context), context.now)
    return Decision(reply=draft, changes=(draft,), entries=(_entry("invoice.updated", "Draft changed", draft),))


def delete_manual_invoice(state: TenantState, command: DeleteManualInvoice, context: Context) -> Decision:
    """The draft is gone for good, and never had a number. Raises Conflict for what was issued."""
    draft = _draft_of(state, command.invoice_id, "deleted")
    return Decision(reply=draft, removed=(draft,), entries=(_entry("invoice.deleted", "Draft deleted", draft),))


def issue_manual_invoice(state: TenantState, command: IssueManualInvoice, context: Context) -> Decision:
    """The draft as a legal document of today, taxed by the rates of today."""
    known = invoice_of(state, command.invoice_id)
    step(INVOICE, known.status, "issue")
    seller = invoices.check_issuer(context.policy)
    buyer = invoices.buyer_of(invoices.check_profile(state.first(PROFILE_OF_USER, known.user_id)))
    numbers, year = Numbers(state), invoices.issue_year(context.now, context.policy)
    issued = invoices.issue(
        invoices.at_rates_of(known, context.policy, context.now),
        number=invoice_number(year, numbers.draw(invoice_series(year))),
        seller=seller,
        buyer=buyer,
        now=context.now,
        policy=context.policy,
        due_in_days=command.due_in_days,
    )
    return Decision(
        reply=issued,
        changes=(*numbers.changes, issued),
        entries=(issued_entry(issued),),
        effects=(notices.invoice_issued(state, issued, context),),
    )


def _check_own(state: TenantState, command: CreateManualInvoice) -> None:
    if command.subscription_id is None:
        return
    subscription = state.get(Subscription, command.subscription_id)
    if subscription is None:
        raise NotFound("Subscription")
    if subscription.user_id != command.user_id:
        raise Invalid("subscriptionId: is another customer's subscription")


def _draft_of(state: TenantState, invoice_id: Id, what: str) -> Invoice:
    invoice = invoice_of(state, invoice_id)
    if invoice.status != "draft":
        raise Conflict(f"Only a draft can be {what}; invoice {invoice.number} was issued")
    return invoice


def _lines(wanted: Sequence[LineWanted], invoice: Invoice, context: Context) -> list[InvoiceLine]:
    return [
        invoices.manual_line(
            line.description,
            line.quantity,
            line.unit_price_net,
            line.tax_category,
            currency=invoice.currency,
            subscription_id=invoice.subscription_id,
            policy=context.policy,
        )
        for line in wanted
    ]


def _entry(kind: str, message: str, draft: Invoice) -> Entry:
    return Entry(
        kind=kind,
        message=message,
        entity=draft,
        user_id=draft.user_id,
        invoice_id=draft.id,
        data={
            "currency": draft.currency,
            "net_minor": draft.subtotal_net_minor,
            "tax_minor": draft.tax_total_minor,
            "gross_minor": draft.total_gross_minor,
            "lines": [
                {
                    "description": line.description,
                    "quantity": str(line.quantity),
                    "unit_price_net": str(line.unit_price_net),
                    "tax_category": line.tax_category,
                    "net_minor": line.net_minor,
                }
                for line in draft.lines
            ],
        },
    )
