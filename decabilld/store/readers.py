"""Lists, searches and closed things for those who only look: the one room of the store that the edges may enter.

Owns their SQL; newest first, in an order that ties don't change. What is live is quicker asked of the tenant's
published state. All raise `actors.ports.Unavailable` when the database is away.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from decabilld.actors.ports import Labelled
from decabilld.domain.entities import (
    Backorder,
    BillingRun,
    CustomerProfile,
    Entity,
    Id,
    Invoice,
    Position,
    Subscription,
    SubscriptionItem,
    UsageRecord,
    User,
)
from decabilld.domain.journal import JournalRow
from decabilld.store.pool import Pool
from decabilld.store.rows import S, decoder, select_json, unavailable
from decabilld.store.statistics import Statistics

E = TypeVar("E", bound=Entity)

_NEWEST_FIRST = "ORDER BY created_at DESC, id DESC LIMIT %(limit)s"
_USERS = f"users WHERE tenant_id = %(tenant)s AND deleted_at IS NULL {_NEWEST_FIRST} OFFSET %(offset)s"
_OF_USER = f"subscriptions WHERE tenant_id = %(tenant)s AND user_id = %(user)s {_NEWEST_FIRST} OFFSET %(offset)s"
_ITEMS = (
    "subscription_items WHERE tenant_id = %(tenant)s AND subscription_id = %(subscription)s ORDER BY created_at, id"
)
_ITEMS_BY_ID = "subscription_items WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s::uuid[]) ORDER BY id"
_LABELLED = """
SELECT coalesce(json_object_agg(id, json_build_object('tenant_id', tenant_id, 'live', released_at IS NULL)), '{}')::text
FROM subscription_items WHERE id = ANY(%(ids)s::uuid[])"""
_BACKORDERS = f"backorders WHERE tenant_id = %(tenant)s AND user_id = %(user)s {_NEWEST_FIRST} OFFSET %(offset)s"
_COUNT_OF_USER = "SELECT count(*) FROM invoices WHERE tenant_id = %(tenant)s AND user_id = %(user)s"
_PROFILES = """customer_profiles p WHERE tenant_id = %(tenant)s AND EXISTS (
    SELECT FROM users u WHERE u.tenant_id = p.tenant_id AND u.id = p.user_id AND u.deleted_at IS NULL
)"""
_NUMBERS = """
SELECT coalesce(json_object_agg(id, number), '{}')::text
FROM subscriptions WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s::uuid[])"""
_WITH_A_LINE_OF = f"""invoices WHERE tenant_id = %(tenant)s AND subscription_ids @> ARRAY[%(subscription)s]::uuid[]
    AND status <> 'draft' {_NEWEST_FIRST}"""
_PAYMENT = """
SELECT coalesce((SELECT json_build_object('tenant_id', tenant_id, 'invoice_id', invoice_id) FROM payments
    WHERE tenant_id = ANY(%(tenants)s) AND reference = %(reference)s AND source = 'stripe' LIMIT 1), 'null')::text"""
_OF_INVOICE = """journal WHERE tenant_id = %(tenant)s AND seq IN (
    SELECT seq FROM journal WHERE tenant_id = %(tenant)s AND invoice_id = %(invoice)s
    UNION
    SELECT run.seq FROM journal issued JOIN journal run ON run.tenant_id = issued.tenant_id
    AND run.entity_id = (issued.data ->> 'run_id')::uuid AND run.kind IN ('billing_run.queued', 'billing_run.started')
    WHERE issued.tenant_id = %(tenant)s AND issued.invoice_id = %(invoice)s AND issued.kind = 'invoice.issued'
)"""

# A union, not conditions joined by OR: users and subscriptions are searched once, not for every invoice.
_MATCHES = """id IN (
    SELECT id FROM invoices WHERE tenant_id = %(tenant)s
    AND (strpos(lower(number), %(search)s) > 0 OR strpos(lower(credit_note_number), %(search)s) > 0)
    UNION
    SELECT i.id FROM users u JOIN invoices i ON i.tenant_id = u.tenant_id AND i.user_id = u.id
    LEFT JOIN customer_profiles p ON p.tenant_id = u.tenant_id AND p.user_id = u.id
    WHERE u.tenant_id = %(tenant)s
    AND strpos(lower(concat_ws(' ', u.id, u.email, p.first_name, p.last_name, p.company)), %(search)s) > 0
    UNION
    SELECT i.id FROM invoices i CROSS JOIN unnest(i.subscription_ids) AS line(subscription_id)
    JOIN subscriptions s ON s.tenant_id = i.tenant_id AND s.id = line.subscription_id
    WHERE i.tenant_id = %(tenant)s AND strpos(lower(s.number), %(search)s) > 0
)"""
_PAGE = """
WITH found AS {} (SELECT id, created_at FROM invoices WHERE {})
SELECT (SELECT count(*) FROM found), ARRAY(
    SELECT id::text FROM found ORDER BY created_at DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s
)"""
_BY_IDS = "invoices WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s::uuid[]) ORDER BY created_at DESC, id DESC"
_OPEN = "status IN ('issued', 'partially_paid', 'overdue')"
_BESIDE = """
SELECT coalesce(json_agg(json_build_object('email', u.email, 'number', s.number) ORDER BY i.place), '[]')::text
FROM unnest(%(users)s::uuid[], %(subscriptions)s::uuid[]) WITH ORDINALITY AS i(user_id, subscription_id, place)
LEFT JOIN users u ON u.tenant_id = %(tenant)s AND u.id = i.user_id
LEFT JOIN subscriptions s ON s.tenant_id = %(tenant)s AND s.id = i.subscription_id"""


class Listed(Struct, frozen=True, kw_only=True):
    """An invoice in a list of the operator's, with what is shown beside it."""

    invoice: Invoice
    subscription_number: str | None
    user_email: str | None


class PaidInvoice(Struct, frozen=True, kw_only=True):
    """Which tenant's invoice a payment is for."""

    tenant_id: str
    invoice_id: Id


class Behind(Struct, frozen=True, kw_only=True):
    """What an invoice's lines came from, by id."""

    positions: dict[Id, Position]
    subscriptions: dict[Id, Subscription]
    usage: dict[Id, UsageRecord]


class _Beside(Struct, frozen=True):
    email: str | None
    number: str | None


class Readers:
    """Reads for any tenant over a shared pool; every method takes the tenant first."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.statistics = Statistics(pool)

    async def users(self, tenant_id: str, *, limit: int, offset: int) -> list[User]:
        return await self._rows(User, _USERS, tenant=tenant_id, limit=limit, offset=offset)

    async def invoices_of_user(self, tenant_id: str, user_id: Id) -> int:
        """How many invoices a customer has, drafts too."""
        count: int = await self._value(_COUNT_OF_USER, tenant=tenant_id, user=user_id)
        return count

    async def customer_profiles(self, tenant_id: str, *, limit: int, offset: int) -> tuple[list[CustomerProfile], int]:
        """A page of the profiles of users who aren't deleted, and how many there are."""
        total = await self._value(f"SELECT count(*) FROM {_PROFILES}", tenant=tenant_id)  # noqa: S608
        page = f"{_PROFILES} {_NEWEST_FIRST} OFFSET %(offset)s"
        return await self._rows(CustomerProfile, page, tenant=tenant_id, limit=limit, offset=offset), total

    async def subscription(self, tenant_id: str, subscription_id: Id) -> Subscription | None:
        return await self._one(Subscription, tenant_id, subscription_id)

    async def subscriptions_of_user(
        self, tenant_id: str, user_id: Id, *, limit: int, offset: int
    ) -> list[Subscription]:
        return await self._rows(Subscription, _OF_USER, tenant=tenant_id, user=user_id, limit=limit, offset=offset)

    async def subscription_numbers(self, tenant_id: str, subscription_ids: Iterable[Id]) -> dict[Id, str]:
        """The numbers of those that exist."""
        numbers = await self._value(_NUMBERS, tenant=tenant_id, ids=list(subscription_ids))
        return msgspec.json.decode(numbers, type=dict[Id, str])

    async def items_of_subscription(self, tenant_id: str, subscription_id: Id) -> list[SubscriptionItem]:
        """All of them, released ones too, the oldest first."""
        return await self._rows(SubscriptionItem, _ITEMS, tenant=tenant_id, subscription=subscription_id)

    async def item(self, tenant_id: str, item_id: Id) -> SubscriptionItem | None:
        return await self._one(SubscriptionItem, tenant_id, item_id)

    async def items(self, tenant_id: str, item_ids: Iterable[Id]) -> dict[Id, SubscriptionItem]:
        """Those that exist, released ones too."""
        found = await self._rows(SubscriptionItem, _ITEMS_BY_ID, tenant=tenant_id, ids=list(item_ids))
        return {item.id: item for item in found}

    async def labelled_items(self, item_ids: Iterable[Id]) -> dict[Id, Labelled]:
        """Those that exist, of any tenant, also of those that aren't served here."""
        found = await self._value(_LABELLED, ids=list(item_ids))
        return msgspec.json.decode(found, type=dict[Id, Labelled])

    async def backorder(self, tenant_id: str, backorder_id: Id) -> Backorder | None:
        return await self._one(Backorder, tenant_id, backorder_id)

    async def backorders_of_user(self, tenant_id: str, user_id: Id, *, limit: int, offset: int) -> list[Backorder]:
        return await self._rows(Backorder, _BACKORDERS, tenant=tenant_id, user=user_id, limit=limit, offset=offset)

    async def invoice(self, tenant_id: str, invoice_id: Id) -> Invoice | None:
        return await self._one(Invoice, tenant_id, invoice_id)

    async def invoice_paid_by(self, reference: str, tenant_ids: Iterable[str]) -> PaidInvoice | None:
        """What the processor's payment of that reference was booked for, in any of these tenants."""
        found = await self._value(_PAYMENT, reference=reference, tenants=list(tenant_ids))
        return msgspec.json.decode(found, type=PaidInvoice | None)

    async def invoices_of_subscription(self, tenant_id: str, subscription_id: Id, *, limit: int) -> list[Invoice]:
        """Those with a line of the subscription, without drafts."""
        return await self._rows(Invoice, _WITH_A_LINE_OF, tenant=tenant_id, subscription=subscription_id, limit=limit)

    async def invoices(
        self, tenant_id: str, *, search: str | None, user_id: Id | None, open_only: bool, limit: int, offset: int
    ) -> tuple[list[Listed], int]:
        """A page of all invoices, drafts too, and how many there are.

        `search`: part of the invoice's or credit note's number, of the number of a subscription on it, of the
        customer's e-mail, name or id; case doesn't count. `open_only`: issued, partially paid or overdue.
        """
        conditions = ["tenant_id = %(tenant)s"]
        if open_only:
            conditions.append(_OPEN)
        if user_id is not None:
            conditions.append("user_id = %(user)s")
        if search:
            conditions.append(_MATCHES)
        # The planner can't know how much a search matches, and would try it invoice by invoice.
        sql = _PAGE.format("MATERIALIZED" if search else "NOT MATERIALIZED", " AND ".join(conditions))
        wanted = {"tenant": tenant_id, "user": user_id, "search": (search or "").lower()}
        async with unavailable():
            ((total, ids),) = await self._pool.fetch_all(sql, {**wanted, "limit": limit, "offset": offset})
        found = await self._rows(Invoice, _BY_IDS, tenant=tenant_id, ids=ids)
        return await self._listed(tenant_id, found), total

    async def behind_lines(self, tenant_id: str, invoice: Invoice) -> Behind:
        """The positions that an invoice was made of, their subscriptions, and the usage they charge; by id."""
        positions = await self._by_ids(Position, tenant_id, {line.position_id for line in invoice.lines})
        usage_ids = {position.source for position in positions.values() if position.kind == "usage"}
        return Behind(
            positions=positions,
            subscriptions=await self._by_ids(Subscription, tenant_id, invoice.subscription_ids),
            usage=await self._by_ids(UsageRecord, tenant_id, usage_ids),
        )

    async def journal_of_invoice(
        self, tenant_id: str, invoice_id: Id, *, limit: int, offset: int
    ) -> tuple[list[JournalRow], int]:
        """A page of the entries about an invoice, the newest first, and how many there are.

        The beginning of the run that issued it is one of them: that is where it is said who asked for it.
        """
        about = {"tenant": tenant_id, "invoice": invoice_id}
        total = await self._value(f"SELECT count(*) FROM {_OF_INVOICE}", **about)  # noqa: S608
        page = f"{_OF_INVOICE} ORDER BY seq DESC LIMIT %(limit)s OFFSET %(offset)s"
        return await self._rows(JournalRow, page, **about, limit=limit, offset=offset), total

    async def billing_run(self, tenant_id: str, run_id: Id) -> BillingRun | None:
        return await self._one(BillingRun, tenant_id, run_id)

    async def _listed(self, tenant_id: str, invoices: list[Invoice]) -> list[Listed]:
        beside = await self._value(
            _BESIDE,
            tenant=tenant_id,
            users=[invoice.user_id for invoice in invoices],
            subscriptions=[invoice.subscription_id for invoice in invoices],
        )
        return [
            Listed(invoice=invoice, subscription_number=shown.number, user_email=shown.email)
            for invoice, shown in zip(invoices, decoder(_Beside).decode(beside), strict=True)
        ]

    async def _one(self, kind: type[E], tenant_id: str, entity_id: Id) -> E | None:
        rows = await self._rows(kind, f"{kind.table} WHERE tenant_id = %(tenant)s AND id = %(id)s", tenant=tenant_id,
                                id=entity_id)  # fmt: skip
        return rows[0] if rows else None

    async def _by_ids(self, kind: type[E], tenant_id: str, ids: Iterable[Id | None]) -> dict[Id, E]:
        wanted = [one for one in ids if one is not None]
        of_ids = f"{kind.table} WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s::uuid[])"
        found = await self._rows(kind, of_ids, tenant=tenant_id, ids=wanted) if wanted else []
        return {one.id: one for one in found}

    async def _rows(self, kind: type[S], rest: str, **params: object) -> list[S]:
        return decoder(kind).decode(await self._value(select_json(kind, rest), **params))

    async def _value(self, sql: str, **params: object) -> Any:
        async with unavailable():
            return await self._pool.fetch_value(sql, params)
