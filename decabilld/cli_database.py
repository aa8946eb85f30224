"""How a command reaches the daemon's database: a running daemon's, else one started for as long as it is needed."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from decabilld import logs
from decabilld.cli_options import EXIT_FAULT
from decabilld.settings import Settings
from decabilld.store import migrations, snapshot
from decabilld.store.embedded import EmbeddedPostgres, read_dsn
from decabilld.store.errors import DatabaseError, MigrationRefused, PostgresFailed
from decabilld.store.pool import Connection, connect

STATEMENT_MS = 600_000
T = TypeVar("T")


def on_database(settings: Settings, work: Callable[[Connection], Awaitable[T]]) -> T:
    """The result of `work(connection)`, or an exit with what is wrong with the database."""
    logs.configure("warning", "text")
    try:
        return asyncio.run(with_database(settings, work))
    except (DatabaseError, OSError) as error:
        click.echo(f"decabilld: {error}", err=True)
        sys.exit(EXIT_FAULT)


async def with_database(settings: Settings, work: Callable[[Connection], Awaitable[T]]) -> T:
    """The result of `work(connection)`. Raises PostgresFailed where there is no database, and what `work` does."""
    home = settings.data_path
    dsn = settings.external_dsn or read_dsn(home)
    if dsn is not None:
        return await with_dsn(dsn, work)
    if not (home / "postgres").exists():
        raise PostgresFailed(f"there is no database in {home}; DECABILLD_DATA_DIR or DB_HOST says where it is")
    postgres = EmbeddedPostgres(home, max_connections=20)
    await postgres.start()
    try:
        return await with_dsn(postgres.dsn, work)
    finally:
        await postgres.stop()


async def with_dsn(dsn: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """The result of `work(connection)` on that database."""
    connection = await connect(dsn, statement_timeout_ms=STATEMENT_MS)
    try:
        return await work(connection)
    finally:
        await connection.close()


async def tenants_in(connection: Connection, settings: Settings, only: str | None) -> list[str]:
    """All whom the database knows or the settings name, or `only` this one of them, in order.

    Raises MigrationRefused for a database of others, click's error for a tenant that there isn't.
    """
    if not await migrations.applied(connection):
        raise MigrationRefused("this is no database of decabilld")
    known = sorted({head.tenant for head in await snapshot.heads(connection)} | set(settings.tenants))
    if only is None:
        return known
    if only not in known:
        raise click.BadParameter(f"there is no tenant {only} in the database", param_hint="--tenant")
    return [only]
