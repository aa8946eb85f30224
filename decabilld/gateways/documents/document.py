"""One reading of an issued invoice, from which both its XML and its page are written, so that they can't disagree.

Owns what a document states and in which words; how it is encoded is `cii`'s and `pdf`'s. It reads nothing that may
change after the issue (status, payments), so that a document made again years later is the same one.
"""

import re
import unicodedata
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from decabilld.domain.entities import Id, Invoice, InvoiceLine, Party
from decabilld.domain.money import EXACT, to_decimal
from decabilld.gateways.documents.countries import NAMES

Kind = Literal["invoice", "credit_note"]

_UNWRITABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # XML 1.0 has no place for these
    "|[\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]"  # invisible; some make text read otherwise than it is
)
_VAT_ID_NOISE = re.compile(r"[\s./-]")
_VAT_ID = re.compile(r"([A-Z]{2})[0-9A-Z+*]{2,}")
_VAT_PREFIXES = (NAMES.keys() | {"EL", "XI"}) - {"XK"}


class DocumentImpossible(Exception):
    """The invoice can't be written down, and trying again won't help: it isn't issued, or breaks the standard."""


class Days(Struct, frozen=True):
    """Calendar days in the billing zone, both included (BT-73 and BT-74)."""

    first: date
    last: date


class Line(Struct, frozen=True, kw_only=True):
    """BG-25. Amounts are in the document's currency, net."""

    number: int
    description: str
    quantity: Decimal
    unit_price: Decimal
    tax_code: str
    tax_rate: Decimal
    net: Decimal
    days: Days | None


class Tax(Struct, frozen=True, kw_only=True):
    """BG-23: one per code and rate."""

    code: str
    rate: Decimal
    net: Decimal
    tax: Decimal


class Document(Struct, frozen=True, kw_only=True):
    kind: Kind
    number: str
    issued: date
    cancels: str | None
    """Number of the invoice that a credit note takes back."""
    invoice_date: date
    currency: str
    seller: Party
    buyer: Party
    buyer_id: Id
    buyer_vat_id: str | None
    """As EN 16931 wants it; None also when what the buyer gave isn't one (`buyer.vat_id` keeps that)."""
    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    days: Days | None
    """First to last day that any line is for; None when none says."""
    net: Decimal
    tax: Decimal
    gross: Decimal
    due_date: date | None
    terms: str
    payable: bool
    """Whether the buyer is asked for money."""

    @property
    def title(self) -> str:
        return f"{'Invoice' if self.kind == 'invoice' else 'Credit note'} {self.number}"

    @property
    def legal(self) -> str:
        """What the law wants to be known about the seller besides (BT-33)."""
        director = self.seller.managing_director and f"Managing director: {self.seller.managing_director}"
        return "; ".join(part for part in (self.seller.register_entry, director) if part)


def read(invoice: Invoice, kind: Kind, zone: ZoneInfo) -> Document:
    """What the document of an issued invoice states. Days are those of the billing zone.

    Raises `DocumentImpossible` for an invoice that isn't issued, and for a credit note of one that isn't void.
    """
    number, day = (
        (invoice.number, invoice.issue_date)
        if kind == "invoice"
        else (invoice.credit_note_number, invoice.credit_note_date)
    )
    if not (number and day and invoice.number and invoice.issue_date and invoice.seller and invoice.buyer):
        raise DocumentImpossible(f"invoice {invoice.id} has no {kind.replace('_', ' ')} yet")
    lines = tuple(_line(n, line, invoice.currency, zone) for n, line in enumerate(invoice.lines, 1))
    spans = [line.days for line in lines if line.days]
    payable = kind == "invoice" and invoice.total_gross_minor > 0
    buyer = _written(invoice.buyer)
    return Document(
        kind=kind,
        number=number,
        issued=day,
        cancels=invoice.number if kind == "credit_note" else None,
        invoice_date=invoice.issue_date,
        currency=invoice.currency,
        seller=_written(invoice.seller),
        buyer=buyer,
        buyer_id=invoice.user_id,
        buyer_vat_id=vat_id(buyer.vat_id),
        lines=lines,
        taxes=_taxes(invoice),
        days=Days(min(s.first for s in spans), max(s.last for s in spans)) if spans else None,
        net=to_decimal(invoice.subtotal_net_minor, invoice.currency),
        tax=to_decimal(invoice.tax_total_minor, invoice.currency),
        gross=to_decimal(invoice.total_gross_minor, invoice.currency),
        due_date=invoice.due_date if payable else None,
        terms=_terms(invoice, kind, payable=payable),
        payable=payable,
    )


def tidy(text: str) -> str:
    """Text as it can be written anywhere: composed, on one line, without control characters; never empty."""
    return " ".join(unicodedata.normalize("NFC", _UNWRITABLE.sub(" ", text)).split()) or "-"


def vat_id(text: str | None) -> str | None:
    """A VAT identifier without its ornaments, or None if it has no country prefix (BR-CO-09)."""
    found = _VAT_ID.fullmatch(_VAT_ID_NOISE.sub("", text or "").upper())
    return found[0] if found and found[1] in _VAT_PREFIXES else None


def _written(party: Party) -> Party:
    told = {k: v for k, v in msgspec.structs.asdict(party).items() if v is not None and v.strip()}
    blank = {"name": "-", "address_line1": "-", "city": "-"}
    return Party(**blank | {k: tidy(v) for k, v in told.items()})


def _tax_code(rate: Decimal) -> str:
    """UNCL 5305: standard rate, or zero rated. Exempt would need the reason, which nobody has told us."""
    return "S" if rate else "Z"


def _line(number: int, line: InvoiceLine, currency: str, zone: ZoneInfo) -> Line:
    quantity, price = line.quantity, line.unit_price_net
    if price < 0:  # a price is never negative (BR-27); a quantity may be
        quantity, price = -quantity, -price
    return Line(
        number=number,
        description=tidy(line.description),
        quantity=quantity.normalize(EXACT),
        unit_price=EXACT.add(price.normalize(EXACT), to_decimal(0, currency)),  # 5 EUR are 5.00, 0.0123 stay
        tax_code=_tax_code(line.tax_rate),
        tax_rate=line.tax_rate.normalize(EXACT),
        net=to_decimal(line.net_minor, currency),
        days=_days(line.period_start, line.period_end, zone),
    )


def _days(start: datetime | None, end: datetime | None, zone: ZoneInfo) -> Days | None:
    """The days that [start, end) touches."""
    if start is None or end is None:
        return None
    last = max(start, end - timedelta(microseconds=1))
    return Days(start.astimezone(zone).date(), last.astimezone(zone).date())


def _taxes(invoice: Invoice) -> tuple[Tax, ...]:
    """Groups of the same code and rate become one, as EN 16931 wants it: both of our categories may have one rate."""
    sums: dict[tuple[str, Decimal], tuple[int, int]] = {}
    for group in invoice.tax_groups:
        key = (_tax_code(group.tax_rate), group.tax_rate.normalize(EXACT))
        net, tax = sums.get(key, (0, 0))
        sums[key] = (net + group.net_minor, tax + group.tax_minor)
    return tuple(
        Tax(code=code, rate=rate, net=to_decimal(net, invoice.currency), tax=to_decimal(tax, invoice.currency))
        for (code, rate), (net, tax) in sums.items()
    )


def _terms(invoice: Invoice, kind: Kind, *, payable: bool) -> str:
    if kind == "credit_note":
        return "Nothing is to be paid, neither for this credit note nor for the invoice that it cancels."
    if not payable:
        return "Nothing is to be paid."
    return f"Payable by {invoice.due_date}." if invoice.due_date else "Payable on receipt."
