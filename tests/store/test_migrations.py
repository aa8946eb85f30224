"""Migrations from directories of our own making: all or nothing, once, in order, and never over a changed past."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from psycopg2.extensions import make_dsn

from decabilld.store.errors import MigrationRefused
from decabilld.store.migrations import advance, applied, migrate, newest, pending
from decabilld.store.pool import Connection, connect

FIRST = "CREATE TABLE customers (name text); INSERT INTO customers VALUES ('100 %');"
SECOND = "ALTER TABLE customers ADD COLUMN city text;"
_numbers = itertools.count()


@pytest.fixture
async def empty_database(postgres_dsn: str) -> AsyncIterator[str]:
    admin = await connect(postgres_dsn, statement_timeout_ms=20_000)
    name = f"empty_{next(_numbers)}"
    await admin.execute(f"CREATE DATABASE {name}")
    yield make_dsn(postgres_dsn, dbname=name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def connection(empty_database: str) -> AsyncIterator[Connection]:
    opened = await connect(empty_database, statement_timeout_ms=10_000)
    yield opened
    await opened.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "0001_customers.sql").write_text(FIRST)
    (tmp_path / "0002_cities.sql").write_text(SECOND)
    (tmp_path / "README.md").write_text("not a migration")
    return tmp_path


async def test_pending_files_are_applied_in_order_and_once(connection: Connection, directory: Path) -> None:
    assert await pending(connection, directory) == ["0001_customers.sql", "0002_cities.sql"]
    assert await migrate(connection, directory) == ["0001_customers.sql", "0002_cities.sql"]
    assert await connection.execute("SELECT name, city FROM customers") == [("100 %", None)]

    (directory / "0003_more.sql").write_text("INSERT INTO customers VALUES ('B', 'Bonn')")
    assert await pending(connection, directory) == ["0003_more.sql"]
    assert await migrate(connection, directory) == ["0003_more.sql"]
    assert await migrate(connection, directory) == []
    assert await connection.execute("SELECT count(*) FROM customers") == [(2,)]
    assert await connection.execute("SELECT array_agg(number ORDER BY number) FROM schema_migrations") == [([1, 2, 3],)]


async def test_an_old_schema_is_made_first_and_then_brought_on(connection: Connection, directory: Path) -> None:
    """As a restore does, which fills in the rows in between."""
    await connection.execute("BEGIN")
    assert await advance(connection, directory, through=1) == ["0001_customers.sql"]
    await connection.execute("INSERT INTO customers VALUES ('of old')")
    assert list(await applied(connection)) == [1]
    assert await advance(connection, directory) == ["0002_cities.sql"]
    await connection.execute("COMMIT")
    assert await connection.execute("SELECT name FROM customers WHERE city IS NULL") == [("100 %",), ("of old",)]
    assert newest(directory) == "0002_cities.sql"


async def test_failing_file_undoes_those_before_it(connection: Connection, directory: Path) -> None:
    (directory / "0003_broken.sql").write_text("CREATE TABLE fine (); CREATE TABLE customers ();")
    with pytest.raises(MigrationRefused, match=r"0003_broken\.sql.*already exists"):
        await migrate(connection, directory)
    assert connection.idle
    assert await connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    assert len(await pending(connection, directory)) == 3


async def test_changed_file_is_refused(connection: Connection, directory: Path) -> None:
    await migrate(connection, directory)
    (directory / "0001_customers.sql").write_text(FIRST + "-- better")
    for attempt in (migrate, pending):
        with pytest.raises(MigrationRefused, match=r"0001_customers\.sql was changed"):
            await attempt(connection, directory)


async def test_database_newer_than_the_code_is_refused(connection: Connection, directory: Path) -> None:
    await migrate(connection, directory)
    (directory / "0002_cities.sql").unlink()
    for attempt in (migrate, pending):
        with pytest.raises(MigrationRefused, match=r"newer than this version: it has 0002_cities\.sql"):
            await attempt(connection, directory)


@pytest.mark.parametrize("name", ["0004_gap.sql", "0002_twice.sql", "3_short.sql", "0003-Dash.sql"])
async def test_misnamed_file_is_refused_before_anything_happens(
    connection: Connection, directory: Path, name: str
) -> None:
    (directory / name).write_text("SELECT 1")
    with pytest.raises(MigrationRefused, match=name.replace(".", r"\.")):
        await migrate(connection, directory)
    assert await connection.execute("SELECT to_regclass('schema_migrations')") == [(None,)]


async def test_two_daemons_starting_together_migrate_once(empty_database: str, directory: Path) -> None:
    (directory / "0003_slow.sql").write_text("SELECT pg_sleep(0.2)")
    pair = [await connect(empty_database, statement_timeout_ms=10_000) for _ in range(2)]
    done = await asyncio.gather(*(migrate(connection, directory) for connection in pair))
    assert sorted(len(names) for names in done) == [0, 3]
    for connection in pair:
        await connection.close()
