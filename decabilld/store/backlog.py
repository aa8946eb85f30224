"""What waits in the outbox, of all the tenants that are served, at a glance: for readiness and metrics.

Owns the SQL and a session of its own, so that a look neither waits for readers nor takes their place. Running effects
is `actors/outbox.py`'s.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from decabilld.store.pool import Connection, connect

LOOK_MS = 5_000
_BACKLOG = """
SELECT tenant_id, kind, count(*) FILTER (WHERE failed_at IS NULL), count(*) FILTER (WHERE failed_at IS NOT NULL),
    min(created_at) FILTER (WHERE failed_at IS NULL), min(due_at) FILTER (WHERE failed_at IS NULL)
FROM outbox WHERE tenant_id = ANY(%s) GROUP BY tenant_id, kind"""


class Waiting(Struct, frozen=True, kw_only=True):
    """Effects of one kind: how many are open and since when, when the first of them is due, how many were given up."""

    tenant_id: str
    kind: str
    open: int
    given_up: int
    oldest_created_at: datetime | None
    first_due_at: datetime | None


class Backlog:
    """Looks at the outbox. Raises DatabaseError when the database is away, within about ten seconds."""

    def __init__(self, dsn: str, tenant_ids: Callable[[], Sequence[str]]) -> None:
        self._dsn, self._tenant_ids = dsn, tenant_ids
        self._open: Connection | None = None

    async def look(self) -> list[Waiting]:
        if self._open is None or self._open.closed:
            self._open = await connect(self._dsn, statement_timeout_ms=LOOK_MS)
        return [
            Waiting(
                tenant_id=tenant_id,
                kind=kind,
                open=still_open,
                given_up=given_up,
                oldest_created_at=created_at,
                first_due_at=due_at,
            )
            for tenant_id, kind, still_open, given_up, created_at, due_at in await self._open.execute(
                _BACKLOG, (list(self._tenant_ids()),)
            )
        ]

    async def close(self) -> None:
        if self._open is not None:
            await self._open.close()
