"""Reminders of renewals in real time: one a period, however often one looks; never of a period that has begun."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg2
from msgspec.structs import replace

from decabilld.actors.registry import Tenants
from decabilld.actors.tenant.indexes import POSITIONS_OF_USER
from decabilld.domain.entities import Subscription
from decabilld.messages.commands import CreateServicePlan, OrderSubscription, UpdateCustomerProfile
from tests.jobs.living import UTC_POLICY, MovedClock, ask, customer, tenants_over
from tests.jobs.test_timetable import PROFILE, loaded, timetable_of, until

MAILING = replace(UTC_POLICY, mail=True, reminder_days=3)


async def monthly(tenants: Tenants) -> Subscription:
    user = await customer(tenants, "acme")
    await ask(tenants, "acme", UpdateCustomerProfile(user_id=user.id, fields=PROFILE))
    fields: dict[str, Any] = {"name": "M", "interval": "month", "interval_count": 1, "base_price": Decimal(2)}
    plan = await ask(tenants, "acme", CreateServicePlan(fields=fields))
    ordered = await ask(tenants, "acme", OrderSubscription(user_id=user.id, plan_id=plan.id))
    assert isinstance(ordered, Subscription)
    return ordered


def reminders(database: str) -> int:
    with psycopg2.connect(database) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT count(*) FROM outbox WHERE payload LIKE '%\"renewal_reminder\"%'")
        ((count,),) = cursor.fetchall()
    connection.close()
    return int(count)


async def test_each_period_is_reminded_of_once(database: str) -> None:
    clock = MovedClock()
    async with tenants_over(database, ["acme"], clock, MAILING) as tenants:
        await loaded(tenants)
        subscription = await monthly(tenants)
        assert subscription.period_end is not None
        timetable = timetable_of(tenants, reminders_ms=20)
        timetable.start()
        clock.ahead += subscription.period_end - clock() - timedelta(days=3, minutes=1)
        await asyncio.sleep(0.2)
        assert reminders(database) == 0
        clock.ahead += timedelta(minutes=2)
        await until(lambda: reminders(database) == 1)
        await asyncio.sleep(0.2)  # ten looks
        clock.ahead += timedelta(days=2)
        await asyncio.sleep(0.2)
        assert reminders(database) == 1
        clock.ahead += timedelta(days=1)
        await until(lambda: tenants.published("acme").count(POSITIONS_OF_USER, subscription.user_id) == 1)
        following = tenants.published("acme").all(Subscription)[subscription.id]
        assert following.period_end is not None
        clock.ahead += following.period_end - clock() - timedelta(days=3)
        await until(lambda: reminders(database) == 2)
        await timetable.stop()


async def test_after_an_outage_over_the_renewal_nobody_is_reminded_of_it(database: str) -> None:
    clock = MovedClock()
    async with tenants_over(database, ["acme"], clock, MAILING) as tenants:
        await loaded(tenants)
        subscription = await monthly(tenants)
        assert subscription.period_end is not None
        clock.ahead += subscription.period_end - clock() + timedelta(days=1)
        timetable = timetable_of(tenants, reminders_ms=20)
        timetable.start()
        await until(lambda: tenants.published("acme").count(POSITIONS_OF_USER, subscription.user_id) == 1)
        await asyncio.sleep(0.2)
        assert reminders(database) == 0
        await timetable.stop()
