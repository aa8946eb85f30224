"""The file: PDF/A-3b with the XML in it, the same amounts on the page, the same bytes every time."""

import io
import random
import re
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import msgspec
import pikepdf
import pytest
from fontTools.ttLib import TTFont
from msgspec.structs import replace

from decabilld.gateways.documents import page, pdf
from decabilld.gateways.documents.cii import build_cii
from decabilld.gateways.documents.document import read
from decabilld.gateways.documents.worker import Order
from tests.documents.examples import BERLIN, COMPANY, SELLER, SHAPES, invoice
from tests.documents.pdfa import PdfA
from tests.harness.documents import pages

FACTUR_X = "{urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#}"


@pytest.mark.parametrize("kind", ["invoice", "credit_note"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_file_is_pdf_a_3b_and_factur_x(shape, kind):
    checked = PdfA(pdf.render(SHAPES[shape], kind, BERLIN))
    assert checked.faults == []
    assert checked.xmp[FACTUR_X + "ConformanceLevel"] == "EN 16931"
    assert checked.xmp[FACTUR_X + "DocumentFileName"] == "factur-x.xml"


def test_the_xml_is_attached_as_an_alternative():
    file = pikepdf.open(io.BytesIO(pdf.render(invoice(), "invoice", BERLIN)))
    (attached,) = file.Root.AF
    assert attached.UF == "factur-x.xml"
    assert attached.AFRelationship == pikepdf.Name.Alternative
    assert attached.EF.F.Subtype == pikepdf.Name("/text/xml")
    assert attached.EF.F.read_bytes() == build_cii(read(invoice(), "invoice", BERLIN))
    assert list(file.attachments) == ["factur-x.xml"]


@pytest.mark.parametrize("kind", ["invoice", "credit_note"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_page_shows_every_amount_of_the_xml(shape, kind):
    document = read(SHAPES[shape], kind, BERLIN)
    shown = " ".join(pages(pdf.render(SHAPES[shape], kind, BERLIN)))
    amounts = [document.net, document.gross, *(line.net for line in document.lines)]
    amounts += [amount for tax in document.taxes for amount in (tax.net, tax.tax)]
    assert [amount for amount in amounts if f"{amount:,f}" not in shown] == []
    assert f"Total {document.currency} {document.gross:,f}" in shown
    assert document.title in shown


def test_an_invoice_says_all_that_a_buyer_needs():
    (text,) = pages(pdf.render(invoice(), "invoice", BERLIN))
    for part in (
        "Nordlicht Hosting GmbH · Käthe-Kollwitz-Straße 12 · 04109 Leipzig",
        "Müller & Söhne Maschinenbau GmbH Anke Müller Hafenstraße 7 Gebäude C, 3. Stock 1010 Wien Austria",
        "Invoice date 2026-02-01",
        "Due date 2026-02-15",
        "Service period 2026-01-01 to 2026-01-31",
        "Your VAT ID ATU12345678",
        "VAT 19 % on 49.00 9.31",
        "Please pay EUR 58.31 by 2026-02-15, quoting INV-2026-00042.",
        "IBAN DE89 3704 0044 0532 0130 00",
        "HRB 12345, Amtsgericht Leipzig Managing director: Johanna Weiß VAT ID: DE123456789",
        "Page 1 of 1",
    ):
        assert part in text


def test_a_credit_note_says_which_invoice_it_cancels_and_asks_for_nothing():
    (text,) = pages(pdf.render(invoice(), "credit_note", BERLIN))
    assert "Credit note INV-2026-00042-CN" in text
    assert "This credit note cancels invoice INV-2026-00042 of 2026-02-01 in full." in text
    assert "Nothing is to be paid" in text
    assert "IBAN" not in text
    assert "Please pay" not in text


def test_a_long_table_goes_over_pages_that_each_say_what_they_belong_to():
    parts = pages(pdf.render(SHAPES["sixty lines"], "invoice", BERLIN))
    assert len(parts) == 3
    for number, text in enumerate(parts, 1):
        assert f"Page {number} of 3" in text
        assert "Invoice INV-2026-00042" in text
        assert "Pos. Description Quantity" in text
    assert "Net total" in parts[-1]
    assert "Total EUR" in parts[-1]


def test_the_same_invoice_gives_the_same_bytes_in_another_process_zone_and_second(tmp_path):
    here = pdf.render(SHAPES["hostile text"], "invoice", BERLIN)
    assert pdf.render(SHAPES["hostile text"], "invoice", BERLIN) == here
    time.sleep(1)
    order = tmp_path / "order"
    order.write_bytes(msgspec.msgpack.encode(Order(SHAPES["both categories"], "invoice", BERLIN.key)))
    script = (
        "import msgspec, sys, pathlib; from zoneinfo import ZoneInfo\n"
        "from decabilld.gateways.documents import pdf, worker\n"
        "o = msgspec.msgpack.decode(pathlib.Path(sys.argv[1]).read_bytes(), type=worker.Order)\n"
        "sys.stdout.buffer.write(pdf.render(o.invoice, o.kind, ZoneInfo(o.zone)))"
    )
    there = subprocess.run(
        [sys.executable, "-c", script, str(order)], env={"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}, capture_output=True
    )
    assert there.returncode == 0, there.stderr
    assert there.stdout == pdf.render(SHAPES["both categories"], "invoice", BERLIN)


def test_the_file_knows_no_date_but_the_document_s():
    file = pikepdf.open(io.BytesIO(pdf.render(invoice(), "credit_note", BERLIN)))
    written = b"".join(thing.read_bytes() for thing in file.objects if isinstance(thing, pikepdf.Stream))
    dates = {str(file.docinfo[key])[:10] for key in ("/CreationDate", "/ModDate") if key in file.docinfo}
    assert dates == {"D:20260203"}
    assert str(file.Root.AF[0].EF.F.Params.ModDate).startswith("D:20260203")
    assert set(re.findall(rb"Date>(\d{4}-\d\d-\d\d)", written)) == {b"2026-02-03"}


def test_the_coverage_is_that_of_the_fonts():
    fonts = [TTFont(path) for path in page._COVERAGE.parent.glob("*.?tf")]
    has = {code for font in fonts for code in font.getBestCmap()}
    has = {code for code in has if code >= 32 and not 0xE000 <= code <= 0xF8FF and code < 0xF0000}
    ranges = [line.split("-") for line in page._COVERAGE.read_text().split()]
    listed = {code for first, last in ranges for code in range(int(first, 16), int(last, 16) + 1)}
    assert listed == has
    regular, bold = (
        set(TTFont(page._COVERAGE.parent / f"Inter-{w}.otf").getBestCmap()) for w in ("Regular", "SemiBold")
    )
    assert regular == bold, "what is shown in bold must be there in bold"


def test_characters_that_no_font_has_are_shown_as_a_square():
    thai = invoice(buyer=replace(COMPANY, name="ไทย Ltd, 東京 서울 \ue000"))
    assert "□□□ Ltd, 東京 서울 □" in pages(pdf.render(thai, "invoice", BERLIN))[0]


@pytest.mark.parametrize("seed", range(12))
def test_no_mixture_of_characters_breaks_pdf_a(seed):
    dice = random.Random(seed)
    ranges = [line.split("-") for line in page._COVERAGE.read_text().split()]
    known = [chr(code) for first, last in ranges for code in range(int(first, 16), int(last, 16) + 1)]
    marks = [c for c in known if unicodedata.combining(c)] + ["\u200d", "\u200c", "\ufe0f"]
    mixed = ["".join(dice.choice(known) + dice.choice([*marks[-40:], ""]) for _ in range(40)) for _ in range(12)]
    mixed.append("🂩\ufe2d")  # a sign and an accent that no font has both of
    example = invoice(
        [(text, "1", "5", "standard") for text in mixed],
        buyer=replace(COMPANY, name=mixed[0]),
        seller=replace(SELLER, name=mixed[1]),
    )
    assert PdfA(pdf.render(example, "invoice", BERLIN)).faults == []


def test_what_is_bundled_stays_small():
    assets = Path(pdf.__file__).parent / "assets"
    assert sum(path.stat().st_size for path in assets.rglob("*") if path.is_file()) < 3 * 2**20
