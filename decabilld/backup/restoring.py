"""Puts a backup back: into an empty database, or one tenant beside others; all of it or nothing.

Owns the order of it and what is checked. The archive's bytes are checked before anything is touched; what only shows
once the rows lie in a database (the journal's chain, sums, numbers) before the one COMMIT at the end.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from decabilld.backup import container
from decabilld.backup.container import Damaged, Told
from decabilld.backup.manifest import MANIFEST, Manifest, decoded
from decabilld.gateways.documents.storage import DocumentFiles
from decabilld.store import books, journal, migrations, refill, snapshot
from decabilld.store.pool import Connection


class Unsound(Exception):
    """The archive is as it was written, but what it holds contradicts itself; `faults` has a sentence for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Unfit(Exception):
    """The archive is sound, but not for this command or this database; the message says why."""


class Archive:
    """A backup whose every byte was checked."""

    def __init__(self, path: Path, manifest: Manifest, sha256: str) -> None:
        self.path, self.manifest, self.sha256 = path, manifest, sha256

    @classmethod
    def opened(cls, path: Path, told: Told) -> "Archive":
        """`told` hears of each byte. Raises Damaged, OSError."""
        sha256 = container.check(path, told)
        for _, content in container.members(path, MANIFEST):
            return cls(path, decoded(content), sha256)
        raise Damaged(f"it has no {MANIFEST}")

    def rows(self) -> Iterator[tuple[str, str, list[str]]]:
        """Member, table and lines of each page, in the order in which they fill."""
        for name, content in container.members(self.path, "rows/"):
            try:
                text = container.unpacked(name, content).decode()
            except UnicodeDecodeError as error:
                raise Damaged(f"{name} is no text: {error}") from error
            yield name, name.split("/")[1], text.removesuffix("\n").split("\n")

    def documents(self) -> Iterator[tuple[tuple[str, str], bytes]]:
        """Tenant and number, and the content of each."""
        for name, content in container.members(self.path, "documents/"):
            _, _, place = name.partition("/")
            tenant_id, _, file = place.partition("/")
            yield (tenant_id, file.removesuffix(".pdf")), content


async def restore(
    connection: Connection, archive: Archive, documents: DocumentFiles, told: Told, *, verify: bool
) -> None:
    """Fill an empty database from a backup of all tenants, and bring it to this version's schema.

    `told` hears of each row, and again of each that is verified. Raises NotEmpty, Unfit, Damaged, Unsound (only if
    `verify`), MigrationRefused, OSError.
    """
    manifest = archive.manifest
    if manifest.tenant is not None:
        raise Unfit(f"it holds the tenant {manifest.tenant} alone: `decabilld import-tenant` takes it")
    has = {one.number: (one.name, one.sha256) for one in manifest.migrations}
    migrations.check(has)
    await connection.execute("BEGIN")
    await refill.check_empty(connection)
    await migrations.advance(connection, through=max(has))
    await _put_rows(connection, archive, told)
    await _check_rows(connection, manifest, told, digests=verify)
    await migrations.advance(connection)
    await refill.settle(connection)
    if verify:
        await _check_books(connection, manifest)
    await _put_documents(connection, archive, documents)
    await connection.execute("COMMIT")


async def import_tenant(connection: Connection, archive: Archive, documents: DocumentFiles, told: Told) -> None:
    """Add one tenant to a database that doesn't know it; others' daemons may go on beside. Always verified.

    `told` hears of each row twice. Raises NotEmpty, Unfit, Damaged, Unsound, OSError.
    """
    manifest = archive.manifest
    if manifest.tenant is None:
        raise Unfit("it holds all tenants: `decabilld restore` takes it")
    has = {one.number: (one.name, one.sha256) for one in manifest.migrations}
    await connection.execute("BEGIN")
    if await migrations.applied(connection) != has:
        raise Unfit("it is of another schema than this database: bring both to the same version (`decabilld migrate`)")
    await refill.check_unknown(connection, manifest.tenant)
    await _put_rows(connection, archive, told)
    await _check_rows(connection, manifest, told, digests=True)
    await _check_books(connection, manifest)
    await _put_documents(connection, archive, documents)
    await connection.execute("COMMIT")


async def _put_rows(connection: Connection, archive: Archive, told: Told) -> None:
    tenants = archive.manifest.tenants
    known = {table.name for table in await snapshot.tables(connection)}
    for name, table, lines in archive.rows():
        if table not in known:
            raise Damaged(f"{name} is of a table that its schema lacks")
        try:
            await refill.put(connection, table, lines, tenants)
        except refill.Misfit as misfit:
            raise Damaged(f"{name} doesn't fit: {misfit}") from misfit
        told(len(lines))


async def _check_rows(connection: Connection, manifest: Manifest, told: Told, *, digests: bool) -> None:
    """What lies in the tables now is what the manifest tells: the number of rows and, row by row, their digest."""
    tables = {table.name: table for table in await snapshot.tables(connection)}
    faults = []
    for made in manifest.tables:
        table = tables.get(made.name)
        if table is None:
            raise Damaged(f"it tells of a table {made.name} that its schema lacks")
        rows = await snapshot.count(connection, table, manifest.tenant)
        if rows != made.rows:
            faults.append(f"{made.name}: {rows} rows, not {made.rows}")
        elif digests and await _digest(connection, table, manifest.tenants, told) != made.sha256:
            faults.append(f"{made.name}: its rows are not those that were written")
    if faults:
        raise Unsound(faults)


async def _digest(connection: Connection, table: snapshot.Table, tenants: list[str], told: Told) -> str:
    digest = hashlib.sha256()
    for tenant_id in tenants:
        async for lines in snapshot.pages(connection, table, tenant_id):
            digest.update("".join(f"{line}\n" for line in lines).encode())
            told(len(lines))
    return digest.hexdigest()


async def _check_books(connection: Connection, manifest: Manifest) -> None:
    faults = []
    for head in manifest.journals:
        verified = await journal.verify(connection, head.tenant)
        if verified.fault is not None:
            faults.append(f"{head.tenant}: journal entry {verified.fault.seq} was {verified.fault.what}")
        faults += [f"{head.tenant}: {fault}" for fault in await books.faults(connection, head.tenant)]
    if faults:
        raise Unsound(faults)


async def _put_documents(connection: Connection, archive: Archive, documents: DocumentFiles) -> None:
    """Only those whose number is among the rows: another would one day pass for the document of that number.

    Both come in one order, so that neither has to be remembered.
    """
    numbers = snapshot.numbers(connection, archive.manifest.tenants)
    for place, content in archive.documents():
        async for known in numbers:
            if known == place:
                break
        else:
            raise Damaged(f"the document {'/'.join(place)} belongs to no invoice")
        try:
            await documents.keep(*place, content)
        except ValueError as error:
            raise Damaged(f"the document {'/'.join(place)} can't be kept: {error}") from error
