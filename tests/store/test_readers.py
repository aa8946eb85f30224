"""What the edges can list, search and look up, on a real PostgreSQL."""

from datetime import timedelta

import pytest
from msgspec import Struct
from msgspec.structs import replace

from decabilld.actors.ports import Unavailable
from decabilld.domain.entities import Entity, Invoice, ServicePlan, Subscription, User
from decabilld.store.pool import Pool
from decabilld.store.readers import Readers
from decabilld.store.tenant_store import PostgresTenantStore
from tests.store import samples as s

DAY = timedelta(days=1)
EVERYTHING = {"search": None, "user_id": None, "open_only": False, "limit": 100, "offset": 0}


class Shop(Struct):
    """Two customers of `acme`; `ended` is closed. `bills` are the invoices by name, in the order of their making."""

    readers: Readers
    anna: User
    ben: User
    plan: ServicePlan
    running: Subscription
    ended: Subscription
    foreign: Subscription
    bills: dict[str, Invoice]
    rest: list[Entity]

    async def found(self, **query: object) -> tuple[list[str], int]:
        """The names of the invoices that a search lists."""
        listed, total = await self.readers.invoices("acme", **{**EVERYTHING, **query})  # type: ignore[arg-type]
        names = {bill.id: name for name, bill in self.bills.items()}
        return [names[one.invoice.id] for one in listed], total


@pytest.fixture
async def shop(store: PostgresTenantStore, pool: Pool, database: str) -> Shop:
    anna, ben = s.user(email="Anna@Example.org"), s.user(email="ben@example.org")
    plan = s.plan()
    running = s.subscription(anna, plan, number="SUB-000001")
    ended = s.subscription(anna, plan, number="SUB-000002", status="canceled", created_at=s.NOW + DAY)
    foreign = s.subscription(ben, plan, number="SUB-000003")
    both = {"subscription_ids": (running.id, ended.id)}
    bills = {
        "paid": s.invoice(running, number="INV-2025-00009", **s.PAID, **both),
        "void": s.invoice(running, **s.void("INV-2026-00001"), created_at=s.NOW + DAY),
        "open": s.invoice(running, number="INV-2026-00002", created_at=s.NOW + 2 * DAY),
        "draft": s.invoice(running, **s.DRAFT, created_at=s.NOW + 3 * DAY),
        "bens": s.invoice(foreign, number="INV-2026-00003", status="overdue", created_at=s.NOW + 4 * DAY),
        "manual": s.invoice(foreign, number="INV-2026-00004", subscription_id=None, subscription_ids=(),
                            created_at=s.NOW + 5 * DAY, origin="manual"),
    }  # fmt: skip
    rest: list[Entity] = [
        s.profile(ben, first_name="Ben", last_name="100%er", company="Wörner_GmbH"),
        s.item(running), s.item(running, released_at=s.NOW), s.item(foreign),
        s.usage(running), s.usage(running, period_start=s.NOW + DAY), s.usage(foreign),
        s.payment(bills["paid"], received_at=s.NOW + DAY), s.payment(bills["paid"]), s.payment(bills["bens"]),
        s.billing_run(status="done"),
    ]  # fmt: skip
    head = await store.claim()
    entities = [anna, ben, plan, running, ended, foreign, *bills.values(), *rest]
    about = {"invoice_id": bills["open"].id}
    batch = s.batch(head, entities, rows=s.journal(head, 3, **about))
    await store.commit(batch)
    await store.commit(s.batch(batch.head, rows=s.journal(batch.head, 2)))
    await fill_other_tenant(database, pool, entities, about)
    return Shop(Readers(pool), anna, ben, plan, running, ended, foreign, bills, rest)


async def fill_other_tenant(database: str, pool: Pool, entities: list[Entity], about: dict[str, str]) -> None:
    """Another tenant has rows of the very same ids, in another order and with other numbers: they must never show."""
    other = PostgresTenantStore(database, "other", s.new_id(), pool)
    head = await other.claim()
    theirs = [
        replace(entity, number=f"X-{entity.id}") if getattr(entity, "number", None) else entity for entity in entities
    ]
    await other.commit(s.batch(head, theirs, rows=s.journal(head, 4, **about)))
    await other.close()


async def test_users(shop: Shop) -> None:
    newest_first = sorted([shop.anna, shop.ben], key=lambda user: user.id, reverse=True)
    assert await shop.readers.users("acme", limit=10, offset=0) == newest_first
    assert await shop.readers.users("acme", limit=10, offset=1) == newest_first[1:]


async def test_subscriptions_of_a_user_newest_first(shop: Shop) -> None:
    anna = shop.anna.id
    assert await shop.readers.subscriptions_of_user("acme", anna, limit=10, offset=0) == [shop.ended, shop.running]
    assert await shop.readers.subscriptions_of_user("acme", anna, limit=1, offset=1) == [shop.running]
    assert await shop.readers.subscriptions_of_user("nobody", anna, limit=10, offset=0) == []


async def test_by_id(shop: Shop) -> None:
    readers, run = shop.readers, shop.rest[-1]
    assert await readers.subscription("acme", shop.ended.id) == shop.ended
    assert await readers.invoice("acme", shop.bills["void"].id) == shop.bills["void"]
    assert await readers.billing_run("acme", run.id) == run
    assert await readers.subscription("acme", s.new_id()) is None
    assert await readers.invoice("nobody", shop.bills["void"].id) is None


async def test_subscription_numbers(shop: Shop) -> None:
    ids = {shop.running.id, shop.foreign.id, s.new_id()}
    assert await shop.readers.subscription_numbers("acme", ids) == {
        shop.running.id: "SUB-000001",
        shop.foreign.id: "SUB-000003",
    }
    assert await shop.readers.subscription_numbers("acme", []) == {}


async def test_what_belongs_to_a_subscription(shop: Shop) -> None:
    readers, running, rest = shop.readers, shop.running.id, shop.rest
    items = sorted(rest[1:3], key=lambda item: item.id)
    assert await readers.items_of_subscription("acme", running) == items


async def test_invoices_of_a_subscription_without_drafts(shop: Shop) -> None:
    readers, bills = shop.readers, shop.bills
    found = await readers.invoices_of_subscription("acme", shop.running.id, limit=10)
    assert found == [bills["open"], bills["void"], bills["paid"]]
    assert await readers.invoices_of_subscription("acme", shop.running.id, limit=1) == [bills["open"]]
    assert await readers.invoices_of_subscription("acme", shop.ended.id, limit=10) == [bills["paid"]]


async def test_all_invoices_in_pages(shop: Shop) -> None:
    assert await shop.found() == (["manual", "bens", "draft", "open", "void", "paid"], 6)
    assert await shop.found(limit=2, offset=1) == (["bens", "draft"], 6)
    assert await shop.found(offset=9) == ([], 6)
    assert await shop.found(open_only=True) == (["manual", "bens", "open"], 3)
    assert await shop.found(user_id=shop.anna.id, open_only=True) == (["open"], 1)


async def test_what_is_shown_beside_an_invoice(shop: Shop) -> None:
    listed, _ = await shop.readers.invoices("acme", **EVERYTHING)  # type: ignore[arg-type]
    beside = [(one.user_email, one.subscription_number) for one in listed]
    anna = ("Anna@Example.org", "SUB-000001")
    assert beside == [("ben@example.org", None), ("ben@example.org", "SUB-000003"), anna, anna, anna, anna]


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("inv-2026", ["manual", "bens", "open", "void"]),
        ("00001-CN", ["void"]),
        ("SUB-000003", ["bens"]),
        ("sub-000002", ["paid"]),
        ("anna@EXAMPLE", ["draft", "open", "void", "paid"]),
        ("ben 100%er", ["manual", "bens"]),
        ("WÖRNER_", ["manual", "bens"]),
        ("", ["manual", "bens", "draft", "open", "void", "paid"]),
        ("%", ["manual", "bens"]),
        ("'; DROP TABLE users; --", []),
        ("%s %(tenant)s \\", []),
        ("X-", []),
    ],
)
async def test_search(shop: Shop, search: str, names: list[str]) -> None:
    assert await shop.found(search=search) == (names, len(names))


async def test_search_by_user_id(shop: Shop) -> None:
    assert await shop.found(search=shop.ben.id[:13].upper()) == (["manual", "bens"], 2)


async def test_journal_of_an_invoice_newest_first(shop: Shop) -> None:
    bill = shop.bills["open"].id
    rows, total = await shop.readers.journal_of_invoice("acme", bill, limit=2, offset=1)
    assert ([row.seq for row in rows], total) == ([2, 1], 3)
    assert {row.invoice_id for row in rows} == {bill}


async def test_no_database_is_unavailable(shop: Shop, pool: Pool) -> None:
    await pool.close()
    with pytest.raises(Unavailable):
        await shop.readers.invoice("acme", s.new_id())
