"""A tenant's store on a real PostgreSQL: what is committed is loaded again, and nothing else ever is."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from decabilld.actors.ports import CommitInDoubt, CommitRefused, Fenced, Head, OutboxRow, Unavailable
from decabilld.domain import entities as e
from decabilld.domain.journal import genesis
from decabilld.store import loaders
from decabilld.store.pool import Connection, Pool
from decabilld.store.tenant_store import PostgresTenantStore
from decabilld.store.writer import WRITE_ORDER, statements
from tests.store import samples as s

TEN = {"documents": 10}


def by_key(entities: list[e.Entity]) -> dict[tuple[str, e.Id], e.Entity]:
    return {(entity.table, entity.id): entity for entity in entities}


# --- ownership ---


async def test_first_claim_begins_the_journal(store: PostgresTenantStore) -> None:
    assert await store.claim() == Head(n=0, seq=0, digest=genesis("acme"))


async def test_claim_finds_the_head_where_it_was(store: PostgresTenantStore, database: str, pool: Pool) -> None:
    head = await store.claim()
    written = s.batch(head, rows=s.journal(head, 2))
    await store.commit(written)
    heir = PostgresTenantStore(database, "acme", str(uuid4()), pool)
    found = await heir.claim()
    assert (found.seq, found.digest) == (2, written.head.digest)
    await heir.close()


async def test_who_lost_the_tenant_writes_nothing(store: PostgresTenantStore, database: str, pool: Pool) -> None:
    head = await store.claim()
    heir = PostgresTenantStore(database, "acme", str(uuid4()), pool)
    inherited = await heir.claim()
    late = s.user()
    with pytest.raises(Fenced):
        await store.commit(s.batch(head, [late]))
    with pytest.raises(Fenced):
        await store.commit(s.batch(inherited, [late]))
    with pytest.raises(Fenced):
        await store.reclaim()
    assert await heir.load([(e.User, late.id)]) == []
    await heir.commit(s.batch(inherited, [late]))
    await heir.close()


async def test_tenants_do_not_see_each_other(store: PostgresTenantStore, database: str, pool: Pool) -> None:
    other = PostgresTenantStore(database, "other", str(uuid4()), pool)
    head, other_head = await store.claim(), await other.claim()
    entities = s.one_of_each()
    await store.commit(s.batch(head, entities, rows=s.journal(head, 1), effects=[s.effect()]))
    assert await other.load([(type(entity), entity.id) for entity in entities]) == []
    assert await other.load_live() == ([], [])
    assert await other.due_effects(s.NOW, TEN, []) == []
    await other.commit(s.batch(other_head, entities, rows=s.journal(other_head, 1)))
    await other.close()


# --- what is written is read ---


async def test_every_kind_comes_back_as_it_was(store: PostgresTenantStore) -> None:
    head = await store.claim()
    entities = s.one_of_each()
    assert {type(entity) for entity in entities} == set(WRITE_ORDER)
    await store.commit(s.batch(head, entities))
    found = await store.load([(type(entity), entity.id) for entity in entities])
    assert by_key(found) == by_key(entities)


async def test_numbers_in_free_objects_stay_exact_numbers(store: PostgresTenantStore) -> None:
    """As text, a plan's defaults would fit their schema no more after a restart."""
    head = await store.claim()
    free = {"ratio": Decimal("1.5"), "exact": [Decimal("0.1234567890123456789012")], "text": "1.5", "whole": 3}
    plan = s.plan(provider_config_defaults=free)
    await store.commit(s.batch(head, [plan]))
    (found,) = await store.load([(e.ServicePlan, plan.id)])
    assert found == plan
    assert repr(found.provider_config_defaults["ratio"]) == "Decimal('1.5')"


async def test_a_later_version_replaces_the_whole_row(store: PostgresTenantStore) -> None:
    head = await store.claim()
    buyer = s.user()
    before = s.profile(buyer, company="Old", city="Leipzig")
    after = replace(before, company=None, city="Halle", updated_at=s.NOW + timedelta(days=1))
    first = s.batch(head, [buyer, before])
    await store.commit(first)
    await store.commit(s.batch(first.head, [after]))
    assert await store.load([(e.CustomerProfile, before.id)]) == [after]


async def test_unknown_and_malformed_ids_are_nobody(store: PostgresTenantStore) -> None:
    await store.claim()
    assert await store.load([(e.Invoice, s.new_id()), (e.User, "it's 100% none"), (e.User, "")]) == []
    assert await store.load([]) == []


LIVES: list[tuple[type[e.Entity], dict[str, list[Any]]]] = [
    (e.User, {"deleted_at": [None, s.NOW]}),
    (e.OneTimeCode, {"used_at": [None, s.NOW]}),
    (e.RevokedToken, {"forgotten": [False, True]}),
    (e.ServiceType, {"deleted_at": [None, s.NOW]}),
    (e.ServicePlan, {"deleted_at": [None, s.NOW]}),
    (e.Subscription, {"status": list(e.SubscriptionStatus.__args__)}),
    (e.SubscriptionItem, {"released_at": [None, s.NOW]}),
    (e.Backorder, {"status": list(e.BackorderStatus.__args__)}),
    (e.OrphanServer, {"gone_at": [None, s.NOW]}),
    (e.UsageRecord, {"position_id": [None, "of the position"]}),
    (e.Position, {"closed_at": [None, s.NOW]}),
    (e.Invoice, {"status": list(e.InvoiceStatus.__args__)}),
    (e.PaymentAttempt, {"status": list(e.AttemptStatus.__args__)}),
    (e.BillingRun, {"status": list(e.RunStatus.__args__)}),
]


def every_life() -> list[e.Entity]:
    """Each kind in each state that decides whether it is live."""
    buyer, other = s.user(), s.user()
    plan = s.plan()
    home = s.subscription(buyer, plan)
    charge = s.position(home)
    bill = s.invoice(home)
    made: list[e.Entity] = [
        buyer,
        other,
        plan,
        home,
        charge,
        bill,
        s.payment(bill),
        s.webhook_event(),
        s.profile(buyer),
    ]
    made += [s.code(who, used_at=used) for who, used in ((buyer, None), (other, s.NOW))]
    made += [s.user(deleted_at=s.NOW)] + [s.revoked(buyer, forgotten=forgotten) for forgotten in (False, True)]
    made += [s.service_type(deleted_at=at) for at in (None, s.NOW)] + [s.plan(deleted_at=s.NOW)]
    made += [s.subscription(buyer, plan, status=status) for status in e.SubscriptionStatus.__args__]
    waiting = s.item(home)
    made += [waiting, s.item(home, released_at=s.NOW)]
    kind = s.service_type()
    made += [kind, *(s.backorder(waiting, plan.id, kind.id, status=status) for status in e.BackorderStatus.__args__)]
    made += [s.orphan(gone_at=at) for at in (None, s.NOW)]
    made += [s.usage(home, position_id=position) for position in (None, charge.id)]
    made += [s.position(home, source="x", closed_at=s.NOW), s.invoice(home, **s.DRAFT), s.invoice(home, **s.PAID)]
    made += [s.invoice(home, status=status) for status in ("partially_paid", "overdue")]
    made += [s.invoice(home, **s.void("INV-2026-7"))]
    made += [s.attempt(bill, status=status) for status in e.AttemptStatus.__args__]
    made += [s.billing_run(status=status) for status in e.RunStatus.__args__]
    return made


async def test_live_means_the_same_to_the_database(store: PostgresTenantStore) -> None:
    head = await store.claim()
    entities = every_life()
    for kind, states in LIVES:
        for field, values in states.items():
            seen = {getattr(entity, field) for entity in entities if type(entity) is kind}
            assert len(seen) == len(values), f"{kind.__name__}.{field} is not tried in every state"
    assert set(loaders.LIVE) == {kind for kind, _ in LIVES}
    await store.commit(s.batch(head, entities))
    found, ended = await store.load_live()
    assert by_key(found) == by_key([entity for entity in entities if entity.live])
    canceled = [entity for entity in entities if isinstance(entity, e.Subscription) and not entity.live]
    assert dict(ended) == {canceled[0].user_id: len(canceled)}


async def test_pages_miss_nothing(store: PostgresTenantStore, monkeypatch: pytest.MonkeyPatch) -> None:
    head = await store.claim()
    users = [s.user() for _ in range(10)]
    await store.commit(s.batch(head, list(users)))
    monkeypatch.setattr(loaders, "PAGE_ROWS", 5)
    loaders.live_page.cache_clear()
    found, _ = await store.load_live()
    loaders.live_page.cache_clear()
    assert sorted(entity.id for entity in found) == sorted(user.id for user in users)


# --- refused, in doubt, away ---


@pytest.fixture
async def bought(store: PostgresTenantStore) -> tuple[Head, e.Subscription]:
    """A subscription with what it needs, committed."""
    head = await store.claim()
    buyer, plan = s.user(), s.plan()
    subscription = s.subscription(buyer, plan)
    batch = s.batch(head, [subscription, plan, buyer])
    await store.commit(batch)
    return batch.head, subscription


def twice(subscription: e.Subscription) -> dict[str, list[e.Entity]]:
    """By constraint: entities that can't both, or not so, be in the database."""
    of = subscription
    return {
        "users_email_once": [s.user(email_key="a@b"), s.user(email_key="a@b")],
        "customer_profiles_user_once": [s.profile(u := s.user()), s.profile(u), u],
        "service_types_key_once": [s.service_type(key="a"), s.service_type(key="a")],
        "subscriptions_number_once": [replace(of, id=s.new_id())],
        "subscriptions_cancel_has_date": [replace(of, status="pending_cancel", cancel_effective_at=None)],
        "invoices_number_once": [s.invoice(of, number="A"), s.invoice(of, number="A")],
        "invoices_credit_note_number_once": [
            s.invoice(of, **s.void("A")),
            s.invoice(of, **{**s.void("A"), "number": "B"}),
        ],
        "invoices_gross_adds_up": [s.invoice(of, tax_total_minor=381)],
        "invoices_balance_in_bounds": [s.invoice(of, balance_minor=2_380)],
        "invoices_closed_owe_nothing": [s.invoice(of, status="paid")],
        "invoices_numbered_when_issued": [s.invoice(of, number=None)],
        "invoices_void_has_credit_note": [s.invoice(of, status="void", balance_minor=0)],
        "positions_charged_once": [s.position(of), s.position(of)],
        "positions_invoiced_are_closed": [i := s.invoice(of), s.position(of, invoice_id=i.id)],
        "positions_tenant_id_invoice_id_fkey": [s.position(of, invoice_id=s.new_id(), closed_at=s.NOW)],
        "usage_records_once": [s.usage(of, digest="a"), s.usage(of, digest="a")],
        "payments_pkey": [i := s.invoice(of), p := s.payment(i), replace(p, amount_minor=1)],
        "webhook_events_once": [s.webhook_event(event_id="evt"), s.webhook_event(event_id="evt")],
        "number_ranges_series_once": [e.NumberRange(id=s.new_id(), series="SUB", last=n) for n in (1, 2)],
        "timetables_one_per_tenant": [
            e.Timetable(id=s.new_id(), billing_date_done=s.NOW.date(), zone="UTC") for _ in "ab"
        ],
    }


async def test_what_must_never_be_is_refused_whole(
    store: PostgresTenantStore, bought: tuple[Head, e.Subscription]
) -> None:
    head, subscription = bought
    witness = s.user()
    for constraint, entities in twice(subscription).items():
        with pytest.raises(CommitRefused) as refused:
            await store.commit(s.batch(head, [witness, *entities], rows=s.journal(head, 1), effects=[s.effect()]))
        assert refused.value.constraint == constraint
    assert await store.load([(e.User, witness.id)]) == []
    assert await store.due_effects(s.NOW, TEN, []) == []
    await store.commit(s.batch(head, [witness]))


async def test_a_key_is_free_again_once_its_service_type_is_deleted(store: PostgresTenantStore) -> None:
    head = await store.claim()
    old = s.service_type(key="vps")
    first = s.batch(head, [old])
    await store.commit(first)
    await store.commit(s.batch(first.head, [replace(old, deleted_at=s.NOW), s.service_type(key="vps")]))


@pytest.mark.parametrize("name", ["nul \0", "half a pair \ud800"])
async def test_text_that_the_database_cannot_keep_is_refused(store: PostgresTenantStore, name: str) -> None:
    head = await store.claim()
    with pytest.raises(CommitRefused):
        await store.commit(s.batch(head, [s.user(), s.plan(name=name)]))
    await store.commit(s.batch(head, [s.user()]))


async def test_connection_lost_during_a_commit_is_in_doubt(
    store: PostgresTenantStore, connection: Connection, pool: Pool, bought: tuple[Head, e.Subscription]
) -> None:
    head, subscription = bought
    await connection.execute("BEGIN")
    await connection.execute("SELECT FROM tenant_heads FOR UPDATE")
    commit = asyncio.create_task(store.commit(s.batch(head, [replace(subscription, period_index=9)])))
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    while not (found := await pool.fetch_one(waiting)):  # noqa: ASYNC110 (the event is another process's)
        await asyncio.sleep(0.01)
    await connection.execute("SELECT pg_terminate_backend(%s)", found)
    with pytest.raises(CommitInDoubt):
        await commit
    await connection.execute("COMMIT")
    again = await store.reclaim()
    assert again.n > head.n
    assert await store.load([(e.Subscription, subscription.id)]) == [subscription]
    with pytest.raises(Fenced):
        await store.commit(s.batch(head, [subscription]))


async def test_connection_lost_between_commits_is_opened_anew(
    store: PostgresTenantStore, connection: Connection, bought: tuple[Head, e.Subscription]
) -> None:
    head, subscription = bought
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    await connection.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")
    await asyncio.sleep(0.05)
    changed = replace(subscription, period_index=9)
    await store.commit(s.batch(head, [changed]))
    assert await store.load([(e.Subscription, subscription.id)]) == [changed]


async def test_no_database_is_unavailable(pool: Pool) -> None:
    nowhere = PostgresTenantStore("host=/nowhere dbname=x", "acme", str(uuid4()), pool)
    with pytest.raises(Unavailable):
        await nowhere.claim()
    with pytest.raises(Unavailable):
        await nowhere.commit(s.batch(Head(n=0, seq=0, digest=""), [s.user()]))


# --- outbox and answers ---


async def test_effects_wait_until_they_are_due_done_or_given_up(store: PostgresTenantStore) -> None:
    head = await store.claim()
    later = s.NOW + timedelta(minutes=1)
    second, first, future = s.effect(), s.effect(due_at=s.NOW - timedelta(seconds=1)), s.effect(due_at=later)
    batch = s.batch(head, effects=[second, first, future])
    await store.commit(batch)
    assert await store.due_effects(s.NOW, TEN, []) == [first, second]
    assert await store.due_effects(s.NOW, {"documents": 1}, []) == [first]
    assert await store.due_effects(s.NOW, TEN, [first.id]) == [second]
    assert await store.next_effect_at(TEN, []) == first.due_at
    assert await store.next_effect_at(TEN, [first.id, second.id]) == later

    postponed = replace(first, attempts=1, last_error="no", due_at=later)
    given_up = replace(future, failed_at=s.NOW, attempts=20)
    await store.commit(s.batch(batch.head, effects=[postponed, given_up], done=[second.id]))
    assert await store.due_effects(s.NOW, TEN, []) == []
    assert await store.due_effects(later, TEN, []) == [postponed]
    assert await store.next_effect_at(TEN, [first.id]) is None


async def test_what_was_given_up_long_ago_is_forgotten_at_the_next_start(
    store: PostgresTenantStore, connection: Connection
) -> None:
    now = datetime.now(UTC)
    old, recent = (s.effect(created_at=now, failed_at=now - timedelta(days=days)) for days in (91, 89))
    waiting = s.effect(created_at=now - timedelta(days=200), due_at=now)
    await store.commit(s.batch(await store.claim(), effects=[old, recent, waiting]))
    await store.claim()
    kept = await connection.execute("SELECT id::text FROM outbox ORDER BY created_at")
    assert kept == [(waiting.id,), (recent.id,)]


async def test_each_lane_has_its_own_room(store: PostgresTenantStore) -> None:
    def at(seconds: int, lane: str) -> OutboxRow:
        return s.effect(lane=lane, due_at=s.NOW + timedelta(seconds=seconds))

    documents = [at(number, "documents") for number in range(5)]
    prompt, servers = [at(8, "prompt"), at(9, "prompt")], [at(7, "servers")]
    await store.commit(s.batch(await store.claim(), effects=[*documents, *prompt, *servers]))
    later = s.NOW + timedelta(minutes=1)
    found = await store.due_effects(later, {"documents": 2, "prompt": 1}, [documents[0].id])
    assert sorted(found, key=lambda row: row.due_at) == [*documents[1:3], prompt[0]]
    assert await store.due_effects(later, {}, []) == []
    assert await store.next_effect_at(["prompt", "servers"], [servers[0].id]) == prompt[0].due_at
    assert await store.next_effect_at([], []) is None


async def test_answers_are_kept_until_they_expire(store: PostgresTenantStore, connection: Connection) -> None:
    head = await store.claim()
    kept, expired = s.answer(), s.answer(key="k", expires_at=s.NOW)
    batch = s.batch(head, answers=[kept, expired])
    await store.commit(batch)
    keys = [(kept.who, kept.key), (expired.who, expired.key), ("user:2", kept.key)]
    assert await store.load_answers(keys) == [kept]
    renewed = s.answer(key="k")
    await store.commit(s.batch(batch.head, answers=[renewed]))
    assert sorted(a.key for a in await store.load_answers(keys)) == sorted([kept.key, "k"])
    assert await connection.execute("SELECT count(*) FROM idempotency_answers") == [(2,)]


def test_one_round_trip_has_one_statement_per_table() -> None:
    head = Head(n=0, seq=0, digest="")
    made = statements("acme", s.new_id(), s.batch(head, [s.user() for _ in range(50)], rows=s.journal(head, 50)))
    assert made.sql.count(";") == 2
    assert made.sql.startswith("SELECT advance_head")
