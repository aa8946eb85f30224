"""The document as a page: PDF/A-3b with the XML inside (ZUGFeRD/Factur-X, profile EN 16931), typeset by typst.

Owns the file and its metadata; what the page shows is `page`'s, its layout `invoice.typ`'s. The same document gives
the same bytes in any process and on any day, as long as typst and pikepdf are the same.
"""

import io
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pikepdf
import typst

from decabilld.domain.entities import Invoice
from decabilld.gateways.documents.cii import build_cii
from decabilld.gateways.documents.document import Kind, read
from decabilld.gateways.documents.page import Page, bare, page, shown

_HERE = Path(__file__).parent


def render(invoice: Invoice, kind: Kind, zone: ZoneInfo) -> bytes:
    """The document as a file. Raises `DocumentImpossible` for one that can't be."""
    document = read(invoice, kind, zone)
    content, xml = page(document), build_cii(document)
    try:
        typeset = _typeset(shown(content), xml, document.issued)
    except typst.TypstError:  # a sign whose accent only another font has; without accents every sign stands alone
        typeset = _typeset(shown(bare(content)), xml, document.issued)
    return _with_factur_x_metadata(typeset)


def _typeset(content: Page, xml: bytes, day: date) -> bytes:
    pages = _compiler().compile(
        format="pdf",
        sys_inputs={"page": msgspec.json.encode(content).decode(), "xml": xml.decode()},
        pdf_standards="a-3b",
        pdf_tags=False,
        timestamp=int(datetime.combine(day, time(), UTC).timestamp()),
    )
    assert isinstance(pages, bytes), "a PDF is one file"
    return pages


@cache
def _compiler() -> typst.Compiler:
    """Kept for the life of the process: fonts and template are read once. Only a file path works more than once."""
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[_HERE / "assets" / "fonts"]
    )
    return typst.Compiler(_HERE / "invoice.typ", root=_HERE, font_paths=fonts)


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
