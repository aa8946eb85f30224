"""What must hold at the end of the story, whatever was told: each check says what is sound, or raises a Fault."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from decabilld.demo.api import Fault
from decabilld.demo.story import Story
from decabilld.demo.subprocess_daemon import RunningDaemon
from decabilld.demo.world import CENT, Tenant


def check(daemon: RunningDaemon, story: Story) -> Iterator[str]:
    """Runs the checks one by one; yields what each found sound. Raises Fault at the first that fails."""
    for tenant in story.tenants:
        yield _numbers(tenant, story.year)
        yield _positions(tenant)
    for tenant in story.tenants:
        yield _nothing_more(tenant, story)
    for command in ("verify-journal", "verify-books"):
        yield from _verified(daemon, command)


def keep_documents(tenant: Tenant, directory: Path) -> list[Path]:
    """Fetch every invoice and credit note into `directory`; the files.

    Raises Fault for one that isn't the same twice.
    """
    directory.mkdir(parents=True, exist_ok=True)
    kept = []
    for invoice in tenant.invoices():
        path = f"/admin/billing/invoices/{invoice['id']}"
        wanted = {invoice["invoiceNumber"]: f"{path}/pdf"}
        if invoice["canDownloadVoidDocument"]:
            wanted[invoice["voidDocumentNumber"]] = f"{path}/void-document/pdf"
        for number, source in wanted.items():
            content = tenant.admin.file(source)
            if not content.startswith(b"%PDF-") or content != tenant.admin.file(source):
                raise Fault(f"{tenant.name}: the document {number} is not one PDF, the same each time")
            kept.append(directory / f"{number}.pdf")
            kept[-1].write_bytes(content)
    return kept


def _numbers(tenant: Tenant, year: int) -> str:
    numbers = sorted(invoice["invoiceNumber"] for invoice in tenant.invoices())
    wanted = [f"INV-{year}-{count:05}" for count in range(1, len(numbers) + 1)]
    _demand(numbers == wanted, f"{tenant.name}: invoice numbers are {', '.join(numbers)}")
    return f"{tenant.name}: {len(numbers)} invoices, {numbers[0]} to {numbers[-1]} without a gap"


def _positions(tenant: Tenant) -> str:
    """Every line is one position that was claimed once; nothing is left over; sums are those of the lines."""
    claimed: list[str] = []
    total = voided = Decimal(0)
    for invoice in tenant.invoices():
        number = invoice["invoiceNumber"]
        detail = tenant.admin.get(f"/admin/billing/invoices/{invoice['id']}")
        facts = next(
            entry["context"] for entry in tenant.audit_log(invoice["id"]) if entry["process"] == "invoice.issue"
        )
        claimed += facts["positions"]
        lines = detail["lineItems"]
        _demand(len(lines) == len(facts["positions"]), f"{tenant.name}: {number} has lines without positions")
        for part, column in (("subtotalNet", "lineNet"), ("taxTotal", "lineTax"), ("totalGross", "lineGross")):
            added_up = sum(line[column] for line in lines)
            _demand(added_up == detail[part], f"{tenant.name}: {part} of {number} is not the sum of its lines")
        _demand(
            CENT * facts["gross_minor"] == detail["totalGross"], f"{tenant.name}: {number} differs from its journal"
        )
        total += detail["totalGross"]
        voided += detail["totalGross"] if invoice["status"] == "void" else 0
    _demand(len(set(claimed)) == len(claimed), f"{tenant.name}: a position was billed twice")
    unbilled = tenant.admin.get("/admin/billing/summary")["unbilledTotal"]
    _demand(unbilled == 0, f"{tenant.name}: {unbilled} EUR are not billed")
    return f"{tenant.name}: {len(claimed)} positions, each on one line of one invoice, {total:,.2f} EUR gross" + (
        f", {voided:,.2f} of it voided" if voided else ""
    )


def _nothing_more(tenant: Tenant, story: Story) -> str:
    before = [invoice["id"] for invoice in tenant.invoices()]
    tenant.walk(story.end)
    run = tenant.bill_now()
    _demand(run["userCount"] == 0, f"{tenant.name}: {run['userCount']} customers would be billed once more")
    _demand([invoice["id"] for invoice in tenant.invoices()] == before, f"{tenant.name}: an invoice came late")
    return f"{tenant.name}: nothing more would be billed"


def _verified(daemon: RunningDaemon, command: str) -> list[str]:
    """What one of the daemon's own audits says, a line for each tenant."""
    code, said = daemon.command(command)
    _demand(code == 0, f"{command}: {said}")
    return [f"{line} (decabilld {command})" for line in said.splitlines()]


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Fault(otherwise)
