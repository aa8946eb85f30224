"""A billing day: charges of all customers, then their invoices, while others read; then the documents.

What was billed is checked afterwards: as many invoices as customers, numbers without gaps, nothing left open, and the
journal's chain sound.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.client import Client, request
from bench.daemon import Daemon, token
from bench.results import Result, per_second
from bench.twin import billing_rates
from bench.world import PERIOD_END, World
from decabilld.store.pool import connect

INVOICES_PER_SECOND = 5_000
WORST_READ_MS = 200.0
READERS, READ_PAUSE_SECONDS = 2, 0.005
NAIVE_SECONDS = 4.0
DOCUMENTS_SECONDS = 15.0
RUN_SECONDS = 120.0
VERIFY_SECONDS = 60.0

_CHECKS = {
    "invoices": "SELECT count(*) FROM invoices",
    "numbers with gaps": "SELECT max(right(number, 5)::int) - count(*) FROM invoices",
    "open positions": "SELECT count(*) FROM positions WHERE closed_at IS NULL",
}
_WAITING = "SELECT count(*) FROM outbox WHERE failed_at IS NULL"


async def measure_billing(daemon: Daemon, world: World) -> list[Result]:
    count = len(world.customers)
    naive_positions, naive_invoices = await billing_rates(daemon.dsn, NAIVE_SECONDS)
    client, admin = await Client.open(daemon.port), token(world.admin)
    async with readers(daemon, world) as while_accruing:
        begin = time.monotonic()
        await client.json("POST", "/api/admin/billing/test-clock", admin, {"now": PERIOD_END.isoformat()})
        accrued = count / (time.monotonic() - begin)
    async with readers(daemon, world) as while_billing:
        billed = count / await bill_now(client, admin)
    documents = await _documents_per_second(daemon)
    await client.close()
    await _check(daemon, count)
    worst_accruing, worst_billing = max(while_accruing), max(while_billing)
    return [
        per_second(f"accrual of {count:,} subscriptions", accrued, naive=naive_positions,
                   note=f"worst GET meanwhile {worst_accruing:.0f} ms"),
        per_second(f"billing of {count:,} customers, invoices", billed, naive=naive_invoices,
                   target=f">= {INVOICES_PER_SECOND:,}/s", ok=billed >= INVOICES_PER_SECOND),
        Result(name="worst GET while billing", value=worst_billing, unit="ms", p50_ms=percentile(while_billing, 50),
               p99_ms=percentile(while_billing, 99), target=f"<= {WORST_READ_MS:g} ms",
               ok=worst_billing <= WORST_READ_MS, note=f"{len(while_billing)} reads"),
        per_second("documents made afterwards", documents, note=f"all {count:,} take {count / documents:.0f} s"),
    ]  # fmt: skip


@asynccontextmanager
async def readers(daemon: Daemon, world: World) -> AsyncIterator[list[float]]:
    """Some who read all the time; their latencies in milliseconds."""
    latencies: list[float] = []
    wanted = request("GET", "/api/subscriptions", token(world.reader))

    async def read() -> None:
        client = await Client.open(daemon.port)
        await client.timed_ms(wanted)
        while True:
            latencies.append(await client.timed_ms(wanted))
            await asyncio.sleep(READ_PAUSE_SECONDS)

    tasks = [asyncio.create_task(read()) for _ in range(READERS)]
    try:
        await asyncio.sleep(0.2)
        latencies.clear()
        yield latencies
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def bill_now(client: Client, admin: str) -> float:
    """Seconds from the request until the run is done."""
    begin = time.monotonic()
    asked = await client.json("POST", "/api/admin/billing/bill-now", admin, {})
    path = f"/api/admin/billing/bill-now/{asked['requestId']}"
    while (run := await client.json("GET", path, admin))["status"] != "done":
        if time.monotonic() - begin > RUN_SECONDS:
            raise RuntimeError(f"the run does not end: {run}")
        await asyncio.sleep(0.01)
    if run["failed"]:
        raise RuntimeError(f"customers were not billed: {run}")
    return time.monotonic() - begin


async def _documents_per_second(daemon: Daemon) -> float:
    before, begin = await value_of(daemon.dsn, _WAITING), time.monotonic()
    await asyncio.sleep(DOCUMENTS_SECONDS)
    after = await value_of(daemon.dsn, _WAITING)
    return (before - after) / (time.monotonic() - begin)


async def _check(daemon: Daemon, count: int) -> None:
    found = {name: await value_of(daemon.dsn, sql) for name, sql in _CHECKS.items()}
    if found != {"invoices": count, "numbers with gaps": 0, "open positions": 0}:
        raise RuntimeError(f"the books are wrong: {found}")
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("decabilld"), "verify-journal",
        env={**os.environ, "DECABILLD_DATA_DIR": str(daemon.data_dir)}, stdout=-1, stderr=-1,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), VERIFY_SECONDS)
    if process.returncode:
        raise RuntimeError(f"the journal is broken: {(out + err).decode()}")


async def value_of(dsn: str, sql: str) -> int:
    connection = await connect(dsn, statement_timeout_ms=30_000)
    try:
        ((value,),) = await connection.execute(sql)
    finally:
        await connection.close()
    return int(value)


def percentile(values: list[float], percent: int) -> float:
    return sorted(values)[len(values) * percent // 100]
