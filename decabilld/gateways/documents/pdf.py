"""The document as a page: PDF/A-3b with the XML inside (ZUGFeRD/Factur-X, profile EN 16931), typeset by typst.

Owns the words and numbers on the page and the file's metadata; the layout is `invoice.typ`. The same document gives
the same bytes in any process and on any day, as long as typst and pikepdf are the same.
"""

import io
import re
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pikepdf
import typst

from decabilld.domain.entities import Invoice, Party
from decabilld.gateways.documents.cii import build_cii
from decabilld.gateways.documents.countries import NAMES
from decabilld.gateways.documents.document import Document, Kind, Line, read

_HERE = Path(__file__).parent
_VARIATION = re.compile("[\ufe00-\ufe0f]")  # choose between pictures of a character; we have one of each


def render(invoice: Invoice, kind: Kind, zone: ZoneInfo) -> bytes:
    """The document as a file. Raises `DocumentImpossible` for one that can't be."""
    document = read(invoice, kind, zone)
    midnight = datetime.combine(document.issued, time(), UTC)
    typeset = _compiler().compile(
        format="pdf",
        sys_inputs={"page": msgspec.json.encode(_page(document)).decode(), "xml": build_cii(document).decode()},
        pdf_standards="a-3b",
        pdf_tags=False,
        timestamp=int(midnight.timestamp()),
    )
    assert isinstance(typeset, bytes), "a PDF is one file"
    return _with_factur_x_metadata(typeset)


@cache
def _compiler() -> typst.Compiler:
    """Kept for the life of the process: fonts and template are read once. Only a file path works more than once."""
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[_HERE / "assets" / "fonts"]
    )
    return typst.Compiler(_HERE / "invoice.typ", root=_HERE, font_paths=fonts)


# --- the page -------------------------------------------------------------------------------------------------------


def _page(doc: Document) -> object:
    """Everything that `invoice.typ` shows, as it is shown."""
    seller, foreign = doc.seller, doc.buyer.country != doc.seller.country
    return _shown(
        {
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
    )


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
    ranges = (_HERE / "assets" / "fonts" / "coverage.txt").read_text(encoding="ascii").split()
    spans = (span.split("-") for span in ranges)
    return re.compile("[^" + "".join(f"\\U{int(a, 16):08x}-\\U{int(b, 16):08x}" for a, b in spans) + "]")


def _shown(value: object) -> object:
    """The same texts without characters that can't be shown; the XML keeps them."""
    match value:
        case str():
            return _missing().sub("\N{WHITE SQUARE}", _VARIATION.sub("", value))
        case list():
            return [_shown(part) for part in value]
        case dict():
            return {key: _shown(part) for key, part in value.items()}
        case _:
            return value


# --- Factur-X -------------------------------------------------------------------------------------------------------

_FX = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_PROPERTIES = {
    "DocumentFileName": ("factur-x.xml", "name of the embedded XML document"),
    "DocumentType": ("INVOICE", "type of the document; a credit note is an INVOICE, too"),
    "Version": ("1.0", "version of the standard that the XML follows"),
    "ConformanceLevel": ("EN 16931", "profile of the standard that the XML follows"),
}
"""What Factur-X wants to be said in XMP, and how PDF/A wants a schema of one's own described."""


def _factur_x_xmp() -> str:
    values = "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in _PROPERTIES.items())
    described = "".join(
        f'<rdf:li rdf:parseType="Resource"><pdfaProperty:name>{name}</pdfaProperty:name>'
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{meaning}</pdfaProperty:description></rdf:li>"
        for name, (_, meaning) in _PROPERTIES.items()
    )
    return f"""<rdf:Description rdf:about="" xmlns:fx="{_FX}">{values}</rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
  xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource"><pdfaSchema:schema>Factur-X</pdfaSchema:schema>
<pdfaSchema:namespaceURI>{_FX}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq>{described}</rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>"""


def _with_factur_x_metadata(typeset: bytes) -> bytes:
    """typst can't say it: the file's XMP also names the embedded XML as Factur-X."""
    with pikepdf.open(io.BytesIO(typeset)) as pdf:
        before, end, after = pdf.Root.Metadata.read_bytes().decode().rpartition("</rdf:RDF>")
        xmp = pikepdf.Stream(pdf, (before + _factur_x_xmp() + end + after).encode())
        xmp.Type, xmp.Subtype = pikepdf.Name.Metadata, pikepdf.Name.XML
        pdf.Root.Metadata = pdf.make_indirect(xmp)
        out = io.BytesIO()
        pdf.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.preserve)
    return out.getvalue()
