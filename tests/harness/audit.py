"""What must be true of a tenant after every story, whatever happened in it: the audit that ends each of them."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC
from typing import Any, TypeVar
from uuid import uuid4
from zoneinfo import ZoneInfo

from decabilld.actors.preview import preview
from decabilld.actors.registry import Tenants
from decabilld.actors.tenant.indexes import INDEXES
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.checkout_amounts import least_invoiced_minor
from decabilld.domain.entities import Entity, Invoice, Position, Timetable
from decabilld.messages.commands import DoDueWork, MoveTestClock
from decabilld.store import books, journal
from decabilld.store.columns import all_entities
from decabilld.store.pool import Connection, Pool, connect
from decabilld.store.rows import decoder, select_json
from decabilld.store.tenant_store import PostgresTenantStore
from tests.harness import documents

E = TypeVar("E", bound=Entity)
QUIET_SECONDS = 30.0


class Audit:
    """Looks at the database at `dsn` from outside, and at memory through the tenants."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def check(self, tenant: str, tenants: Tenants) -> None:
        """Books sound, chain whole, memory equal to the database, nothing left to bill. Raises AssertionError."""
        await self.quiet(tenant)
        await self.sound(tenant, tenants.actor(tenant).policy.zone)
        await self.memory_equals_database(tenant, tenants)
        before = await self._billed(tenant)
        timetable = tenants.published(tenant).timetable
        if timetable.test_clock is not None:
            again: MoveTestClock | DoDueWork = MoveTestClock(to=timetable.test_clock)
        else:
            again = DoDueWork()
        await tenants.ask(tenant, again, who="test", cause="audit")
        assert await self._billed(tenant) == before, "moving the clock to where it stands bills something more"
        await self.preview_finds_what_is_open(tenant, tenants)

    async def sound(self, tenant: str, zone: ZoneInfo) -> None:
        """Books and chain, and every document: XSD, schematron, and a page that shows what its XML states."""
        assert (found := await self.faults(tenant)) == [], found
        for invoice in await self.rows(Invoice, tenant, "number IS NOT NULL"):
            assert (found := documents.faults(invoice, zone)) == [], found

    async def preview_finds_what_is_open(self, tenant: str, tenants: Tenants) -> None:
        """Billing everybody now would invoice open positions, each once, and nothing besides.

        Left would be those of whoever can't be invoiced, and what is too little for an invoice.
        """
        state, now = tenants.published(tenant), tenants.now(tenant)
        policy = tenants.actor(tenant).policy
        foreseen = await preview(state, now=now, at=now, only_user_id=None, policy=policy)
        billed = [line.position_id for invoice in foreseen.invoices for line in invoice.lines]
        closing = set(billed)
        assert len(billed) == len(closing)
        assert closing <= set(state.all(Position))
        refused = {error.user_id for error in foreseen.errors}
        left = Counter[tuple[str, str]]()
        for position in state.all(Position).values():
            if position.id not in closing and position.user_id not in refused:
                left[position.user_id, position.currency] += position.net_minor
        for (_, currency), net_minor in left.items():
            assert 0 < net_minor < least_invoiced_minor(currency, policy), left

    async def faults(self, tenant: str) -> list[str]:
        """Of the books and of the journal's chain."""
        connection = await self._connected()
        found = await books.faults(connection, tenant)
        verified = await journal.verify(connection, tenant)
        return found if verified.fault is None else [*found, f"journal: {verified.fault}"]

    async def memory_equals_database(self, tenant: str, tenants: Tenants) -> None:
        """The published state is the one that a fresh start would load, with every index and tally."""
        pool = await Pool.open(self._dsn, size=1)
        store = PostgresTenantStore(self._dsn, tenant, str(uuid4()), pool)
        try:
            entities, ended = await store.load_live()
        finally:
            await store.close()
            await pool.close()
        fresh = TenantState(tenant_id=tenant).with_changes(entities).with_ended_counts(ended)
        published = tenants.published(tenant)
        for kind in all_entities():
            assert dict(published.all(kind)) == dict(fresh.all(kind)), f"{kind.table} in memory and database differ"
        for index in (index for of_kind in INDEXES.values() for index in of_kind):
            assert _buckets(published, index.name) == _buckets(fresh, index.name), f"index {index.name} is wrong"
        assert _counted(published.tallies) == _counted(fresh.tallies)
        assert _counted(published.ended) == _counted(fresh.ended)
        assert not published.closed

    async def quiet(self, tenant: str) -> None:
        """Waits until no effect is left to do."""
        async with asyncio.timeout(QUIET_SECONDS):
            while await self._count("outbox", tenant, "failed_at IS NULL"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def rows(self, kind: type[E], tenant: str, condition: str = "true", *params: Any) -> list[E]:
        """All of a kind, closed ones too, the oldest first."""
        order = "(SELECT min(seq) FROM journal j WHERE j.tenant_id = t.tenant_id AND j.entity_id = t.id), id"
        sql = select_json(kind, f"{kind.table} t WHERE tenant_id = %s AND {condition} ORDER BY {order}")
        return decoder(kind).decode(await self._value(sql, tenant, *params))

    async def billed(self, tenant: str) -> list[tuple[Any, ...]]:
        """Positions and invoices in words that are the same for two tenants that lived the same life."""
        users = {user_id: n for n, user_id in enumerate(await self._ids("users", tenant))}
        subscriptions = {found: n for n, found in enumerate(await self._ids("subscriptions", tenant))}
        positions = await self.rows(Position, tenant)
        invoices = await self.rows(Invoice, tenant)
        numbers = {invoice.id: invoice.number for invoice in invoices}
        charged = [
            ("position", subscriptions[p.subscription_id], p.kind, p.period_start, p.period_end, p.description,
             p.net_minor, p.share_numerator, p.created_at, p.closed_at, numbers.get(p.invoice_id or ""))
            for p in positions
        ]  # fmt: skip
        issued = [
            ("invoice", i.number, users[i.user_id], i.status, i.issued_at, i.due_date, i.balance_minor,
             i.total_gross_minor, tuple((x.description, x.net_minor, x.tax_minor, x.period_start) for x in i.lines))
            for i in invoices
        ]  # fmt: skip
        return sorted(charged, key=repr) + sorted(issued, key=repr)

    async def tenant_time(self, tenant: str) -> str:
        """Where the test clock stands, in UTC."""
        (timetable,) = await self.rows(Timetable, tenant)
        assert timetable.test_clock is not None, "the clock was moved"
        return timetable.test_clock.astimezone(UTC).isoformat()

    async def journal_kinds(self, tenant: str) -> list[str]:
        sql = "SELECT coalesce(array_agg(kind ORDER BY seq), '{}') FROM journal WHERE tenant_id = %s"
        return list(await self._value(sql, tenant))

    async def journal_levels(self, tenant: str) -> dict[str, list[str]]:
        """By kind, the levels of its entries, the oldest first."""
        by_kind = "SELECT kind, json_agg(level ORDER BY seq) AS levels FROM journal WHERE tenant_id = %s GROUP BY kind"
        sql = f"SELECT coalesce(json_object_agg(kind, levels), '{{}}') FROM ({by_kind}) AS told"
        return dict(await self._value(sql, tenant))

    async def _billed(self, tenant: str) -> tuple[int, ...]:
        return tuple([await self._count(table, tenant) for table in ("positions", "invoices", "journal")])

    async def _ids(self, table: str, tenant: str) -> list[str]:
        sql = f"SELECT coalesce(array_agg(id::text ORDER BY id), '{{}}') FROM {table} WHERE tenant_id = %s"
        return list(await self._value(sql, tenant))

    async def _count(self, table: str, tenant: str, condition: str = "true") -> int:
        return int(await self._value(f"SELECT count(*) FROM {table} WHERE tenant_id = %s AND {condition}", tenant))

    async def _value(self, sql: str, *params: Any) -> Any:
        ((value,),) = await (await self._connected()).execute(sql, params)
        return value

    async def _connected(self) -> Connection:
        """One for all questions: a new one costs more than what it asks."""
        if self._connection is None or self._connection.closed:
            self._connection = await connect(self._dsn, statement_timeout_ms=60_000)
        return self._connection


def _buckets(state: TenantState, name: str) -> dict[Any, set[str]]:
    return {key: set(bucket) for key, bucket in state.indexes.get(name, {}).items()}


def _counted(counts: Mapping[Any, int]) -> dict[Any, int]:
    return {key: count for key, count in counts.items() if count}
