"""A year is a year, in however many steps the test clock is moved: the same charges and the same documents."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from tests.harness.daemons import RunningDaemon, running_daemon
from tests.harness.people import Admin, Customer, Refused
from tests.stories.conftest import StartDaemon

BEGIN = datetime(2024, 1, 17, 10, 30, tzinfo=UTC)


async def lives_a_year(admin: Admin, steps: Sequence[datetime]) -> None:
    """Two customers with plans of all kinds from BEGIN on, moved through time by these steps."""
    await admin.move_to(BEGIN.isoformat())
    anna, bert = await admin.customer("anna"), await admin.customer("bert")
    await anna.orders(await admin.plan("Month", "9.99"))
    await anna.orders(await admin.plan("Aligned", "31.00", billingDayOfMonth=31, taxCategory="reduced"))
    await anna.orders(await admin.plan("Quarter", "100.00", billingIntervalValue=3))
    leaving = await anna.orders(await admin.plan("Leaving", "7.00", "day", billingIntervalValue=10, noticeDays=100))
    await bert.orders(await admin.plan("Year", "365.00", "year", billingDayOfMonth=1))
    await bert.orders(await admin.plan("Advance", "5.00", billInAdvance=True))
    await bert.orders(await admin.plan("Tiny", "0.03", "day"))
    metered = await bert.orders(await admin.plan("Metered", "1.00", "day", billingIntervalValue=7))
    await anna.cancels(leaving)
    await admin.records_usage(metered, "2024-01-17 10:00", "2024-01-17 11:00", totalCost=5)
    await admin.records_usage(metered, "2024-06-17 10:00", "2024-06-17 11:00", totalCost=6)  # known long before
    for step in steps:
        await admin.move_to(step.isoformat())


@pytest.mark.heavy
async def test_a_year_in_one_call_equals_a_year_of_months_and_of_days(start_daemon: StartDaemon) -> None:
    daemon = await start_daemon(tenants=("once", "monthly", "daily"), billing_timezone=ZoneInfo("Europe/Berlin"))
    end = BEGIN + timedelta(days=366)
    ways = {
        "once": [end],
        "monthly": [*(BEGIN + timedelta(days=n) for n in range(30, 366, 30)), end],
        "daily": [BEGIN + timedelta(days=n) for n in range(1, 367)],
    }
    for tenant, steps in ways.items():
        await lives_a_year(await daemon.admin(tenant), steps)
    once, monthly, daily = [await daemon.audit.billed(tenant) for tenant in ways]
    assert len([row for row in once if row[0] == "invoice"]) == 23
    assert len([row for row in once if row[0] == "position"]) > 400
    assert monthly == once
    assert daily == once


# --- any life --------------------------------------------------------------------------------------------------------


class Act(Struct, frozen=True):
    """Something that happens `after_hours` since the act before; `which` chooses among plans or subscriptions."""

    what: str
    after_hours: int
    which: int
    stops: int
    """Into how many moves the way to it is cut in the second life."""


ACTS = st.lists(
    st.builds(
        Act,
        what=st.sampled_from(("order", "order", "cancel", "resume", "usage", "late usage", "bill now")),
        after_hours=st.integers(0, 900),
        which=st.integers(0, 9),
        stops=st.integers(1, 4),
    ),
    min_size=3,
    max_size=9,
)
PLANS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("Month", "9.99", "month", {"noticeDays": 10}),
    ("Aligned", "31.00", "month", {"billingDayOfMonth": 31, "cancelAtPeriodEnd": True}),
    ("Advance", "5.00", "month", {"billInAdvance": True}),
    ("Hours", "0.70", "hour", {"billingIntervalValue": 36, "taxCategory": "reduced"}),
    ("Days", "1.30", "day", {"billingIntervalValue": 3, "noticeDays": 2}),
)


async def lives(admin: Admin, acts: Sequence[Act], *, cut: bool) -> None:
    now = BEGIN
    await admin.move_to(now.isoformat())
    customers = [await admin.customer("anna"), await admin.customer("bert")]
    plans = [await admin.plan(name, price, interval, **more) for name, price, interval, more in PLANS]
    owned: list[tuple[Customer, str]] = []
    for n, act in enumerate((*acts, Act("order", 1500, 0, 5))):
        way = timedelta(hours=act.after_hours, minutes=7)
        for stop in range(1, act.stops + 1) if cut else (act.stops,):
            await admin.move_to((now + way * stop / act.stops).isoformat())
        now += way
        await happens(admin, act, n, now, customers[act.which % 2], plans, owned)


async def happens(
    admin: Admin, act: Act, n: int, now: datetime, customer: Customer, plans: list[str], owned: list[Any]
) -> None:
    if act.what == "order":
        owned.append((customer, await customer.orders(plans[act.which % len(plans)])))
    elif act.what == "bill now":
        await admin.bills_now()
        await admin.move_to(now.isoformat())  # whose answer comes after the run
    elif owned:
        owner, subscription = owned[act.which % len(owned)]
        try:
            if act.what == "cancel":
                await owner.cancels(subscription)
            elif act.what == "resume":
                await owner.resumes(subscription)
            else:
                begun = now - timedelta(days=40 if act.what == "late usage" else 0)
                await admin.records_usage(subscription, begun.isoformat(), now.isoformat(), totalCost=n)
        except Refused as refused:
            if refused.status != 400:  # nothing to resume, already cancelled, billed in advance
                raise


@pytest.mark.parametrize("zone", ["Europe/Berlin"])
def test_any_life_is_billed_the_same_however_time_is_cut(database: str, tmp_path: Path, zone: str) -> None:
    lived = iter(range(1000))

    @settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(ACTS)
    def told(acts: list[Act]) -> None:
        tenants = (f"whole{next(lived)}", f"cut{next(lived)}")
        asyncio.run(compared(tenants, acts))

    async def compared(tenants: tuple[str, str], acts: list[Act]) -> None:
        async with running_daemon(
            database, tmp_path, tenants=tenants, clock=None, billing_timezone=ZoneInfo(zone)
        ) as daemon:
            whole, cut = [await one_life(daemon, tenant, acts) for tenant in tenants]
            assert cut == whole

    async def one_life(daemon: RunningDaemon, tenant: str, acts: list[Act]) -> Any:
        await lives(await daemon.admin(tenant), acts, cut=tenant.startswith("cut"))
        return await daemon.audit.billed(tenant)

    told()
