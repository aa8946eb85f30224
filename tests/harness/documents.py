"""What must be true of every document that a test makes: the daemon's own code makes the file anew, and it is read.

XSD and schematron look at the XML that is attached to the PDF; the page must show each amount as often as the XML
states it. Documents that say the same but for the buyer's id are looked at once per test process, and of those with
more than `LONG` lines, which take seconds, one of each shape. Beyond `ENDLESS` lines only the XSD looks at them.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from zoneinfo import ZoneInfo

import pikepdf
from lxml import etree
from pypdfium2 import PdfDocument

from decabilld.domain.entities import Invoice
from decabilld.gateways.documents import pdf
from decabilld.gateways.documents.cii import build_cii
from decabilld.gateways.documents.document import Kind, read
from tests.documents import en16931

LONG, ENDLESS = 100, 1_000
_RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
_STATED = (
    "NetPriceProductTradePrice/ChargeAmount",
    "SpecifiedLineTradeSettlement//LineTotalAmount",
    "ApplicableHeaderTradeSettlement/ApplicableTradeTax/CalculatedAmount",
    "ApplicableHeaderTradeSettlement/ApplicableTradeTax/BasisAmount",
    "SpecifiedTradeSettlementHeaderMonetarySummation/LineTotalAmount",
    "SpecifiedTradeSettlementHeaderMonetarySummation/GrandTotalAmount",
)
_AMOUNT = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_sound: set[bytes] = set()


def faults(invoice: Invoice, zone: ZoneInfo) -> list[str]:
    """Of an issued invoice's document, and of its credit note's if it is void."""
    return [f"{invoice.number}, {kind}: {fault}" for kind in _kinds(invoice) for fault in _faults(invoice, kind, zone)]


def file_faults(file: bytes) -> list[str]:
    """Of a document as a file."""
    xml = xml_of(file)
    shown, stated = Counter(_AMOUNT.findall(" ".join(pages(file)))), Counter(f"{amount:,f}" for amount in amounts(xml))
    return [*en16931.faults(xml), *(f"the page lacks {amount}" for amount in (stated - shown).elements())]


def pages(file: bytes) -> list[str]:
    """The text of each."""
    with PdfDocument(file) as opened:
        return [re.sub(r"\s+", " ", page.get_textpage().get_text_range()) for page in opened]


def xml_of(file: bytes) -> bytes:
    """What is attached to it."""
    with pikepdf.open(io.BytesIO(file)) as opened:
        return opened.attachments["factur-x.xml"].get_file().read_bytes()


def amounts(xml: bytes) -> list[Decimal]:
    """Each line's price and net, each tax and what it is on, net and gross of all."""
    tree = etree.fromstring(xml)
    paths = (".//" + re.sub(r"\w+", lambda name: _RAM + name[0], path) for path in _STATED)
    return [Decimal(found.text or "") for path in paths for found in tree.iterfind(path)]


def _kinds(invoice: Invoice) -> Iterator[Kind]:
    if invoice.number:
        yield "invoice"
    if invoice.credit_note_number:
        yield "credit_note"


def _faults(invoice: Invoice, kind: Kind, zone: ZoneInfo) -> list[str]:
    xml = build_cii(read(invoice, kind, zone))  # refuses what breaks the XSD
    said = _shape(invoice, kind) if len(invoice.lines) > LONG else xml.replace(invoice.user_id.encode(), b"")
    if said in _sound or len(invoice.lines) > ENDLESS:
        return []
    found = file_faults(pdf.render(invoice, kind, zone))
    if not found:
        _sound.add(said)
    return found


def _shape(invoice: Invoice, kind: Kind) -> bytes:
    rates = [(group.tax_category, str(group.tax_rate)) for group in invoice.tax_groups]
    return repr((kind, invoice.currency, invoice.origin, rates)).encode()
