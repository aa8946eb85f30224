"""Invoices: by hand, on demand, voided, marked."""

from decimal import Decimal

from msgspec import Struct

from decabilld.domain import entities as e
from decabilld.domain.entities import Id
from decabilld.messages.decision import Command, Need


class LineWanted(Struct, frozen=True, kw_only=True):
    """A line of a manual invoice as the operator writes it."""

    description: str
    quantity: Decimal
    unit_price_net: Decimal
    tax_category: e.TaxCategory = "standard"


class CreateManualInvoice(Command, frozen=True, kw_only=True):
    """Reply: the draft. `currency` None is the tenant's."""

    user_id: Id
    subscription_id: Id | None = None
    currency: str | None = None
    lines: tuple[LineWanted, ...]

    def needs(self) -> tuple[Need, ...]:
        return ((e.Subscription, self.subscription_id),) if self.subscription_id else ()


class UpdateManualInvoice(Command, frozen=True, kw_only=True):
    """The draft with these lines instead of its own."""

    invoice_id: Id
    lines: tuple[LineWanted, ...]

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class DeleteManualInvoice(Command, frozen=True, kw_only=True):
    invoice_id: Id

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class IssueManualInvoice(Command, frozen=True, kw_only=True):
    """Reply: the issued invoice. `due_in_days` None is the tenant's term."""

    invoice_id: Id
    due_in_days: int | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class InvoiceSubscription(Command, frozen=True, kw_only=True):
    """Bill a subscription's elapsed part and open positions now. `description` goes into the journal.

    Reply: the issued invoice.
    """

    subscription_id: Id
    description: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Subscription, self.subscription_id),)


class VoidInvoice(Command, frozen=True, kw_only=True):
    """`subscription_id` is the route's, when the route has one: the invoice must have a line of it."""

    invoice_id: Id
    subscription_id: Id | None = None
    reason: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class MarkInvoicePaid(Command, frozen=True, kw_only=True):
    invoice_id: Id
    reason: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class MarkInvoiceUnpaid(Command, frozen=True, kw_only=True):
    invoice_id: Id
    reason: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)
