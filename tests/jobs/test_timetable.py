"""The timetable over real actors: what is due gets done, on time, made up after an outage, tenant by tenant."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
from msgspec.structs import replace

from decabilld.actors.registry import Tenants
from decabilld.actors.tenant.indexes import POSITIONS_OF_USER
from decabilld.domain.entities import ServicePlan, User
from decabilld.jobs import timetable as module
from decabilld.jobs.timetable import BillingTimetable, Intervals
from decabilld.messages.commands import CreateServicePlan, OrderSubscription, UpdateCustomerProfile
from tests.jobs.living import UTC_POLICY, MovedClock, ask, customer, tenants_over

HOUR = timedelta(hours=1)
RARELY = 3_600_000
PROFILE = {
    "first_name": "Ada", "last_name": "King", "email": "ada@example.org", "address_line1": "Weg 1", "city": "Leipzig",
    "country": "DE",
}  # fmt: skip


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def tenants(database: str, clock: MovedClock) -> AsyncIterator[Tenants]:
    async with tenants_over(database, ["acme", "other"], clock) as tenants:
        yield tenants


def timetable_of(tenants: Tenants, **changes: Any) -> BillingTimetable:
    rare = Intervals(
        charges_ms=RARELY,
        endings_ms=RARELY,
        billing_ms=RARELY,
        overdue_ms=RARELY,
        reminders_ms=RARELY,
        backorders_ms=RARELY,
        payments_ms=RARELY,
    )
    policy = changes.pop("policy", UTC_POLICY)
    return BillingTimetable(tenants, policy=policy, intervals=replace(rare, **changes))


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 (a state is published, nobody is told)
            await asyncio.sleep(0.01)


async def loaded(tenants: Tenants) -> None:
    tenants.start()
    await until(lambda: not tenants.not_ready())


async def hourly_customer(tenants: Tenants, tenant_id: str) -> User:
    """With a plan that charges each hour."""
    user = await customer(tenants, tenant_id)
    await ask(tenants, tenant_id, UpdateCustomerProfile(user_id=user.id, fields=PROFILE))
    fields = {"name": "Cloud", "interval": "hour", "interval_count": 1, "base_price": Decimal("2.0000")}
    plan: ServicePlan = await ask(tenants, tenant_id, CreateServicePlan(fields=fields))
    await ask(tenants, tenant_id, OrderSubscription(user_id=user.id, plan_id=plan.id))
    return user


def charges(tenants: Tenants, tenant_id: str, user: User) -> int:
    return tenants.published(tenant_id).count(POSITIONS_OF_USER, user.id)


async def test_an_outage_is_made_up_at_the_start(tenants: Tenants, clock: MovedClock) -> None:
    await loaded(tenants)
    user = await hourly_customer(tenants, "acme")
    clock.ahead += 5 * HOUR
    timetable = timetable_of(tenants)
    timetable.start()
    await until(lambda: charges(tenants, "acme", user) == 5)
    await timetable.stop()


async def test_each_interval_is_a_look(tenants: Tenants, clock: MovedClock) -> None:
    await loaded(tenants)
    user = await hourly_customer(tenants, "acme")
    timetable = timetable_of(tenants, charges_ms=50)
    timetable.start()
    for hours in (1, 2, 3):
        clock.ahead += HOUR
        await until(lambda: charges(tenants, "acme", user) == hours)  # noqa: B023 (awaited before the next)
    await timetable.stop()


async def test_after_stop_nobody_looks(tenants: Tenants, clock: MovedClock, caplog: pytest.LogCaptureFixture) -> None:
    await loaded(tenants)
    user = await hourly_customer(tenants, "acme")
    timetable = timetable_of(tenants, charges_ms=20, billing_ms=20, overdue_ms=20)
    timetable.start()
    await asyncio.sleep(0.1)
    await timetable.stop()
    clock.ahead += HOUR
    await asyncio.sleep(0.2)
    assert charges(tenants, "acme", user) == 0
    assert not caplog.records
    await timetable.stop()


async def test_the_billing_run_comes_at_its_hour(database: str, clock: MovedClock) -> None:
    """By the second in the test, so that it needn't wait for a minute; no interval helps it."""
    due = (datetime.now(UTC) + timedelta(seconds=2.5)).replace(microsecond=0)
    if due.date() != datetime.now(UTC).date():
        pytest.skip("midnight is seconds away")
    policy = replace(UTC_POLICY, billing_run_time=due.time())
    async with tenants_over(database, ["acme"], clock, policy) as tenants:
        await loaded(tenants)
        timetable = timetable_of(tenants, policy=policy)
        timetable.start()
        assert tenants.published("acme").timetable.billing_date_done == due.date() - timedelta(days=1)
        await until(lambda: tenants.published("acme").timetable.billing_date_done == due.date())
        assert due <= datetime.now(UTC) < due + timedelta(seconds=1)
        await timetable.stop()


async def test_a_tenant_that_is_away_is_asked_again(
    database: str, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)
    async with tenants_over(database, ["acme"], clock) as before:
        await loaded(before)
        user = await hourly_customer(before, "acme")
    clock.ahead += HOUR
    async with tenants_over(database, ["acme"], clock) as tenants:
        timetable = timetable_of(tenants)
        timetable.start()
        await asyncio.sleep(0.2)
        await loaded(tenants)
        await until(lambda: charges(tenants, "acme", user) == 1)
        await timetable.stop()


async def test_a_slow_tenant_is_asked_once_and_delays_nobody(
    tenants: Tenants, clock: MovedClock, database: str
) -> None:
    await loaded(tenants)
    slow, other = await hourly_customer(tenants, "acme"), await hourly_customer(tenants, "other")
    timetable = timetable_of(tenants, charges_ms=20)
    with psycopg2.connect(database) as lock:  # its commits wait for this row
        lock.cursor().execute("SELECT * FROM tenant_heads WHERE tenant_id = 'acme' FOR UPDATE")
        clock.ahead += HOUR
        timetable.start()
        await until(lambda: charges(tenants, "other", other) == 1)
        clock.ahead += HOUR
        await until(lambda: charges(tenants, "other", other) == 2)
        await asyncio.sleep(0.2)  # ten intervals
        assert charges(tenants, "acme", slow) == 0
        assert tenants.actor("acme").mailbox_depth <= 2  # catching up, and charges
    lock.close()
    await until(lambda: charges(tenants, "acme", slow) == 2)
    await timetable.stop()


async def test_stop_waits_for_no_tenant(tenants: Tenants, clock: MovedClock, database: str) -> None:
    await loaded(tenants)
    user = await hourly_customer(tenants, "acme")
    timetable = timetable_of(tenants)
    with psycopg2.connect(database) as lock:
        lock.cursor().execute("SELECT * FROM tenant_heads WHERE tenant_id = 'acme' FOR UPDATE")
        clock.ahead += HOUR
        timetable.start()
        await asyncio.sleep(0.05)
        async with asyncio.timeout(1):
            await timetable.stop()
    lock.close()
    await until(lambda: charges(tenants, "acme", user) == 1)  # what had begun is done
