"""Stories of the files that customers get: really typeset, by the daemon's own processes, and read as they arrive."""

from typing import Any

from tests.harness import documents
from tests.harness.daemons import RunningDaemon
from tests.harness.people import Admin
from tests.stories.conftest import StartDaemon
from tests.stories.test_manual_invoices import drafts, issues, line


def text_of(file: bytes) -> str:
    return " ".join(documents.pages(file))


async def downloaded(admin: Admin, invoice_id: str, document: str = "pdf") -> bytes:
    file: bytes = await admin.get(f"/admin/billing/invoices/{invoice_id}/{document}")
    assert documents.file_faults(file) == []
    return file


async def moved_before_the_void(daemon: RunningDaemon, admin: Admin) -> tuple[Any, bytes, bytes]:
    """Anna is invoiced in Berlin, moves to Hamburg and marries, and the invoice is voided: its two documents."""
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna", vatId="DE811115368", company="Muster KG")
    subscription = await anna.orders(await admin.plan("Server", "1234.50"))
    await admin.move_to("2024-02-10 23:59")
    (invoice,) = await anna.invoices(subscription)
    issued = await downloaded(admin, invoice["id"])
    await anna.post("/customer-profile", {"addressLine1": "Neue Straße 9", "city": "Hamburg", "lastName": "Neumann",
                                          "company": "Neumann GmbH", "vatId": None})  # fmt: skip
    await admin.move_to("2024-03-01 12:00")
    await admin.voids(invoice["id"])
    note = await downloaded(admin, invoice["id"], "void-document/pdf")
    assert await anna.get(f"/invoices/ref/{invoice['id']}/void-document/pdf") == note
    assert await anna.get(f"/invoices/ref/{invoice['id']}/pdf") == issued
    await admin.move_to("2024-03-11 00:00")
    _, second = await anna.invoices(subscription)
    assert "Neumann GmbH" in text_of(await downloaded(admin, second["id"]))
    return invoice, issued, note


async def test_a_credit_note_keeps_the_address_that_the_invoice_was_sent_to(start_daemon: StartDaemon) -> None:
    daemon = await start_daemon(typeset=True)
    invoice, issued, note = await moved_before_the_void(daemon, await daemon.admin())
    for file in (issued, note):
        text = text_of(file)
        assert "Muster KG Anna Muster Weg 7 10115 Berlin" in text
        assert "DE811115368" in text
        for later in ("Hamburg", "Neumann", "Neue Straße"):
            assert later not in text
    number = invoice["invoiceNumber"]
    assert f"This credit note cancels invoice {number} of 2024-02-10 in full." in text_of(note)
    assert "Credit note date 2024-03-01" in text_of(note)
    assert documents.amounts(documents.xml_of(note)) == documents.amounts(documents.xml_of(issued))


async def test_a_lost_file_is_made_again_to_the_byte(start_daemon: StartDaemon) -> None:
    daemon = await start_daemon(typeset=True)
    admin = await daemon.admin()
    await admin.move_to("2024-03-01 09:00")
    anna = await admin.customer("anna")
    made = await issues(admin, await drafts(admin, anna, line("Traffic, GB", "1234.5678", "0.0345"),
                                            line("Print", "3", "1.005", taxCategory="reduced")))  # fmt: skip
    before = await downloaded(admin, made["id"])
    for file in daemon.settings.documents_path.rglob("*.pdf"):
        file.unlink()
    await admin.marks_paid(made["id"])
    await anna.fills_in_profile(city="Ulm")
    assert await downloaded(admin, made["id"]) == before
