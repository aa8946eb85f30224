"""The naive twin beside a daemon: its database on the daemon's PostgreSQL, its process, and its billing, timed."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg2
from msgspec import Struct

from bench import naive, naive_run
from bench.daemon import stopped
from bench.world import World, create_database, write

CUSTOMERS = 3_000
START_SECONDS = 20.0


class Twin(Struct, frozen=True):
    port: int
    world: World


async def twin_database(dsn: str, name: str) -> tuple[str, World]:
    """A database with the product's schema, customers with an open position each, and what the twin needs."""
    twin_dsn = await create_database(dsn, name)
    world = await write(twin_dsn, customers=CUSTOMERS, accrued=True)
    naive.prepare(twin_dsn)
    return twin_dsn, world


@asynccontextmanager
async def twin(dsn: str) -> AsyncIterator[Twin]:
    """The server, stopped at the end."""
    twin_dsn, world = await twin_database(dsn, "naive_server")
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", naive.__name__, twin_dsn, stdout=-1)
    assert process.stdout is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), START_SECONDS))
        yield Twin(port, world)
    finally:
        await stopped(process)


async def billing_rates(dsn: str, seconds: float) -> tuple[float, float]:
    """Positions and invoices a second with a transaction each, for so long each."""
    twin_dsn, world = await twin_database(dsn, "naive_billing")
    return await asyncio.to_thread(_rates, twin_dsn, world, seconds)


def _rates(dsn: str, world: World, seconds: float) -> tuple[float, float]:
    connection = psycopg2.connect(dsn)
    rates = []
    try:
        for one in (naive_run.accrue, naive_run.bill):
            begin, done = time.monotonic(), 0
            for customer in world.customers:
                one(connection, customer.id)
                done += 1
                if time.monotonic() - begin > seconds:
                    break
            rates.append(done / (time.monotonic() - begin))
    finally:
        connection.close()
    return rates[0], rates[1]
