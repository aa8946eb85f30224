"""What the page of a document shows: words, numbers and their order, and nothing that the fonts lack.

Owns the English of the page. How it is laid out is `invoice.typ`'s, what is stated `document`'s.
"""

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from decabilld.domain.entities import Party
from decabilld.gateways.documents.countries import NAMES
from decabilld.gateways.documents.document import Document, Line

Page = dict[str, Any]
"""JSON for `invoice.typ`."""

_COVERAGE = Path(__file__).parent / "assets" / "fonts" / "coverage.txt"
_VARIATION = re.compile("[\ufe00-\ufe0f]")  # choose between pictures of a character; we have one of each
_JOINERS = "\u200c\u200d"


def page(doc: Document) -> Page:
    """Everything that `invoice.typ` shows, as it is shown."""
    seller, foreign = doc.seller, doc.buyer.country != doc.seller.country
    return {
        "title": doc.title,
        "date": [doc.issued.year, doc.issued.month, doc.issued.day],
        "seller": seller.name,
        "sender": " · ".join([seller.name, *_address(seller, with_country=False)]),
        "recipient": [
            doc.buyer.name,
            *([doc.buyer.contact_name] if doc.buyer.contact_name else []),
            *_address(doc.buyer, with_country=foreign),
        ],
        "facts": _facts(doc),
        "cancels": f"This credit note cancels invoice {doc.cancels} of {doc.invoice_date} in full."
        if doc.cancels
        else None,
        "currency": doc.currency,
        "lines": [_row(line) for line in doc.lines],
        "net": _amount(doc.net),
        "taxes": [[f"VAT {_amount(tax.rate)} % on {_amount(tax.net)}", _amount(tax.tax)] for tax in doc.taxes],
        "gross": _amount(doc.gross),
        "payment": _payment(doc),
        "account": _account(doc) if doc.payable and seller.iban else [],
        "footer": _footer(doc),
    }


def _facts(doc: Document) -> list[list[str]]:
    first = "Invoice" if doc.kind == "invoice" else "Credit note"
    facts: list[tuple[str, object]] = [(f"{first} number", doc.number), (f"{first} date", doc.issued)]
    if doc.cancels:
        facts.append(("Cancels invoice", doc.cancels))
    if doc.due_date:
        facts.append(("Due date", doc.due_date))
    if doc.days:
        facts.append(("Service period", f"{doc.days.first} to {doc.days.last}"))
    else:
        facts.append(("Date of supply", doc.invoice_date))
    if doc.buyer.vat_id:
        facts.append(("Your VAT ID", doc.buyer_vat_id or doc.buyer.vat_id))
    return [[label, str(value)] for label, value in facts]


def _row(line: Line) -> list[str]:
    return [
        str(line.number),
        line.description,
        _amount(line.quantity),
        _amount(line.unit_price),
        f"{_amount(line.tax_rate)} %",
        _amount(line.net),
    ]


def _payment(doc: Document) -> str:
    if not doc.payable:
        return doc.terms
    by = f" by {doc.due_date}" if doc.due_date else " on receipt"
    return f"Please pay {doc.currency} {_amount(doc.gross)}{by}, quoting {doc.number}."


def _account(doc: Document) -> list[list[str]]:
    iban = (doc.seller.iban or "").replace(" ", "")
    told = [
        ("Account holder", doc.seller.name),
        ("IBAN", " ".join(re.findall(".{1,4}", iban))),
        ("BIC", doc.seller.bic),
        ("Bank", doc.seller.bank_name),
        ("Reference", doc.number),
    ]
    return [[label, value] for label, value in told if value]


def _footer(doc: Document) -> list[list[str]]:
    """Three columns: who, by which register and tax numbers, how to reach them."""
    seller = doc.seller
    return [
        [seller.name, *_address(seller, with_country=True)],
        [
            *([seller.register_entry] if seller.register_entry else []),
            *([f"Managing director: {seller.managing_director}"] if seller.managing_director else []),
            *([f"VAT ID: {seller.vat_id}"] if seller.vat_id else []),
            *([f"Tax number: {seller.tax_number}"] if seller.tax_number else []),
        ],
        [text for text in (seller.phone, seller.email, seller.website) if text],
    ]


def _address(party: Party, *, with_country: bool) -> list[str]:
    country = NAMES.get(party.country, party.country) if with_country else None
    town = f"{party.postal_code} {party.city}" if party.postal_code else party.city
    return [text for text in (party.address_line1, party.address_line2, town, party.state, country) if text]


def _amount(value: Decimal) -> str:
    """With a comma between thousands and the decimals that it has."""
    return f"{value:,f}"


# --- what the fonts have --------------------------------------------------------------------------------------------


@cache
def _missing() -> re.Pattern[str]:
    """Matches a character that none of our fonts has; PDF/A forbids to show the glyph for that."""
    ranges = _COVERAGE.read_text(encoding="ascii").split()
    spans = (span.split("-") for span in ranges)
    return re.compile("[^" + "".join(f"\\U{int(a, 16):08x}-\\U{int(b, 16):08x}" for a, b in spans) + "]")


def shown(page: Page) -> Page:
    """The page without characters that can't be shown; the XML keeps them."""
    changed: Page = _mapped(page, lambda text: _missing().sub("\N{WHITE SQUARE}", _VARIATION.sub("", text)))
    return changed


def bare(page: Page) -> Page:
    """The page without combining and joining characters."""
    changed: Page = _mapped(
        page, lambda text: "".join(c for c in text if unicodedata.category(c)[0] != "M" and c not in _JOINERS)
    )
    return changed


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """`value` with every text in it changed."""
    match value:
        case str():
            return change(value)
        case list():
            return [_mapped(part, change) for part in value]
        case dict():
            return {key: _mapped(part, change) for key, part in value.items()}
        case _:
            return value
