"""Makes a backup: every row of one instant and the documents that belong to it, while the daemon goes on writing.

Owns what goes into the archive, and in which order. Documents are chosen by the numbers among the rows: one that was
issued after that instant must not come back before its number is drawn again.
"""

import asyncio
import hashlib
import re
from datetime import UTC, datetime
from importlib.metadata import version

from decabilld.backup.container import Told, Writer, packed
from decabilld.backup.manifest import FORMAT, MANIFEST, Manifest, MigrationMade, TableMade, encoded
from decabilld.gateways.documents.storage import DocumentFiles
from decabilld.store import migrations, snapshot
from decabilld.store.errors import MigrationRefused
from decabilld.store.pool import Connection

_SEALED = re.compile(r"v1:([0-9a-f]{8}):[A-Za-z0-9+/]{38}")
"""`sealing.py`'s form; 28 bytes are its shortest content."""


class UnknownTenant(Exception):
    """The database has nothing of this tenant."""


async def make(
    connection: Connection, writer: Writer, documents: DocumentFiles, told: Told, tenant_id: str | None = None
) -> Manifest:
    """Write everything (or one tenant's part) to the archive. `told` hears of each row.

    Raises UnknownTenant, MigrationRefused for what is no database of ours, OSError, and what the connection raises.
    """
    await snapshot.begin(connection)
    applied = await migrations.applied(connection)
    if not applied:
        raise MigrationRefused("this is no database of decabilld")
    heads = await snapshot.heads(connection)
    if tenant_id is not None:
        heads = [head for head in heads if head.tenant == tenant_id]
        if not heads:
            raise UnknownTenant(f"there is no tenant {tenant_id} in the database")
    tenants = [head.tenant for head in heads]
    made = _Making(connection, writer, told)
    tables = [await made.table(table, tenants, tenant_id) for table in await snapshot.tables(connection)]
    kept, missing = await made.documents(documents, tenants)
    ((server,),) = await connection.execute("SHOW server_version")
    manifest = Manifest(
        format=FORMAT,
        tenant=tenant_id,
        made_at=datetime.now(UTC),
        decabilld=version("decabilld"),
        postgresql=server,
        migrations=tuple(
            MigrationMade(number=number, name=name, sha256=sha256) for number, (name, sha256) in sorted(applied.items())
        ),
        journals=tuple(heads),
        tables=tuple(tables),
        documents=kept,
        documents_missing=missing,
        sealed_under=tuple(sorted(made.sealed_under)),
    )
    writer.add(MANIFEST, encoded(manifest))
    writer.finish()
    await connection.execute("COMMIT")
    return manifest


class _Making:
    def __init__(self, connection: Connection, writer: Writer, told: Told) -> None:
        self._connection, self._writer, self._told = connection, writer, told
        self.sealed_under: set[str] = set()

    async def table(self, table: snapshot.Table, tenants: list[str], only: str | None) -> TableMade:
        digest, rows, page = hashlib.sha256(), 0, 0
        for tenant_id in tenants:
            async for lines in snapshot.pages(self._connection, table, tenant_id):
                text = "".join(f"{line}\n" for line in lines)
                self.sealed_under.update(_SEALED.findall(text))
                content = text.encode()
                digest.update(content)
                rows, page = rows + len(lines), page + 1
                self._writer.add(f"rows/{table.name}/{page:06}.jsonl.gz", await asyncio.to_thread(packed, content))
                self._told(len(lines))
        known = await snapshot.count(self._connection, table, only)
        if rows != known:
            raise MigrationRefused(f"{known - rows} rows of {table.name} are of a tenant without a head")
        return TableMade(name=table.name, rows=rows, sha256=digest.hexdigest())

    async def documents(self, documents: DocumentFiles, tenants: list[str]) -> tuple[int, int]:
        """How many are in it now, and how many were not on the disk."""
        kept = missing = 0
        async for tenant_id, number in snapshot.numbers(self._connection, tenants):
            content = await documents.read(tenant_id, number)
            if content is None:
                missing += 1
            else:
                kept += 1
                self._writer.add(f"documents/{tenant_id}/{number}.pdf", content)
        return kept, missing


async def total(connection: Connection, tenant_id: str | None = None) -> int:
    """About how many rows a backup of now would have."""
    return sum([await snapshot.count(connection, table, tenant_id) for table in await snapshot.tables(connection)])
