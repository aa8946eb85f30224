"""A small firm's books, and empty databases to put them into."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import make_dsn

from decabilld.store.pool import connect
from tests.harness.daemons import running_daemon
from tests.harness.scratch import scratch_directory

_numbers = itertools.count()


@pytest.fixture
def room() -> Iterator[Path]:
    """A directory of its own, not one of pytest\'s, which are closed to the database\'s unprivileged user."""
    with scratch_directory("decabilld-operations-") as room:
        yield room


@pytest.fixture
async def empty(postgres_dsn: str) -> AsyncIterator[str]:
    """DSN of a database without any table."""
    admin = await connect(postgres_dsn, statement_timeout_ms=20_000)
    name = f"restored_{next(_numbers)}"
    await admin.execute(f"CREATE DATABASE {name}")
    yield make_dsn(postgres_dsn, dbname=name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def documents(database: str, tmp_path: Path) -> Path:
    """Where the documents lie of two tenants in `database`: orders, usage, invoices paid, open and void."""
    async with running_daemon(database, tmp_path / "daemon", tenants=("acme", "other"), check=False) as daemon:
        for tenant in ("acme", "other"):
            admin = await daemon.admin(tenant)
            await admin.move_to("2024-01-01 00:00")
            anna = await admin.customer("anna")
            monthly = await anna.orders(await admin.plan("Month", "19.99", billingDayOfMonth=1))
            await admin.move_to("2024-02-10 12:00")
            await admin.records_usage(monthly, "2024-02-01 00:00", "2024-02-02 00:00", totalCost="7.123")
            await admin.move_to("2024-04-20 12:00")
            invoices = await anna.invoices(monthly)
            await admin.marks_paid(invoices[0]["id"])
            await admin.voids(invoices[1]["id"])
            for invoice in invoices:
                await anna.get(f"/invoices/ref/{invoice['id']}/pdf")
            await daemon.audit.quiet(tenant)
    return tmp_path / "daemon" / "documents"
