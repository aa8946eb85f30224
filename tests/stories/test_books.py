"""The audit itself: books that were tampered with are found out, by name, and sound ones pass on the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from decabilld.store import books
from decabilld.store.pool import Connection, connect
from tests.harness.people import Admin
from tests.stories.conftest import StartDaemon

TAMPERING = [
    ("UPDATE invoices SET subtotal_net_minor = subtotal_net_minor + 1, total_gross_minor = total_gross_minor + 1",
     "totals are not the sums"),
    ("UPDATE invoices SET lines = jsonb_set(lines, '{0,gross_minor}', '1')", "a line's gross"),
    ("UPDATE invoices SET lines = jsonb_set(lines, '{0,quantity}', '\"2\"')", "quantity times price"),
    ("UPDATE invoices SET tax_groups = jsonb_set(tax_groups, '{0,tax_minor}', '1')", "BR-CO-17"),
    ("UPDATE invoices SET tax_groups = '[]'", "a tax group is not the sum"),
    ("UPDATE invoices SET seller = NULL", "issued without parties"),
    ("UPDATE invoices SET credit_note_number = 'CN-1' WHERE status = 'void'", "a credit note without"),
    ("UPDATE invoices SET balance_minor = balance_minor - 1 WHERE status = 'overdue'", "balance is not gross minus"),
    ("UPDATE payments SET amount_minor = amount_minor - 1", "paid is not the sum"),
    ("DELETE FROM payments", "paid is not the sum"),
    ("UPDATE invoices SET status = 'issued', paid_at = NULL WHERE status = 'paid'", "status and amounts disagree"),
    ("ALTER TABLE positions DROP CONSTRAINT positions_charged_once; UPDATE positions SET period_start = '2024-01-10', "
     "source = '' WHERE kind = 'period'", "charged twice"),
    ("UPDATE positions SET net_minor = net_minor + 1", "a line and its position differ"),
    ("UPDATE positions SET net_minor = net_minor + 1", "is not its share"),
    ("UPDATE invoices SET subscription_ids = '{}'", "among its invoice's"),
    ("UPDATE positions SET invoice_id = NULL, closed_at = NULL", "a line and its position differ"),
    ("UPDATE positions SET invoice_id = (SELECT id FROM invoices LIMIT 1), closed_at = now() WHERE invoice_id IS NULL",
     "is not on exactly one invoice line"),
    ("UPDATE positions SET closed_at = now() WHERE invoice_id IS NULL", "closed without an invoice"),
    ("UPDATE positions SET user_id = (SELECT min(id::text)::uuid FROM users)", "another owner"),
    ("DELETE FROM positions WHERE period_start = '2024-02-10' AND kind = 'period'", "a gap or overlap"),
    ("UPDATE subscriptions SET charged_through = charged_through + interval '1 hour'", "charged through"),
    ("UPDATE usage_records SET position_id = NULL", "billed by no position"),
    ("UPDATE usage_records SET position_id = NULL", "of an ended subscription"),
    ("UPDATE subscriptions SET ended_at = NULL", "status and dates"),
    ("UPDATE invoices SET number = 'INV-2024-00009' WHERE number = 'INV-2024-00002'", "gaps or doubles"),
    ("UPDATE number_ranges SET last = last + 1 WHERE series = 'SUB'", "gaps or doubles"),
    ("UPDATE invoices SET number = 'INV-24-1' WHERE number = 'INV-2024-00002'", "not a number that we draw"),
    ("UPDATE invoices SET issue_date = '2023-12-31'", "another year"),
    ("UPDATE invoices SET issued_at = '2024-01-01' WHERE number = 'INV-2024-00002'", "before the number before it"),
    ("DELETE FROM journal WHERE kind = 'invoice.issued'", "in the journal as issued"),
    ("UPDATE journal SET data = jsonb_set(data, '{gross_minor}', '1') WHERE kind = 'invoice.issued'", "as issued"),
    ("DELETE FROM journal WHERE kind = 'invoice.voided'", "in the journal as voided"),
    ("DELETE FROM journal WHERE kind = 'position.accrued'", "in the journal as accrued"),
    ("DELETE FROM positions WHERE invoice_id IS NULL", "in the journal as accrued"),
    ("UPDATE tenant_heads SET seq = seq + 1", "the tenant's head"),
    ("DELETE FROM timetables", "not exactly one"),
    ("UPDATE timetables SET billing_date_done = '2024-12-24'", "before it has come"),
    ("INSERT INTO billing_runs SELECT 'default', gen_random_uuid(), 'running', '2024-01-01', '[]', NULL, NULL, 0, 0, "
     "0, 0, '[]', now(), now() FROM generate_series(1, 2)", "several scheduled runs"),
]  # fmt: skip


async def eventful_life(admin: Admin) -> None:
    """Invoices paid, void and issued, usage, a subscription that ended and one that goes on."""
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("M", "10.00"))
    ending = await anna.orders(await admin.plan("Ending", "31.00"))
    await admin.records_usage(ending, "2024-01-10 00:00", "2024-01-11 00:00", totalCost=3)
    await admin.move_to("2024-02-12 00:00")
    await anna.cancels(ending)
    await admin.move_to("2024-04-15 00:00")
    first, second, _ = await anna.invoices(subscription)
    await admin.marks_paid(first["id"])
    await admin.voids(second["id"])
    await admin.move_to("2024-05-10 00:00")


async def after(connection: Connection, tampering: str) -> list[str]:
    """The faults that tampering makes; it is taken back."""
    await connection.execute("BEGIN")
    await connection.execute("ALTER TABLE journal DISABLE TRIGGER journal_append_only")
    await connection.execute("SET LOCAL session_replication_role = replica")  # foreign keys don't stop a vandal
    await connection.execute(tampering.replace("%", "%%"))
    found = await books.faults(connection, "default")
    await connection.execute("ROLLBACK")
    return found


@pytest.fixture
async def connection(database: str) -> Connection:
    return await connect(database, statement_timeout_ms=20_000)


async def test_tampered_books_are_found_out(admin: Admin, connection: Connection) -> None:
    await eventful_life(admin)
    assert await books.faults(connection, "default") == []
    for tampering, expected in TAMPERING:
        found = await after(connection, tampering)
        assert any(expected in fault for fault in found), (tampering, expected, found)
    assert await books.faults(connection, "default") == []
    assert await books.faults(connection, "another") == []
    await connection.close()


def test_every_check_of_the_books_can_fail() -> None:
    sql = Path(books.__file__).with_name("sql").joinpath("books.sql").read_text()
    said = [line.removeprefix("-- fault: ") for line in sql.splitlines() if line.startswith("-- fault: ")]
    untried = [what for what in said if not any(expected in what for _, expected in TAMPERING)]
    assert untried == []


async def test_the_command_line_tells_sound_books_from_others(
    start_daemon: StartDaemon, database: str, connection: Connection
) -> None:
    daemon = await start_daemon()
    await eventful_life(await daemon.admin())
    await daemon.stop()

    def verify_books(*options: str) -> subprocess.CompletedProcess[str]:
        server = parse_dsn(database)
        environment = {**os.environ, "DB_HOST": server["host"], "DB_USERNAME": server["user"],
                       "DB_DATABASE": server["dbname"]}  # fmt: skip
        command = [str(Path(sys.executable).with_name("decabilld")), "verify-books", *options]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)

    sound = verify_books()
    assert (sound.returncode, sound.stdout) == (0, "default: the books are sound\n")
    await connection.execute("UPDATE number_ranges SET last = last + 1 WHERE series = 'SUB'")
    await connection.close()
    wrong = verify_books("--json")
    assert wrong.returncode == 1
    assert json.loads(wrong.stdout) == [
        {
            "tenant": "default",
            "faults": ["SUB: numbers have gaps or doubles, or their range doesn't stand at the last"],
        }
    ]
