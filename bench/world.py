"""The tenant that is measured: a catalog, customers with a subscription each, and one reader with ten.

Written by the product's own writer, journal and all, while no daemon runs; so `decabilld verify-journal` holds. The
tenant lives on a test clock that stands at NOW, one hour before the first period of every customer's daily plan ends.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace
from psycopg2.extensions import make_dsn

from decabilld.actors.ports import Batch, Head
from decabilld.actors.tenant.handlers.numbers import range_id
from decabilld.domain.charges import period_charge
from decabilld.domain.entities import (
    CustomerProfile,
    Entity,
    Id,
    NumberRange,
    ServicePlan,
    ServiceType,
    Subscription,
    Timetable,
    User,
)
from decabilld.domain.journal import JournalRow, digest_of
from decabilld.domain.numbering import SUBSCRIPTION_SERIES, subscription_number
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.pricing import terms_of
from decabilld.ids import new_id
from decabilld.store.embedded import EmbeddedPostgres
from decabilld.store.migrations import migrate
from decabilld.store.pool import Pool, connect
from decabilld.store.tenant_store import PostgresTenantStore

TENANT = "default"
ZONE = "UTC"
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
PERIOD_END = NOW + timedelta(hours=1)
READER_SUBSCRIPTIONS = 10
PLANS = 10
CUSTOMERS_A_COMMIT = 500
STATEMENT_TIMEOUT_MS = 60_000


class World(Struct, frozen=True, kw_only=True):
    """Whom there is to ask for; users are whole, so that tokens can be made for them."""

    admin: User
    reader: User
    customers: list[User]
    daily: ServicePlan


async def create(data_dir: Path, *, customers: int) -> World:
    """A new data directory with the world in it, its server stopped again."""
    postgres = EmbeddedPostgres(data_dir, max_connections=20)
    await postgres.start()
    try:
        return await write(postgres.dsn, customers=customers)
    finally:
        await postgres.stop()


async def write(dsn: str, *, customers: int, accrued: bool = False) -> World:
    """The world in a database that is empty so far; `accrued`: with an open position a customer."""
    connection = await connect(dsn, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
    await migrate(connection)
    pool = await Pool.open(dsn, size=1)
    store = PostgresTenantStore(dsn, TENANT, new_id(), pool)
    try:
        world, parts = _populated(customers, accrued=accrued)
        head = await store.claim()
        for part in parts:
            batch = batch_of(head, part)
            await store.commit(batch)
            head = batch.head
        await connection.execute("VACUUM ANALYZE")
        return world
    finally:
        await store.close()
        await pool.close()
        await connection.close()


async def create_database(dsn: str, name: str) -> str:
    """The DSN of a new database on the same server."""
    connection = await connect(dsn, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return make_dsn(dsn, dbname=name)


def _populated(count: int, *, accrued: bool) -> tuple[World, Iterator[list[Entity]]]:
    kind = ServiceType(id=new_id(), key="hosting", name="Hosting", provider="none", created_at=NOW, updated_at=NOW)
    plans = [_plan(kind, number) for number in range(PLANS)]
    daily, monthly = plans[0], plans[1]
    admin, reader = _user("admin", role="admin"), _user("reader")
    customers = [_user(f"customer-{number}") for number in range(count)]
    policy = BillingPolicy(zone=_zone())

    def parts() -> Iterator[list[Entity]]:
        timetable = Timetable(
            id=new_id(), billing_date_done=(NOW - timedelta(days=1)).date(), zone=ZONE, test_clock=NOW
        )
        numbers = NumberRange(
            id=range_id(SUBSCRIPTION_SERIES), series=SUBSCRIPTION_SERIES, last=count + READER_SUBSCRIPTIONS
        )
        ten = [_subscription(reader, monthly, number, NOW + timedelta(days=29)) for number in range(1, 11)]
        yield [timetable, numbers, kind, *plans, admin, reader, _profile(reader), *ten]
        for start in range(0, count, CUSTOMERS_A_COMMIT):
            some: list[Entity] = []
            for offset, customer in enumerate(customers[start : start + CUSTOMERS_A_COMMIT], start):
                subscription = _subscription(customer, daily, READER_SUBSCRIPTIONS + 1 + offset, PERIOD_END)
                some += [customer, _profile(customer), subscription]
                if accrued:
                    begin = PERIOD_END - timedelta(days=1)
                    some.append(
                        period_charge(
                            subscription, begin, PERIOD_END, 0, policy.zone, position_id=new_id(), due=PERIOD_END
                        )
                    )
            yield some

    return World(admin=admin, reader=reader, customers=customers, daily=daily), parts()


def _zone() -> ZoneInfo:
    return ZoneInfo(ZONE)


def _user(name: str, role: str = "user") -> User:
    address = f"{name}@bench.example"
    return User(
        id=new_id(),
        email=address,
        email_key=address,
        role=role,  # type: ignore[arg-type]
        email_confirmed_at=NOW,
        billing_day=28,
        created_at=NOW,
        updated_at=NOW,
    )


def _profile(user: User) -> CustomerProfile:
    return CustomerProfile(
        id=new_id(),
        user_id=user.id,
        first_name="Zoë",
        last_name="Müller",
        address_line1="Karl-Liebknecht-Straße 1",
        postal_code="04107",
        city="Leipzig",
        country="DE",
        email=user.email,
        created_at=NOW,
        updated_at=NOW,
    )


def _plan(kind: ServiceType, number: int) -> ServicePlan:
    return ServicePlan(
        id=new_id(),
        service_type_id=kind.id,
        name=f"Server {number}",
        description="Two cores, four gigabytes, a terabyte of traffic",
        interval="month" if number else "day",
        interval_count=1,
        base_price=Decimal("16.8000"),
        margin_percent=Decimal("18.9900"),
        created_at=NOW,
        updated_at=NOW,
    )


def _subscription(user: User, plan: ServicePlan, number: int, end: datetime) -> Subscription:
    """In its first period, which ends at `end`; nothing is charged yet."""
    begin = end - (timedelta(days=1) if plan.interval == "day" else timedelta(days=31))
    return Subscription(
        id=new_id(),
        number=subscription_number(number),
        plan_id=plan.id,
        user_id=user.id,
        status="active",
        terms=terms_of(plan, "EUR"),
        anchor=begin,
        period_start=begin,
        period_end=end,
        charged_through=begin,
        created_at=begin,
        updated_at=begin,
    )


def batch_of(expected: Head, entities: Sequence[Entity]) -> Batch:
    """One commit of these entities, each with an entry in the journal."""
    seq, digest, journal = expected.seq, expected.digest, []
    for entity in entities:
        seq += 1
        row = _entry(entity, seq)
        digest = digest_of(digest, row)
        journal.append(replace(row, digest=digest))
    return Batch(
        expected=expected,
        head=Head(n=expected.n + 1, seq=seq, digest=digest),
        entities=entities,
        journal=journal,
        outbox=(),
        done_effects=(),
        answers=(),
    )


def _entry(entity: Entity, seq: int) -> JournalRow:
    user_id: Id | None = getattr(entity, "user_id", None)
    return JournalRow(
        seq=seq,
        at=NOW,
        kind="entity.imported",
        level="info",
        message="Imported",
        who="job:bench",
        cause="bench",
        entity=entity.table,
        entity_id=entity.id,
        user_id=user_id,
        invoice_id=None,
        data={},
    )
