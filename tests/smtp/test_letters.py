"""What a mail says, and that nothing which users or operators type becomes a header or markup."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from decabilld.gateways.smtp.letters import SUBJECTS, Letterhead, letter
from decabilld.mail_setup import letterhead
from decabilld.settings import load
from tests.smtp.post_office import text_of

HEAD = Letterhead(
    sender_name="Seller GmbH",
    sender="billing@seller.example",
    company="Seller GmbH",
    lines=("Seller GmbH · Hauptstraße 1, 04109 Leipzig, DE", "HRB 1 Leipzig"),
)
UNTIL = datetime(2026, 11, 22, 17, 5, tzinfo=UTC)


def received(head: Letterhead = HEAD, **changes: Any) -> EmailMessage:
    """As the other side reads it."""
    wanted: dict[str, Any] = {
        "template": "confirm_email",
        "effect_id": "019968a0-0000-7000-8000-000000000001",
        "to": "anna@example.com",
        "code": "ABC123",
        "expires_at": UNTIL,
        "zone": ZoneInfo("Europe/Berlin"),
    }
    message = message_from_bytes(bytes(letter(**{**wanted, **changes}, head=head)), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize("template", list(SUBJECTS))
@pytest.mark.parametrize("kind", ["plain", "html"])
def test_each_letter_tells_the_code_its_end_and_who_writes(template: str, kind: str) -> None:
    words = text_of(received(template=template), kind)
    for expected in ("ABC123", "22 November 2026, 18:05 (Europe/Berlin)", "Hauptstraße 1", "HRB 1 Leipzig"):
        assert expected in words
    assert words.count("Seller GmbH") == 2, "as header and in the footer"


def test_the_headers_are_whole() -> None:
    message = received()
    assert message["From"] == "Seller GmbH <billing@seller.example>"
    assert message["To"] == "anna@example.com"
    assert message["Subject"] == "Confirm your e-mail address - Seller GmbH"
    assert message["Message-ID"] == "<019968a0-0000-7000-8000-000000000001@seller.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.tzinfo is not None
    assert "ABC123" not in str(message["Subject"]), "subjects are shown on locked screens and kept in logs"


def test_a_repeated_mail_is_known_by_its_id() -> None:
    assert received()["Message-ID"] == received(code="XYZ789")["Message-ID"]


@pytest.mark.parametrize("name", ["Seller\r\nBcc: eve@evil.example", "Seller\nX-Evil: 1"])
def test_no_name_begins_another_header(name: str) -> None:
    message = received(replace(HEAD, sender_name=name, company=name))
    assert message["Bcc"] is None
    assert message["X-Evil"] is None


@pytest.mark.parametrize(
    "address", ["anna@example.com\r\nBcc: eve@evil.example", "anna@example.com, eve@evil.example", "anna"]
)
def test_no_address_begins_another_header_or_recipient(address: str) -> None:
    with pytest.raises(ValueError):
        received(to=address)


def test_no_name_becomes_markup() -> None:
    words = text_of(received(replace(HEAD, company="<b>Seller & Söhne</b>", lines=("<script>",))), "html")
    assert "&lt;b&gt;Seller &amp; Söhne" in words
    assert "<script>" not in words


def test_the_letterhead_falls_back_to_the_issuer() -> None:
    issuer = {
        "SMTP_HOST": "mail.example",
        "BILLING_ISSUER_NAME": "Seller GmbH",
        "BILLING_ISSUER_ADDRESS_LINE1": "Hauptstraße 1",
        "BILLING_ISSUER_POSTAL_CODE": "04109",
        "BILLING_ISSUER_CITY": "Leipzig",
        "BILLING_ISSUER_COUNTRY": "DE",
        "BILLING_ISSUER_VAT_ID": "DE1",
        "BILLING_ISSUER_EMAIL": "billing@seller.example",
    }
    head = letterhead(load(issuer))
    assert (head.sender_name, head.sender, head.reply_to) == ("Seller GmbH", "billing@seller.example", None)
    assert head.lines == (
        "Seller GmbH · Hauptstraße 1, 04109 Leipzig, DE",
        "billing@seller.example",
        "VAT ID DE1",
    )
    named = letterhead(
        load(
            {
                **issuer,
                "EMAIL_FROM": "Robot <no-reply@mail.example>",
                "EMAIL_COMPANY_NAME": "Shop",
                "EMAIL_COMPANY_ADDRESS": "Weg 7",
            }
        )
    )
    assert (named.sender_name, named.sender, named.company) == ("Robot", "no-reply@mail.example", "Shop")
    assert named.reply_to == "billing@seller.example"
    assert named.lines[0] == "Shop · Weg 7"
