"""Stories of real time between two looks at the timetable: who acts meanwhile finds nothing lost or charged twice."""

import asyncio
from datetime import datetime

import pytest

from tests.harness.daemons import RunningDaemon, StoryClock
from tests.harness.people import Admin, Customer
from tests.stories.conftest import StartDaemon


class Office:
    """A daemon in real time whose clock jumps, and its people. Jumps do nothing by themselves."""

    def __init__(self, daemon: RunningDaemon, clock: StoryClock, admin: Admin, anna: Customer) -> None:
        self.daemon, self._clock, self.admin, self.anna = daemon, clock, admin, anna

    async def at(self, instant: str) -> None:
        """Everybody signs in anew: tokens don't last as long as stories do."""
        self._clock.jump_to(datetime.fromisoformat(f"{instant}+00:00"))
        for person in (self.admin, self.anna):
            await person.log_in(person.email)

    async def charged(self, subscription: str) -> list[tuple[str, str, str]]:
        """In days, as orders take their milliseconds."""
        return [(begin[:10], end[:10], net) for begin, end, net in await self.anna.charges(subscription)]


@pytest.fixture
async def office(start_daemon: StartDaemon) -> Office:
    clock = StoryClock("2024-01-10T12:00:00+00:00")
    daemon = await start_daemon(test_clock=False, clock=clock)
    admin = await daemon.admin()
    return Office(daemon, clock, admin, await admin.customer("anna"))


async def test_cancelling_at_once_charges_the_periods_that_nobody_has_looked_at(office: Office) -> None:
    subscription = await office.anna.orders(await office.admin.plan(price="29.00"))
    await office.at("2024-03-01T12:00")
    assert (await office.anna.cancels(subscription))["status"] == "canceled"
    assert await office.charged(subscription) == [
        ("2024-01-10", "2024-02-10", "29.00"),
        ("2024-02-10", "2024-03-01", "20.00"),
    ]
    await office.daemon.do_due_work()


async def test_cancelling_in_advance_charges_the_period_that_has_begun(office: Office) -> None:
    subscription = await office.anna.orders(await office.admin.plan(billInAdvance=True))
    await office.at("2024-03-01T12:00")
    cancelled = await office.anna.cancels(subscription)
    assert (cancelled["status"], cancelled["cancelEffectiveAt"][:10]) == ("pending_cancel", "2024-03-10")
    assert [end for _, end, _ in await office.charged(subscription)] == ["2024-02-10", "2024-03-10"]
    await office.daemon.do_due_work()


async def test_what_has_reached_its_end_is_not_resumed_though_nobody_has_looked(office: Office) -> None:
    subscription = await office.anna.orders(await office.admin.plan(price="31.00", noticeDays=5))
    await office.anna.cancels(subscription)
    await office.at("2024-01-16T12:00")
    assert (await office.anna.refused("POST", f"/subscriptions/{subscription}/resume")).status == 400
    usage = await office.admin.records_usage(subscription, "2024-01-14 00:00", "2024-01-15 00:00", totalCost=2)
    assert usage
    await office.daemon.do_due_work()
    assert await office.charged(subscription) == [
        ("2024-01-10", "2024-01-15", "5.00"),
        ("2024-01-14", "2024-01-15", "2.00"),
    ]


async def test_usage_that_comes_after_a_period_has_ended_waits_for_the_next(office: Office) -> None:
    subscription = await office.anna.orders(await office.admin.plan(price="10.00"))
    await office.at("2024-02-10T13:00")
    await office.admin.records_usage(subscription, "2024-02-09 00:00", "2024-02-10 00:00", totalCost=2)
    await office.daemon.do_due_work()
    assert [net for _, _, net in await office.charged(subscription)] == ["10.00"]
    await office.at("2024-03-10T13:00")
    await office.daemon.do_due_work()
    assert [net for _, _, net in await office.charged(subscription)] == ["10.00", "2.00", "10.00"]


async def test_billing_now_charges_first_what_is_due(office: Office) -> None:
    subscription = await office.anna.orders(await office.admin.plan(price="10.00"))
    await office.at("2024-02-10T13:00")
    assert (await office.admin.bills_now(office.anna))["userCount"] == 1
    await office.daemon.do_due_work()
    (invoice,) = await office.anna.invoices(subscription)
    assert invoice["issuedAt"][:10] == "2024-02-10"
    await office.at("2024-02-11T00:00")
    await office.daemon.do_due_work()
    assert len(await office.anna.invoices(subscription)) == 1


async def test_looking_a_hundred_times_is_looking_once(office: Office) -> None:
    subscription = await office.anna.orders(await office.admin.plan(price="10.00"))
    await office.at("2024-02-11T00:00")
    for _ in range(100):
        await office.daemon.do_due_work()
    assert len(await office.charged(subscription)) == 1
    assert len(await office.anna.invoices(subscription)) == 1


async def test_the_scheduler_and_bill_now_together_bill_once(office: Office) -> None:
    """The billing day's run, ten looks at the timetable and ten admins, all at the same time."""
    subscription = await office.anna.orders(await office.admin.plan(price="10.00"))
    others = [await office.admin.customer(f"customer{n}") for n in range(8)]
    plan = await office.admin.plan(price="1.00", interval="day")
    for other in others:
        await other.orders(plan)
    await office.at("2024-02-10T23:59:30")
    looks = [office.daemon.do_due_work() for _ in range(10)]
    asked = [office.admin.bills_now(office.anna if n % 2 else None) for n in range(10)]
    await asyncio.gather(*(one for both in zip(looks, asked, strict=True) for one in both))
    await office.daemon.do_due_work()
    billed = await office.admin.all_invoices()
    assert sorted(one["invoiceNumber"] for one in billed) == [f"INV-2024-{n:05d}" for n in range(1, 10)]
    assert sorted(str(one["subtotalNet"]) for one in billed) == ["10.00"] + ["31.00"] * 8
    assert len(await office.charged(subscription)) == 1
