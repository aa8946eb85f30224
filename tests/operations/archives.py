"""Backups made and put back within a test, what the rows of a database come to, and archives forged with care."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2

from decabilld.backup.container import Writer, members
from decabilld.backup.making import make
from decabilld.backup.manifest import MANIFEST, Manifest
from decabilld.backup.restoring import Archive, import_tenant, restore
from decabilld.gateways.documents.storage import DocumentFiles
from decabilld.store.pool import connect

STATEMENT_MS = 60_000


def sql(dsn: str, *statements: str) -> list[Any]:
    """Rows of the last statement, all of them in one transaction and past the journal's guard."""
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def rows(dsn: str, where: str = "true") -> dict[str, Any]:
    """Of each table how many rows there are and what they come to; made without a line of the code under test."""
    tables = [name for (name,) in sql(dsn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return {
        name: sql(
            dsn, f"SELECT count(*), md5(string_agg(t::text, '' ORDER BY md5(t::text))) FROM {name} t WHERE {where}"
        )
        for name in sorted(tables)
        if name != "schema_migrations"
    }


async def backed_up(dsn: str, file: Path, documents: Path, tenant: str | None = None) -> Manifest:
    connection = await connect(dsn, statement_timeout_ms=STATEMENT_MS)
    try:
        with file.open("wb") as opened:
            return await make(connection, Writer(opened), DocumentFiles(documents), lambda _: None, tenant)
    finally:
        await connection.close()


async def restored(dsn: str, file: Path, documents: Path, *, verify: bool = True) -> None:
    archive = Archive.opened(file, lambda _: None)
    connection = await connect(dsn, statement_timeout_ms=STATEMENT_MS)
    try:
        await restore(connection, archive, DocumentFiles(documents), lambda _: None, verify=verify)
    finally:
        await connection.close()


async def imported(dsn: str, file: Path, documents: Path) -> None:
    archive = Archive.opened(file, lambda _: None)
    connection = await connect(dsn, statement_timeout_ms=STATEMENT_MS)
    try:
        await import_tenant(connection, archive, DocumentFiles(documents), lambda _: None)
    finally:
        await connection.close()


def forged(file: Path, table: str, change: Callable[[list[str]], list[str]], *, manifest_too: bool = False) -> Path:
    """The archive with other lines in each page of a table, and with every checksum right.

    What the manifest tells of the table's rows stays as it was, unless `manifest_too`.
    """
    out = file.with_name(f"forged-{file.name}")
    digest, rows = hashlib.sha256(), 0
    with out.open("wb") as opened:
        writer = Writer(opened)
        for name, content in members(file):
            written = content
            if name.startswith(f"rows/{table}/"):
                lines = change(gzip.decompress(content).decode().splitlines())
                text = "".join(f"{line}\n" for line in lines).encode()
                digest.update(text)
                rows += len(lines)
                written = gzip.compress(text, mtime=0)
            elif name == MANIFEST and manifest_too:
                manifest = json.loads(content)
                (told,) = [told for told in manifest["tables"] if told["name"] == table]
                told.update(rows=rows, sha256=digest.hexdigest())
                written = json.dumps(manifest).encode()
            writer.add(name, written)
        writer.finish()
    return out
