"""The XML of an invoice: sound by the official rules, and stating what the invoice states."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from lxml import etree
from msgspec.structs import replace

from decabilld.domain.entities import Invoice
from decabilld.gateways.documents import cii
from decabilld.gateways.documents.document import DocumentImpossible, Kind, read
from tests.documents.en16931 import RULES, faults
from tests.documents.examples import BERLIN, SHAPES, invoice

NAMESPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
}


def xml_of(example: Invoice, kind: Kind = "invoice", zone: ZoneInfo = BERLIN) -> bytes:
    return cii.build_cii(read(example, kind, zone))


def told(xml: bytes, path: str) -> list[str]:
    """The texts at a path whose steps, but for the first, are of the `ram` namespace."""
    steps = "/".join(step if ":" in step or step in ("", ".", "..") else f"ram:{step}" for step in path.split("/"))
    return [element.text or "" for element in etree.fromstring(xml).iterfind(f".//{steps}", NAMESPACES)]


@pytest.mark.parametrize("kind", ["invoice", "credit_note"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_official_rules_find_nothing(shape, kind):
    assert faults(xml_of(SHAPES[shape], kind)) == []


def test_the_official_rules_would_find_a_cent_too_many():
    xml = xml_of(invoice())
    wrong = xml.replace(b"<ram:GrandTotalAmount>58.31<", b"<ram:GrandTotalAmount>58.32<")
    assert wrong != xml
    assert any("BR-CO-15" in fault for fault in faults(wrong))


def test_the_schema_that_is_checked_when_rendering_is_the_published_one():
    ours = {path.name: path.read_bytes() for path in (cii._HERE / "assets" / "xsd").iterdir()}
    assert ours == {path.name: path.read_bytes() for path in RULES.glob("*.xsd")}


def test_a_document_that_breaks_the_schema_is_never_made():
    broken = replace(read(invoice(), "invoice", BERLIN), taxes=())
    with pytest.raises(DocumentImpossible, match="breaks the EN 16931 schema"):
        cii.build_cii(broken)


def test_a_credit_note_names_its_invoice_and_has_the_same_positive_amounts():
    xml = xml_of(invoice(), "credit_note")
    assert told(xml, "rsm:ExchangedDocument/TypeCode") == ["381"]
    assert told(xml, "rsm:ExchangedDocument/ID") == ["INV-2026-00042-CN"]
    assert told(xml, "IssueDateTime/udt:DateTimeString") == ["20260203"]
    assert told(xml, "InvoiceReferencedDocument/IssuerAssignedID") == ["INV-2026-00042"]
    assert told(xml, "InvoiceReferencedDocument/FormattedIssueDateTime/qdt:DateTimeString") == ["20260201"]
    assert told(xml, "GrandTotalAmount") == told(xml_of(invoice()), "GrandTotalAmount") == ["58.31"]
    assert told(xml, "IBANID") == [], "nobody is asked to pay a credit note"


def test_an_invoice_asks_for_a_sepa_transfer_with_its_number_as_reference():
    xml = xml_of(invoice())
    assert told(xml, "rsm:ExchangedDocument/TypeCode") == ["380"]
    assert told(xml, "SpecifiedTradeSettlementPaymentMeans/TypeCode") == ["58"]
    assert told(xml, "IBANID") == ["DE89370400440532013000"]
    assert told(xml, "BICID") == ["COBADEFFXXX"]
    assert told(xml, "PaymentReference") == ["INV-2026-00042"]
    assert told(xml, "DueDateDateTime/udt:DateTimeString") == ["20260215"]
    assert told(xml, "InvoiceReferencedDocument") == []


def test_days_are_those_of_the_billing_zone_and_the_last_one_is_included():
    january = invoice()  # from local midnight to local midnight, which is 23:00 the day before in UTC
    path = "ApplicableHeaderTradeSettlement/BillingSpecifiedPeriod/{}DateTime/udt:DateTimeString"
    assert told(xml_of(january), path.format("Start")) == ["20260101"]
    assert told(xml_of(january), path.format("End")) == ["20260131"]
    utc = xml_of(january, zone=ZoneInfo("UTC"))
    assert told(utc, path.format("Start")) == ["20251231"]


def test_a_period_of_an_hour_is_one_day():
    hour = invoice()
    start = datetime(2026, 1, 15, 10, tzinfo=UTC)
    hour = replace(hour, lines=(replace(hour.lines[0], period_start=start, period_end=start.replace(hour=11)),))
    line = "SpecifiedLineTradeSettlement/BillingSpecifiedPeriod/{}DateTime/udt:DateTimeString"
    assert told(xml_of(hour), line.format("Start")) == told(xml_of(hour), line.format("End")) == ["20260115"]


@pytest.mark.parametrize(
    ("rates", "codes"),
    [(("19", "7"), ["S", "S"]), (("19", "0"), ["S", "Z"]), (("0", "0"), ["Z"]), (("19", "19"), ["S"])],
)
def test_a_rate_of_zero_is_zero_rated_and_equal_rates_are_one_group(rates, codes):
    xml = xml_of(invoice([("a", "1", "10", "standard"), ("b", "1", "5", "reduced")], rates=rates))
    assert told(xml, "ApplicableHeaderTradeSettlement/ApplicableTradeTax/CategoryCode") == codes


def test_a_negative_price_becomes_a_negative_quantity():
    xml = xml_of(SHAPES["discounted to zero"])
    assert told(xml, "ChargeAmount") == ["20.00", "20.00"]
    assert told(xml, "BilledQuantity") == ["1", "-1"]


def test_what_the_buyer_calls_a_vat_id_is_kept_as_a_note_when_it_is_none():
    assert told(xml_of(SHAPES["buyer's VAT id with ornaments"]), "BuyerTradeParty/SpecifiedTaxRegistration/ID") == [
        "ATU12345678"
    ]
    xml = xml_of(SHAPES["buyer's VAT id is none"])
    assert told(xml, "BuyerTradeParty/SpecifiedTaxRegistration/ID") == []
    assert told(xml, "IncludedNote/Content") == ["VAT ID as the buyer states it: 12 34/ab"]


def test_characters_that_xml_lacks_are_left_out_and_markup_is_text():
    (name,) = told(xml_of(SHAPES["hostile text"]), "BuyerTradeParty/Name")
    assert name.startswith('O\'Brien <b>&amp; "Co"</b> 東京')
    assert "evil é" in name
    assert told(xml_of(SHAPES["nothing but control characters"]), "BuyerTradeParty/Name") == ["-"]


def test_nothing_that_happens_after_the_issue_changes_the_document():
    issued = replace(invoice(), status="issued", voided_at=None, credit_note_number=None, credit_note_date=None)
    paid = replace(issued, status="paid", paid_minor=5831, balance_minor=0, paid_at=issued.issued_at)
    assert xml_of(paid) == xml_of(issued) == xml_of(invoice())
    assert told(xml_of(paid), "DuePayableAmount") == ["58.31"]


def test_a_number_read_back_with_more_zeros_is_the_same_number():
    fresh = invoice()
    stored = replace(
        fresh,
        lines=tuple(
            replace(
                line,
                quantity=line.quantity + Decimal("0.0000"),
                unit_price_net=line.unit_price_net + Decimal("0.0000"),
                tax_rate=line.tax_rate + Decimal("0.00"),
            )
            for line in fresh.lines
        ),
    )
    assert xml_of(stored) == xml_of(fresh)


@pytest.mark.parametrize("kind", ["invoice", "credit_note"])
def test_a_draft_has_no_document(kind):
    draft = replace(
        invoice(), status="draft", number=None, issue_date=None, credit_note_number=None, credit_note_date=None
    )
    with pytest.raises(DocumentImpossible, match="has no"):
        read(draft, kind, BERLIN)
