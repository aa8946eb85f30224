"""Brings a database to the schema of this version: numbered .sql files, all pending ones in one transaction.

Owns the order and the record of it (`schema_migrations`); what the files say is theirs. Nothing goes backwards.
"""

import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from decabilld.store.errors import MigrationRefused, StatementFailed
from decabilld.store.pool import Connection

MIGRATIONS = files("decabilld.store") / "sql" / "migrations"
LOCK_KEY = 0x6465_6361_6269_6C6C  # "decabill": one migration at a time in a database, whoever runs it
_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_RECORD = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class Migration(NamedTuple):
    number: int
    name: str
    sha256: str
    sql: str


Applied = Mapping[int, tuple[str, str]]
"""What a database has: number to name and SHA-256."""


async def migrate(connection: Connection, directory: Traversable = MIGRATIONS) -> list[str]:
    """Apply what is pending and return the names; all of it or, on any error, nothing.

    The connection's statement timeout must be long enough for the slowest file and for another daemon's migration.
    Raises MigrationRefused (which names the file at fault) and what the connection raises.
    """
    try:
        await connection.execute("BEGIN")
        names = await advance(connection, directory)
        await connection.execute("COMMIT")
    except BaseException:
        if not connection.closed:
            await connection.execute("ROLLBACK")
        raise
    return names


async def advance(
    connection: Connection, directory: Traversable = MIGRATIONS, *, through: int | None = None
) -> list[str]:
    """As `migrate`, within the caller's transaction and, if it says so, only to the migration of number `through`."""
    known = _read(directory)
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
    await connection.execute(_RECORD)
    todo = [one for one in _pending(known, await _applied(connection)) if through is None or one.number <= through]
    for migration in todo:
        await _apply(connection, migration)
    return [migration.name for migration in todo]


async def pending(connection: Connection, directory: Traversable = MIGRATIONS) -> list[str]:
    """The names of what migrate() would apply now. Raises MigrationRefused."""
    return [migration.name for migration in _pending(_read(directory), await applied(connection))]


async def applied(connection: Connection) -> Applied:
    """What the database has; nothing of an empty one."""
    (exists,) = (await connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL"))[0]
    return await _applied(connection) if exists else {}


def newest(directory: Traversable = MIGRATIONS) -> str:
    """The name of the last migration that this version knows."""
    return _read(directory)[-1].name


def check(has: Applied, directory: Traversable = MIGRATIONS) -> None:
    """Raises MigrationRefused unless this version can bring what `has` these migrations to its own schema."""
    _pending(_read(directory), has)


async def _applied(connection: Connection) -> Applied:
    rows = await connection.execute("SELECT number, name, sha256 FROM schema_migrations")
    return {number: (name, sha256) for number, name, sha256 in rows}


async def _apply(connection: Connection, migration: Migration) -> None:
    try:
        await connection.execute(migration.sql)
    except StatementFailed as error:
        raise MigrationRefused(f"{migration.name}: {error}") from error
    await connection.execute(
        "INSERT INTO schema_migrations (number, name, sha256) VALUES (%s, %s, %s)",
        (migration.number, migration.name, migration.sha256),
    )


def _read(directory: Traversable) -> list[Migration]:
    """All files in order. A number missing or given twice is a mistake of this version, not of the database."""
    found = []
    for file in sorted(directory.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".sql"):
            continue
        match = _FILE.fullmatch(file.name)
        if match is None:
            raise MigrationRefused(f"{file.name}: a migration is named NNNN_what_it_does.sql")
        content = file.read_bytes()
        found.append(Migration(int(match[1]), file.name, hashlib.sha256(content).hexdigest(), content.decode()))
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise MigrationRefused(f"{migration.name}: expected number {expected:04}")
    return found


def _pending(known: list[Migration], applied: Applied) -> list[Migration]:
    newest = max(applied, default=0)
    if newest > len(known):
        name = applied[newest][0]
        raise MigrationRefused(
            f"the database is newer than this version: it has {name}; install the version that made it"
        )
    for migration in known:
        if migration.number in applied and applied[migration.number][1] != migration.sha256:
            raise MigrationRefused(f"{migration.name} was changed after it was applied; put it back and add a new file")
    return [migration for migration in known if migration.number not in applied]
