"""Puts rows back that `snapshot` has read: into an empty database, or a tenant's beside others.

Owns the SQL and what it refuses; all of it runs within the caller's transaction. Where the lines come from, and
whether they may be trusted, is `decabilld/backup`'s.
"""

from collections.abc import Sequence

from decabilld.store.errors import StatementFailed
from decabilld.store.pool import Connection
from decabilld.store.rows import is_our_fault
from decabilld.store.snapshot import tables

_ANYTHING = """
SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::text::regnamespace
    AND relkind IN ('r', 'p', 'v', 'm')"""


class NotEmpty(Exception):
    """There is something already where rows were to go; the message says what."""


class Misfit(Exception):
    """Lines that aren't rows of this table, or not of these tenants; the message says why."""


async def check_empty(connection: Connection) -> None:
    """Raises NotEmpty for a database with any table at all."""
    ((found,),) = await connection.execute(_ANYTHING)
    if found:
        raise NotEmpty("the database has tables already; a restore needs an empty one")


async def check_unknown(connection: Connection, tenant_id: str) -> None:
    """Raises NotEmpty if any table has a row of the tenant."""
    for table in await tables(connection):
        sql = f'SELECT EXISTS (SELECT FROM "{table.name}" WHERE tenant_id = %s)'  # noqa: S608
        ((found,),) = await connection.execute(sql, (tenant_id,))
        if found:
            raise NotEmpty(f"the database has rows of {tenant_id} already (table {table.name}); nothing is overwritten")


async def put(connection: Connection, table: str, lines: Sequence[str], tenants: Sequence[str]) -> None:
    """Insert rows, all of them of one of `tenants`. Raises Misfit."""
    sql = (
        f'WITH put AS (INSERT INTO "{table}" SELECT * FROM json_populate_recordset(NULL::"{table}", %s::json) '  # noqa: S608
        "WHERE tenant_id = ANY(%s) RETURNING 1) SELECT count(*) FROM put"
    )
    try:
        ((inserted,),) = await connection.execute(sql, (f"[{','.join(lines)}]", list(tenants)))
    except StatementFailed as error:
        if not is_our_fault(error):
            raise
        raise Misfit(" ".join(filter(None, (error.message, error.detail)))) from error
    if inserted != len(lines):
        raise Misfit("it holds rows of another tenant")


async def settle(connection: Connection) -> None:
    """Let the planner know what came, so that the checks which follow aren't planned for empty tables."""
    await connection.execute("ANALYZE")
