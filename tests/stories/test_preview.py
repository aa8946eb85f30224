"""Stories of looking ahead: what a billing run would issue, and that it then does."""

import asyncio
from typing import Any

from decabilld.domain.entities import Invoice
from tests.harness.people import Admin, Customer, lines, totals
from tests.stories.conftest import StartDaemon
from tests.stories.test_invoicing import run_of

PREVIEW = "/admin/billing/preview"


async def previews(admin: Admin, at: str | None = None, customer: Customer | None = None) -> list[Any]:
    body = {"at": admin.instant(at).isoformat() if at else None, "userId": customer.id if customer else None}
    answer = await admin.post(PREVIEW, body)
    assert answer["errors"] == []
    return list(answer["invoices"])


def shown(invoices: list[Any]) -> list[Any]:
    """What a previewed and an issued invoice must have in common."""
    return sorted([one["userId"], one["subscriptionId"], lines(one), totals(one), one["dueDate"]] for one in invoices)


async def bills(admin: Admin) -> list[Any]:
    """The invoices that a run over everybody issues now."""
    before = {one["id"] for one in await admin.all_invoices()}
    await run_of(admin, await admin.bills_now())
    return [one for one in await admin.all_invoices() if one["id"] not in before]


async def shop(admin: Admin) -> list[Customer]:
    """Three customers who registered on different days, with plans of all kinds and some usage."""
    await admin.move_to("2024-01-05 09:00")
    month, day = await admin.plan("Month", "31.00"), await admin.plan("Day", "0.33", "day")
    advance = await admin.plan("Advance", "12.00", billInAdvance=True, taxCategory="reduced")
    hour = await admin.plan("Hour", "0.0123", "hour")
    customers = []
    for name, registered in (("anna", "2024-01-06"), ("ben", "2024-01-17"), ("cora", "2024-01-28")):
        await admin.move_to(f"{registered} 13:30")
        customers.append(await admin.customer(name))
        subscriptions = [await customers[-1].orders(plan) for plan in (month, day, advance, hour)]
        await admin.records_usage(subscriptions[1], "2024-01-29 10:00", "2024-01-29 11:00", units=3, unitPrice="1.25")
    return customers


async def test_a_run_issues_exactly_what_was_previewed(berlin: Admin) -> None:
    await shop(berlin)
    for at in ("2024-02-03 08:15", "2024-03-11 00:00", "2024-04-01 12:00"):  # billing days and a clock change between
        foreseen = await previews(berlin, at)
        assert foreseen
        await berlin.move_to(at)
        assert shown(await previews(berlin)) == shown(foreseen)
        assert shown(await bills(berlin)) == shown(foreseen)
        assert await previews(berlin) == []


async def test_the_run_of_a_billing_day_is_foreseen_customer_by_customer(berlin: Admin) -> None:
    _, ben, _ = await shop(berlin)
    await berlin.move_to("2024-02-01 00:00")
    foreseen = await previews(berlin, "2024-02-17 23:59", ben)
    among_all = [one for one in await previews(berlin, "2024-02-17 23:59") if one["userId"] == ben.id]
    assert shown(among_all) == shown(foreseen)
    before = {one["id"] for one in await berlin.all_invoices()}
    await berlin.move_to("2024-02-17 23:59")
    made = [one for one in await berlin.all_invoices() if one["id"] not in before and one["userId"] == ben.id]
    assert shown(made) == shown(foreseen)
    assert (foreseen[0]["issueDate"], foreseen[0]["userEmail"]) == ("2024-02-17", ben.email)


async def test_looking_ahead_writes_nothing(admin: Admin) -> None:
    await shop(admin)
    await admin.move_to("2024-02-01 00:00")
    journal, billed = await admin.audit.journal_kinds(admin.tenant), await admin.audit.billed(admin.tenant)
    first = await previews(admin, "2024-06-01 00:00")
    assert shown(await previews(admin, "2024-06-01 00:00")) == shown(first)
    assert await admin.audit.journal_kinds(admin.tenant) == journal
    assert await admin.audit.billed(admin.tenant) == billed
    number = max(str(i.number) for i in await admin.audit.rows(Invoice, admin.tenant))
    await admin.move_to("2024-02-06 23:59")
    assert max(str(i.number) for i in await admin.audit.rows(Invoice, admin.tenant)) > number


async def test_who_cannot_be_invoiced_is_named(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    await anna.orders(await admin.plan())
    await anna.post("/customer-profile", {"city": None})
    answer = await admin.post(PREVIEW, {"at": "2024-02-10T23:59:00Z"})
    assert answer["invoices"] == []
    assert [(error["userId"], "city" in error["message"]) for error in answer["errors"]] == [(anna.id, True)]


async def test_the_past_nobody_and_too_much_work_are_refused(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    await anna.orders(await admin.plan("Hour", "0.01", "hour"))
    assert (await admin.refused("POST", PREVIEW, {"at": "2024-01-09T23:59:59Z"})).status == 400
    assert (await admin.refused("POST", PREVIEW, {"userId": PREVIEW})).status == 400
    assert (await admin.refused("POST", PREVIEW, {"userId": "0198c0de-0000-7000-8000-00000000abcd"})).status == 404
    assert (await anna.refused("POST", PREVIEW)).status == 403
    assert (await admin.post(PREVIEW))["at"] == "2024-01-10T00:00:00.000Z"
    ahead = asyncio.create_task(admin.refused("POST", PREVIEW, {"at": "2074-01-10T00:00:00Z"}))
    await asyncio.sleep(0.05)
    assert await anna.orders(await admin.plan())  # others needn't wait for it
    refused = await ahead
    assert (refused.status, "Too much" in refused.message) == (400, True)


async def test_in_real_time_charges_that_are_due_come_first(start_daemon: StartDaemon) -> None:
    admin = await (await start_daemon(test_clock=False)).admin()
    anna = await admin.customer("anna")
    await anna.orders(await admin.plan("Hour", "5.00", "hour"))
    assert await previews(admin) == []
