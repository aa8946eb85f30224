"""A real PostgreSQL for the tests: one server per test process, one migrated template, a fresh database per test."""

import asyncio
import itertools
from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from decabilld.store.embedded import EmbeddedPostgres
from decabilld.store.migrations import migrate
from decabilld.store.pool import connect
from tests.harness.scratch import scratch_directory

UNSAFE_BUT_FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "autovacuum": "off"}
MIGRATION_MS = 60_000
_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """DSN of a running server, its database `postgres`."""
    with scratch_directory("decabilld-test-") as home:
        server = EmbeddedPostgres(home, max_connections=60, settings=UNSAFE_BUT_FAST)
        asyncio.run(server.start())
        try:
            yield server.dsn
        finally:
            asyncio.run(server.stop())


@pytest.fixture(scope="session")
def template_database(postgres_dsn: str) -> str:
    """Name of a database with the whole schema and nobody in it, to make others from."""

    async def fill() -> None:
        connection = await connect(make_dsn(postgres_dsn, dbname="migrated"), statement_timeout_ms=MIGRATION_MS)
        try:
            await migrate(connection)
        finally:
            await connection.close()

    _run(postgres_dsn, "CREATE DATABASE migrated")
    asyncio.run(fill())
    return "migrated"


@pytest.fixture
def database(postgres_dsn: str, template_database: str) -> Iterator[str]:
    """DSN of a fresh database with the whole schema, gone after the test with whoever is still connected."""
    name = f"test_{next(_numbers)}"
    _run(postgres_dsn, f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
    yield make_dsn(postgres_dsn, dbname=name)
    _run(postgres_dsn, f"DROP DATABASE {name} WITH (FORCE)")


def _run(dsn: str, sql: str) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        connection.cursor().execute(sql)
    finally:
        connection.close()
