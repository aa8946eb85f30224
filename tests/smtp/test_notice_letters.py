"""What each notice says: the amounts to the cent, the days of the billing zone, no name that becomes markup."""

from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from decabilld.actors.ports import GivenUp
from decabilld.gateways.smtp.letters import Attachment
from decabilld.gateways.smtp.notice_letters import SUBJECTS, notice_letter
from decabilld.gateways.smtp.notice_mail import NoticeMail
from decabilld.gateways.smtp.server import MailServer
from decabilld.messages.effects import InvoiceFacts, MailDocument, SendNotice, SubscriptionFacts
from tests.smtp.post_office import text_of
from tests.smtp.test_letters import HEAD

OWED = InvoiceFacts(
    number="INV-2026-00007",
    currency="EUR",
    total_minor=123_456,
    balance_minor=123_456,
    due_date=date(2026, 12, 6),
)
RUNNING = SubscriptionFacts(
    number="SUB-000042",
    plan_name="Größe <M> & Co",
    price_minor=1_999,
    currency="EUR",
    interval="month",
    interval_count=3,
    at=datetime(2026, 11, 30, 23, 30, tzinfo=UTC),
)
ABOUT_INVOICES = {"invoice_issued", "invoice_voided", "payment_succeeded", "payment_failed", "invoice_overdue"}


def told(template: Any, facts: Any = None, pdf: Attachment | None = None, **fields: Any) -> EmailMessage:
    """As the customer's side reads it."""
    wanted: dict[str, Any] = {
        "id": "019968a0-0000-7000-8000-000000000001",
        "template": template,
        "to": "zoë@bücher.example",
        "name": "Zoë Müller",
        "user_id": "019968a0-0000-7000-8000-000000000002",
        "facts": facts or (OWED if template in ABOUT_INVOICES else RUNNING),
        **fields,
    }
    notice = SendNotice(**wanted)
    letter = notice_letter(notice, head=HEAD, zone=ZoneInfo("Europe/Berlin"), attachment=pdf)
    message = message_from_bytes(bytes(letter), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def owed(**fields: Any) -> InvoiceFacts:
    return InvoiceFacts(**{name: getattr(OWED, name) for name in OWED.__struct_fields__} | fields)


@pytest.mark.parametrize("template", list(SUBJECTS))
@pytest.mark.parametrize("kind", ["plain", "html"])
def test_each_letter_greets_names_its_subject_and_who_writes(template: str, kind: str) -> None:
    words = text_of(told(template), kind)
    number = "INV-2026-00007" if template in ABOUT_INVOICES else "SUB-000042"
    for expected in ("Hello Zoë Müller,", number, "Hauptstraße 1", "HRB 1 Leipzig"):
        assert expected in words
    assert "{" not in words.partition("<body")[2 if kind == "html" else 0]
    assert "\n\n\n\n" not in words.replace("\r", ""), "no hole where a sentence was left out"


@pytest.mark.parametrize("template", list(SUBJECTS))
def test_each_subject_is_short_and_in_the_sellers_name(template: str) -> None:
    subject = str(told(template)["Subject"])
    assert subject.endswith(" - Seller GmbH")
    assert "{" not in subject
    assert len(subject) < 78


@pytest.mark.parametrize(
    ("template", "facts", "sentence"),
    [
        ("invoice_issued", OWED, "Please pay 1,234.56 EUR by 6 December 2026."),
        ("invoice_issued", owed(balance_minor=0, total_minor=0), "There is nothing to pay."),
        ("invoice_voided", owed(credit_note_number="INV-2026-00007-CN"), "Nothing is owed of this invoice any more."),
        (
            "payment_succeeded",
            owed(amount_minor=123_456, balance_minor=0),
            "we have received your payment of 1,234.56 EUR for invoice INV-2026-00007. The invoice is paid in full.",
        ),
        ("payment_succeeded", owed(amount_minor=100_000, balance_minor=23_456), "234.56 EUR of it is still owed."),
        ("payment_failed", owed(amount_minor=5), "your payment of 0.05 EUR for invoice"),
        ("invoice_overdue", OWED, "was due on 6 December 2026, and we have not seen a payment"),
        ("invoice_issued", owed(currency="JPY"), "Please pay 123,456 JPY by"),
        ("renewal_reminder", RUNNING, "its next period begins on 1 December 2026."),
        ("cancel_scheduled", RUNNING, "It ends on 1 December 2026, 00:30 (Europe/Berlin)."),
        ("subscription_ended", RUNNING, "ended on 1 December 2026, 00:30 (Europe/Berlin)."),
        ("subscription_ordered", RUNNING, "Price: 19.99 EUR net every 3 months"),
        ("order_refused", RUNNING, "nothing is charged for it."),
        ("order_cancelled", RUNNING, "It never began, and nothing is charged for it."),
    ],
)
def test_amounts_are_exact_and_days_are_the_billing_zones(template: str, facts: Any, sentence: str) -> None:
    assert sentence in " ".join(text_of(told(template, facts)).split())


def test_the_server_is_named() -> None:
    facts = SubscriptionFacts(
        **{name: getattr(RUNNING, name) for name in RUNNING.__struct_fields__}
        | {"hostname": "m1.example.com", "address": "203.0.113.7"}
    )
    words = text_of(told("server_ready", facts))
    assert "Server: m1.example.com" in words
    assert "IP address: 203.0.113.7" in words


def test_names_become_neither_markup_nor_headers() -> None:
    facts = SubscriptionFacts(
        **{name: getattr(RUNNING, name) for name in RUNNING.__struct_fields__}
        | {"plan_name": "M\r\nBcc: eve@evil.example\n\n<script>"}
    )
    message = told("renewal_reminder", facts, name="<b>\r\nX-Evil: 1")
    assert message["Bcc"] is None
    assert message["X-Evil"] is None
    words = text_of(message, "html")
    assert "<script>" not in words
    assert "&lt;script&gt;" in words
    assert "Hello &lt;b&gt; X-Evil: 1," in words


def test_an_address_beyond_ascii_stays_as_it_is() -> None:
    assert told("invoice_overdue")["To"] == "zoë@xn--bcher-kva.example"


def test_the_document_comes_along_under_its_number() -> None:
    content = b"%PDF-1.7 " + bytes(range(256)) * 200
    message = told("invoice_issued", pdf=Attachment("INV-2026-00007.pdf", content))
    (attached,) = message.iter_attachments()
    assert attached.get_content_type() == "application/pdf"
    assert attached.get_filename() == "INV-2026-00007.pdf"
    assert attached.get_content() == content


def test_a_repeated_mail_is_known_by_its_id() -> None:
    again = MailDocument(
        id="019968a0-0000-7000-8000-000000000001",
        template="invoice_issued",
        to="a@b.example",
        user_id="u",
        invoice_id="i",
        document="invoice",
        facts=OWED,
    )
    letters = [notice_letter(again, head=HEAD, zone=ZoneInfo("UTC")) for _ in range(2)]
    assert letters[0]["Message-ID"] == letters[1]["Message-ID"] == f"<{again.id}@seller.example>"


async def test_an_address_that_no_header_holds_is_given_up() -> None:
    mail = NoticeMail(MailServer(host="127.0.0.1", port=9, security="none"), HEAD, zone=ZoneInfo("UTC"))
    notice = SendNotice(id="i", template="invoice_overdue", to="anna at home", user_id="u", facts=OWED)
    with pytest.raises(GivenUp, match="no mail can be written to this address"):
        await mail.send("default", notice)
