"""Stories of a daemon that was away, in real time: what is owed is as if it had never stopped."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from decabilld.domain.entities import Invoice, Position
from tests.harness.daemons import RunningDaemon, StoryClock, running_daemon

BEGIN = datetime.fromisoformat("2024-01-10T09:00:00+00:00")
OUTAGE = timedelta(days=40)


@asynccontextmanager
async def in_real_time(dsn: str, home: Path, tenant: str, clock: StoryClock) -> AsyncIterator[RunningDaemon]:
    async with running_daemon(dsn, home, tenants=(tenant,), test_clock=False, clock=clock) as daemon:
        yield daemon


async def orders_are_placed(daemon: RunningDaemon, tenant: str) -> None:
    """At BEGIN, or as soon after as the orders take: an hourly plan, a daily, a monthly and one cancelled in time."""
    admin = await daemon.admin(tenant)
    anna, bert = await admin.customer("anna"), await admin.customer("bert")
    await anna.orders(await admin.plan("Hour", "0.10", "hour"))
    month = await anna.orders(await admin.plan("Month", "31.00", billingDayOfMonth=1))
    await admin.records_usage(month, "2024-01-10 09:00", "2024-01-10 10:00", totalCost=7)
    await bert.orders(await admin.plan("Day", "2.00", "day", billInAdvance=True))
    leaving = await bert.orders(await admin.plan("Leaving", "31.00", noticeDays=15))
    await bert.cancels(leaving)


def described(position: Position) -> tuple[Any, ...]:
    """All but when within the same second the order came, and what it was invoiced by."""
    begun, ended = (at.replace(microsecond=0, second=0) for at in (position.period_start, position.period_end))
    return position.kind, begun, ended, position.net_minor, position.created_at.replace(microsecond=0, second=0)


async def test_forty_days_away_are_made_up_at_once(database: str, tmp_path: Path) -> None:
    clock = StoryClock(BEGIN.isoformat())
    async with in_real_time(database, tmp_path, "awake", clock) as awake:
        await orders_are_placed(awake, "awake")
        for hours in range(1, 40 * 24 + 1, 7):
            clock.jump_to(BEGIN + timedelta(hours=hours, minutes=1))
            await awake.do_due_work("awake")
        clock.jump_to(BEGIN + OUTAGE + timedelta(minutes=1))
        await awake.do_due_work("awake")
        stayed = await awake.audit.rows(Position, "awake")
        on_time = await awake.audit.rows(Invoice, "awake")

    clock = StoryClock(BEGIN.isoformat())
    async with in_real_time(database, tmp_path, "asleep", clock) as falling_asleep:
        await orders_are_placed(falling_asleep, "asleep")
    clock.jump_to(BEGIN + OUTAGE + timedelta(minutes=1))
    async with in_real_time(database, tmp_path, "asleep", clock) as woken:
        await woken.do_due_work("asleep")
        made_up = await woken.audit.rows(Position, "asleep")
        late = await woken.audit.rows(Invoice, "asleep")
        await woken.do_due_work("asleep")
        assert len(await woken.audit.rows(Invoice, "asleep")) == len(late)

    assert len(made_up) == 40 * 24 + 2 + 41 + 1
    assert sorted(map(described, made_up)) == sorted(map(described, stayed))
    # Two billing days were missed, the 10th of January and of February: each customer gets one invoice, dated today.
    assert [invoice.number for invoice in on_time] == [f"INV-2024-0000{n}" for n in range(1, 5)]
    assert [invoice.number for invoice in late] == ["INV-2024-00001", "INV-2024-00002"]
    assert {invoice.issue_date for invoice in late} == {(BEGIN + OUTAGE).date()}
    assert sum(invoice.subtotal_net_minor for invoice in late) == sum(position.net_minor for position in stayed)


async def test_a_billing_day_in_sight_of_the_outage_is_not_billed_early(database: str, tmp_path: Path) -> None:
    """Away from the 11th to the 9th: nobody whose day is the 10th gets an invoice for coming back."""
    clock = StoryClock(BEGIN.isoformat())
    async with in_real_time(database, tmp_path, "asleep", clock) as falling_asleep:
        await orders_are_placed(falling_asleep, "asleep")
        clock.jump_to(datetime.fromisoformat("2024-01-11T00:10:00+00:00"))
        await falling_asleep.do_due_work("asleep")
        assert len(await falling_asleep.audit.rows(Invoice, "asleep")) == 2
    clock.jump_to(datetime.fromisoformat("2024-02-09T23:59:05+00:00"))
    async with in_real_time(database, tmp_path, "asleep", clock) as woken:
        await woken.do_due_work("asleep")
        assert len(await woken.audit.rows(Invoice, "asleep")) == 2
        clock.jump_to(datetime.fromisoformat("2024-02-10T23:59:05+00:00"))
        await woken.do_due_work("asleep")
        assert len(await woken.audit.rows(Invoice, "asleep")) == 4
