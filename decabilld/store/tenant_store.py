"""One tenant's rows for its actor: ownership, loading, commits, and the outbox; see `actors/ports.py`.

Owns the actor's connection and what the database's errors mean to an actor. The SQL of writing and loading lives
in `writer` and `loaders`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from decabilld.actors.ports import (
    Batch,
    CommitInDoubt,
    CommitRefused,
    CommitTooSlow,
    Fenced,
    Head,
    OutboxRow,
    StoredAnswer,
    TenantStore,
    Unavailable,
)
from decabilld.domain.entities import Entity, Id
from decabilld.domain.journal import genesis
from decabilld.messages.decision import Need
from decabilld.store import loaders
from decabilld.store.errors import DatabaseError, OutcomeUnknown, StatementFailed, StatementTimedOut
from decabilld.store.pool import Connection, Pool, Row, connect
from decabilld.store.rows import decoder, is_our_fault, select_json, unavailable
from decabilld.store.writer import FENCED, statements

COMMIT_TIMEOUT_MS = 10_000

# n moves on with every claim, so that a commit of ours which is still on its way can't come after it.
_CLAIM = """
INSERT INTO tenant_heads (tenant_id, owner, n, seq, digest) VALUES (%s, %s, 0, 0, %s)
ON CONFLICT (tenant_id) DO UPDATE SET owner = excluded.owner, n = tenant_heads.n + 1
RETURNING n, seq, digest"""
# They are kept to be looked at, and name people; that it was given up stays in the journal.
_FORGET_GIVEN_UP = "DELETE FROM outbox WHERE tenant_id = %s AND failed_at < now() - interval '90 days'"
_RECLAIM = "UPDATE tenant_heads SET n = n + 1 WHERE tenant_id = %s AND owner = %s RETURNING n, seq, digest"
_ANSWERS = select_json(
    StoredAnswer,
    "idempotency_answers JOIN json_to_recordset(%s::json) AS k(who text, key text) USING (who, key) "
    "WHERE tenant_id = %s AND expires_at > now()",
)
# Lane by lane, so that the index gives each lane's longest due at once, however many wait there or elsewhere.
_OPEN_EFFECTS = "outbox WHERE tenant_id = %s AND lane = in_lane AND failed_at IS NULL AND id <> ALL(%s::uuid[])"
_DUE_EFFECTS = select_json(
    OutboxRow,
    "unnest(%s::text[], %s::bigint[]) AS asked(in_lane, room) CROSS JOIN LATERAL "  # noqa: S608
    f"(SELECT * FROM {_OPEN_EFFECTS} AND due_at <= %s ORDER BY due_at, id LIMIT room) AS due",
)
_NEXT_EFFECT_AT = (
    "SELECT min(due_at) FROM unnest(%s::text[]) AS asked(in_lane) CROSS JOIN LATERAL "  # noqa: S608
    f"(SELECT due_at FROM {_OPEN_EFFECTS} ORDER BY due_at LIMIT 1) AS first"
)


class PostgresTenantStore(TenantStore):
    """`owner` is this process's UUID. Has a connection of its own from `claim` on; the outbox reads through `pool`."""

    def __init__(self, dsn: str, tenant_id: str, owner: Id, pool: Pool) -> None:
        self._dsn, self._tenant_id, self._owner, self._pool = dsn, tenant_id, owner, pool
        self._open: Connection | None = None

    async def claim(self) -> Head:
        rows = await self._execute(_CLAIM, (self._tenant_id, self._owner, genesis(self._tenant_id)))
        await self._execute(_FORGET_GIVEN_UP, (self._tenant_id,))
        return _head(rows[0])

    async def reclaim(self) -> Head:
        rows = await self._execute(_RECLAIM, (self._tenant_id, self._owner))
        if not rows:
            raise Fenced(self._tenant_id)
        return _head(rows[0])

    async def load_live(self) -> tuple[list[Entity], list[tuple[Id, int]]]:
        async with unavailable():
            connection = await self._connection()
            entities = await loaders.load_live(connection, self._tenant_id)
            return entities, await loaders.ended_counts(connection, self._tenant_id)

    async def load(self, needs: Iterable[Need]) -> list[Entity]:
        async with unavailable():
            return await loaders.load_named(await self._connection(), self._tenant_id, needs)

    async def load_answers(self, keys: Iterable[tuple[str, str]]) -> list[StoredAnswer]:
        wanted = msgspec.json.encode([{"who": who, "key": key} for who, key in keys]).decode()
        ((answers,),) = await self._execute(_ANSWERS, (wanted, self._tenant_id))
        return decoder(StoredAnswer).decode(answers)

    async def commit(self, batch: Batch) -> None:
        try:
            made = statements(self._tenant_id, self._owner, batch)
        except (msgspec.EncodeError, UnicodeEncodeError) as error:
            raise CommitRefused(f"can't be written: {error}") from error
        try:
            await (await self._connection()).execute(made.sql, made.params)
        except StatementFailed as error:
            if error.sqlstate == FENCED:
                raise Fenced(self._tenant_id) from error
            if is_our_fault(error):
                raise CommitRefused(str(error), error.constraint) from error
            raise Unavailable(str(error)) from error
        except OutcomeUnknown as error:
            raise CommitInDoubt(str(error)) from error
        except StatementTimedOut as error:
            raise CommitTooSlow(str(error)) from error
        except DatabaseError as error:
            raise Unavailable(str(error)) from error

    async def due_effects(self, now: datetime, room: Mapping[str, int], under_way: Iterable[Id]) -> list[OutboxRow]:
        params = (list(room), list(room.values()), self._tenant_id, list(under_way), now)
        async with unavailable():
            rows = await self._pool.fetch_value(_DUE_EFFECTS, params)
        return decoder(OutboxRow).decode(rows)

    async def next_effect_at(self, lanes: Iterable[str], under_way: Iterable[Id]) -> datetime | None:
        params = (list(lanes), self._tenant_id, list(under_way))
        async with unavailable():
            found: datetime | None = await self._pool.fetch_value(_NEXT_EFFECT_AT, params)
        return found

    async def close(self) -> None:
        if self._open is not None:
            await self._open.close()

    async def _execute(self, sql: str, params: tuple[object, ...]) -> list[Row]:
        async with unavailable():
            return await (await self._connection()).execute(sql, params)

    async def _connection(self) -> Connection:
        if self._open is None or self._open.closed:
            self._open = await connect(self._dsn, statement_timeout_ms=COMMIT_TIMEOUT_MS)
        return self._open


def _head(row: Row) -> Head:
    n, seq, digest = row
    return Head(n=n, seq=seq, digest=digest)
