"""Legal documents, and all that is printed on them."""

from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Literal

from decabilld.domain.entities.base import Entity, Id, InvoiceStatus, TaxCategory, Value


class Party(Value, frozen=True, kw_only=True, gc=False):
    """Buyer or seller as printed on a document, copied at issue."""

    name: str
    contact_name: str | None = None
    """The buyer's person when `name` is a company."""
    address_line1: str
    address_line2: str | None = None
    postal_code: str | None = None
    city: str
    state: str | None = None
    country: str
    vat_id: str | None = None
    tax_number: str | None = None
    email: str | None = None
    phone: str | None = None
    website: str | None = None
    iban: str | None = None
    bic: str | None = None
    bank_name: str | None = None
    register_entry: str | None = None
    """Commercial register line, e.g. `HRB 12345, Amtsgericht Leipzig`."""
    managing_director: str | None = None


class InvoiceLine(Value, frozen=True, kw_only=True, gc=False):
    """`net_minor` is quantity x unit_price_net, rounded once; tax is the line's share of its group's."""

    description: str
    quantity: Decimal
    unit_price_net: Decimal
    tax_category: TaxCategory
    tax_rate: Decimal
    """Percent, e.g. 19."""
    net_minor: int
    tax_minor: int
    gross_minor: int
    position_id: Id | None = None
    subscription_id: Id | None = None
    plan_id: Id | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None


class TaxGroup(Value, frozen=True, kw_only=True, gc=False):
    """One category and rate of a document (EN 16931 BG-23): tax on the sum of the lines' net (BR-CO-17)."""

    tax_category: TaxCategory
    tax_rate: Decimal
    net_minor: int
    tax_minor: int


class Invoice(Entity, frozen=True, kw_only=True, gc=False):
    """A legal document once issued: from then on only status, payments and balance change.

    The credit note that voids it has the same lines and parties and is kept here as its number and date.
    """

    table: ClassVar[str] = "invoices"
    user_id: Id
    subscription_id: Id | None = None
    subscription_ids: tuple[Id, ...] = ()
    """Every subscription that it has a line of: it is found under each of them."""
    origin: Literal["billing_run", "bill_now", "subscription", "manual"]
    number: str | None = None
    status: InvoiceStatus
    currency: str
    lines: tuple[InvoiceLine, ...]
    tax_groups: tuple[TaxGroup, ...]
    subtotal_net_minor: int
    tax_total_minor: int
    total_gross_minor: int
    paid_minor: int = 0
    balance_minor: int
    seller: Party | None = None
    buyer: Party | None = None
    issued_at: datetime | None = None
    issue_date: date | None = None
    """Calendar day in the billing zone; so are the two that follow."""
    due_date: date | None = None
    overdue_from: datetime | None = None
    """First instant after the due date in the billing zone."""
    paid_at: datetime | None = None
    voided_at: datetime | None = None
    credit_note_number: str | None = None
    credit_note_date: date | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def live(self) -> bool:
        return self.status not in ("paid", "void")
