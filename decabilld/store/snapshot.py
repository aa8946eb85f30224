"""Every row of the tenants' tables as they were at one instant, each as a line of JSON, beside a daemon that writes.

Owns which tables there are, in which order they are read and in which form; the catalog tells it, so that a new table
needs no word here. What becomes of the lines is `decabilld/backup`'s, how they come back `refill`'s.
"""

from collections.abc import AsyncIterator, Sequence
from graphlib import TopologicalSorter

from msgspec import Struct

from decabilld.store.pool import Connection

FIRST_ROWS = 50
PAGE_ROWS_MAX = 2_000
PAGE_CHARACTERS = 4_000_000
"""About so much is in memory at a time: how many rows that are, the page before tells."""

# Row by row, in the order of the primary key; text as bytes, since collations differ from server to server.
_TABLES = """
SELECT c.relname, array_agg(
    quote_ident(a.attname) || CASE WHEN a.attcollation <> 0 THEN ' COLLATE "C"' ELSE '' END ORDER BY k.place
)
FROM pg_class c
JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE c.relnamespace = current_schema()::text::regnamespace AND c.relkind = 'r'
    AND EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id')
GROUP BY c.relname ORDER BY c.relname"""
_NEEDS = """
SELECT t.relname, other.relname FROM pg_constraint f
JOIN pg_class t ON t.oid = f.conrelid JOIN pg_class other ON other.oid = f.confrelid
WHERE f.contype = 'f' AND NOT f.condeferrable AND t.relnamespace = current_schema()::text::regnamespace"""
_HEADS = 'SELECT tenant_id, seq, digest FROM tenant_heads ORDER BY tenant_id COLLATE "C"'
_NUMBERS = """
DECLARE numbers NO SCROLL CURSOR FOR SELECT tenant_id, number, credit_note_number FROM invoices
WHERE number IS NOT NULL AND tenant_id = ANY(%s) ORDER BY tenant_id COLLATE "C", id"""


class Table(Struct, frozen=True):
    """A table and what its rows are ordered by, `tenant_id` aside."""

    name: str
    order: tuple[str, ...]


class JournalHead(Struct, frozen=True, kw_only=True):
    """The end of a tenant's journal: its last entry and that one's digest."""

    tenant: str
    seq: int
    digest: str


async def begin(connection: Connection) -> None:
    """From here to COMMIT or ROLLBACK, everything that is read is of one instant."""
    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")


async def tables(connection: Connection) -> list[Table]:
    """All that hold tenants' rows, each after those that its foreign keys name (deferrable ones can wait)."""
    found = {name: Table(name, tuple(order[1:])) for name, order in await connection.execute(_TABLES)}
    sorter = TopologicalSorter[str](dict.fromkeys(found, ()))
    for name, needed in await connection.execute(_NEEDS):
        sorter.add(name, needed)
    return [found[name] for name in sorter.static_order() if name in found]


async def heads(connection: Connection) -> list[JournalHead]:
    """One for each tenant that the database knows."""
    return [JournalHead(tenant=name, seq=n, digest=digest) for name, n, digest in await connection.execute(_HEADS)]


async def count(connection: Connection, table: Table, tenant_id: str | None = None) -> int:
    """A table's rows, of all tenants or of one."""
    where = "" if tenant_id is None else " WHERE tenant_id = %(tenant)s"
    sql = f'SELECT count(*) FROM "{table.name}"{where}'  # noqa: S608
    return int((await connection.execute(sql, {"tenant": tenant_id}))[0][0])


async def pages(connection: Connection, table: Table, tenant_id: str) -> AsyncIterator[list[str]]:
    """One tenant's rows of a table, a few megabytes at a time.

    PostgreSQL's own JSON of a row is exact (numbers digit by digit, instants by the microsecond, in UTC), and every
    version writes and reads it alike.
    """
    order = ", ".join(table.order) or "tenant_id"
    await connection.execute(
        f'DECLARE page NO SCROLL CURSOR FOR SELECT row_to_json(t)::text FROM "{table.name}" AS t '  # noqa: S608
        f"WHERE tenant_id = %s ORDER BY {order}",
        (tenant_id,),
    )
    wanted = FIRST_ROWS
    while rows := await connection.execute(f"FETCH {wanted} FROM page"):
        lines = [line for (line,) in rows]
        yield lines
        if len(lines) < wanted:
            break
        wanted = max(1, min(PAGE_ROWS_MAX, PAGE_CHARACTERS * len(lines) // sum(map(len, lines))))
    await connection.execute("CLOSE page")


async def numbers(connection: Connection, tenants: Sequence[str]) -> AsyncIterator[tuple[str, str]]:
    """Tenant and number of each document that the rows know: invoices and credit notes."""
    await connection.execute(_NUMBERS, (list(tenants),))
    while rows := await connection.execute(f"FETCH {PAGE_ROWS_MAX} FROM numbers"):
        for tenant_id, number, credit_note_number in rows:
            yield tenant_id, number
            if credit_note_number is not None:
                yield tenant_id, credit_note_number
    await connection.execute("CLOSE numbers")
