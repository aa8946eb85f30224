"""Stories of periods: months, quarters, years, days and hours, and the dates that calendars make hard."""

import pytest

from tests.harness.daemons import StoryClock
from tests.harness.people import Admin, lines, totals
from tests.stories.conftest import StartDaemon


async def test_a_month_aligned_to_a_day_begins_with_its_share_of_the_month(admin: Admin) -> None:
    await admin.move_to("2024-01-20 12:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(price="31.00", billingDayOfMonth=1))
    await admin.move_to("2024-04-01 00:00")
    assert await anna.charges(subscription) == [
        ("2024-01-20 12:00", "2024-02-01 00:00", "11.50"),  # 11.5 of January's 31 days
        ("2024-02-01 00:00", "2024-03-01 00:00", "31.00"),
        ("2024-03-01 00:00", "2024-04-01 00:00", "31.00"),
    ]
    first, second = await anna.invoices(subscription)
    assert (first["invoiceNumber"], first["issuedAt"]) == ("INV-2024-00001", "2024-02-20T23:59:00.000Z")
    assert lines(first) == [("M, 2024-01-20 to 2024-01-31", "11.50")]
    assert totals(first) == ("11.50", "2.19", "13.69")  # 2.185 rounds away from zero
    assert lines(second) == [("M, 2024-02-01 to 2024-02-29", "31.00")]
    assert (await anna.owes())["unbilledTotal"] == 31


async def test_an_aligned_order_on_the_aligned_day_itself_waits_for_the_next_one(admin: Admin) -> None:
    await admin.move_to("2024-02-15 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(price="29.00", billingDayOfMonth=15))
    await admin.move_to("2024-03-15 00:00")
    assert await anna.charges(subscription) == [("2024-02-15 00:00", "2024-03-15 00:00", "29.00")]


async def test_a_quarter_is_three_months(admin: Admin) -> None:
    await admin.move_to("2024-01-10 09:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(price="90.00", billingIntervalValue=3))
    aligned = await anna.orders(await admin.plan(price="91.00", billingIntervalValue=3, billingDayOfMonth=31))
    await admin.move_to("2024-10-15 00:00")
    assert await anna.charges(subscription) == [
        ("2024-01-10 09:00", "2024-04-10 09:00", "90.00"),
        ("2024-04-10 09:00", "2024-07-10 09:00", "90.00"),
        ("2024-07-10 09:00", "2024-10-10 09:00", "90.00"),
    ]
    assert await anna.charges(aligned) == [
        # 20 d 15 h of the 92 days from 31 October to 31 January
        ("2024-01-10 09:00", "2024-01-31 00:00", "20.40"),
        ("2024-01-31 00:00", "2024-04-30 00:00", "91.00"),
        ("2024-04-30 00:00", "2024-07-31 00:00", "91.00"),
    ]
    (first, *_) = await anna.invoices(subscription)
    assert first["issuedAt"] == "2024-04-10T23:59:00.000Z"


async def test_a_year_from_a_leap_day_finds_back_to_it(admin: Admin) -> None:
    await admin.move_to("2024-02-29 08:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(price="120.00", interval="year"))
    await admin.move_to("2028-03-01 00:00")
    assert await anna.charges(subscription) == [
        ("2024-02-29 08:00", "2025-02-28 08:00", "120.00"),
        ("2025-02-28 08:00", "2026-02-28 08:00", "120.00"),
        ("2026-02-28 08:00", "2027-02-28 08:00", "120.00"),
        ("2027-02-28 08:00", "2028-02-29 08:00", "120.00"),
    ]
    invoices = await anna.invoices(subscription)
    assert [invoice["invoiceNumber"] for invoice in invoices] == ["INV-2025-00001", "INV-2026-00001", "INV-2027-00001"]


async def test_months_from_the_31st_do_not_drift(admin: Admin) -> None:
    await admin.move_to("2024-01-31 10:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan())
    await admin.move_to("2025-03-01 00:00")
    ends = [end for _, end, _ in await anna.charges(subscription)]
    assert [end[5:10] for end in ends] == [
        *("02-29", "03-31", "04-30", "05-31", "06-30", "07-31"),
        *("08-31", "09-30", "10-31", "11-30", "12-31", "01-31", "02-28"),
    ]
    assert {end[11:] for end in ends} == {"10:00"}
    assert {net for _, _, net in await anna.charges(subscription)} == {"10.00"}
    issued = [invoice["issuedAt"][:10] for invoice in await anna.invoices(subscription)]
    assert issued[0] == "2024-03-28"  # registered on the 31st: billed on the 28th
    assert len(issued) == 12


async def test_hours_are_charged_one_by_one_with_the_usage_beside_them(admin: Admin) -> None:
    await admin.move_to("2024-03-01 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("VM", "0.50", "hour"))
    await admin.move_to("2024-03-01 05:30")
    await admin.records_usage(subscription, "2024-03-01 05:00", "2024-03-01 05:30", units=3, unitPrice="0.1")
    await admin.move_to("2024-03-01 10:20")
    await anna.cancels(subscription)
    charges = await anna.charges(subscription)
    assert charges[:2] == [("2024-03-01 00:00", "2024-03-01 01:00", "0.50"),
                           ("2024-03-01 01:00", "2024-03-01 02:00", "0.50")]  # fmt: skip
    assert charges[-1] == ("2024-03-01 10:00", "2024-03-01 10:20", "0.17")  # a third of an hour
    assert len(charges) == 12
    await admin.move_to("2024-03-02 00:00")
    (invoice,) = await anna.invoices(subscription)
    assert lines(invoice)[5:7] == [
        ("VM, 2024-03-01 05:00 to 06:00", "0.50"),
        ("VM, usage 2024-03-01 05:00 to 05:30", "0.30"),
    ]
    assert totals(invoice) == ("5.47", "1.04", "6.51")


async def test_what_rounds_to_nothing_is_closed_without_a_line(admin: Admin) -> None:
    await admin.move_to("2024-03-01 00:00")
    anna = await admin.customer("anna")
    penny = await anna.orders(await admin.plan("Penny", "0.01", "hour"))
    other = await anna.orders(await admin.plan("Other", "5.00", "month"))
    await admin.move_to("2024-03-01 00:20")
    await anna.cancels(penny)
    await anna.cancels(other)  # 20 minutes of 31 days: 0.0022
    for subscription in (penny, other):
        (position,) = await anna.positions(subscription)
        assert (position.net_minor, position.invoice_id) == (0, None)
        assert position.closed_at is not None
    await admin.move_to("2024-05-01 00:00")
    assert await anna.invoices(penny) == []


@pytest.mark.parametrize(
    ("month", "days", "rest", "whole"),
    [("2023-02", 28, "64.29", "35.71"), ("2024-02", 29, "65.52", "34.48"), ("2024-04", 30, "66.67", "33.33"),
     ("2024-05", 31, "67.74", "32.26")],
)  # fmt: skip
async def test_a_part_of_a_month_is_a_share_of_its_own_days(
    start_daemon: StartDaemon, month: str, days: int, rest: str, whole: str
) -> None:
    """Ordered on the 11th: so many of 28 to 31 days; cancelled on the 11th of the month: ten of them."""
    admin = await (await start_daemon(clock=StoryClock("2022-12-01T00:00:00Z"))).admin()
    await admin.move_to(f"{month}-01 00:00")
    anna = await admin.customer("anna")
    plan = await admin.plan(price="100.00", billingDayOfMonth=1)
    from_the_first = await anna.orders(plan)
    await admin.move_to(f"{month}-11 00:00")
    from_the_eleventh = await anna.orders(plan)
    await anna.cancels(from_the_first)
    await admin.move_to(f"{month}-{days} 23:59:59")
    assert await anna.charges(from_the_eleventh) == []
    following = f"{month[:5]}{int(month[5:]) + 1:02d}-01 00:00"
    await admin.move_to(following)
    assert await anna.charges(from_the_eleventh) == [(f"{month}-11 00:00", following, rest)]
    assert await anna.charges(from_the_first) == [(f"{month}-01 00:00", f"{month}-11 00:00", whole)]


async def test_a_leap_day_is_a_day_like_any_other(admin: Admin) -> None:
    await admin.move_to("2024-02-28 00:00")
    anna = await admin.customer("anna")
    daily = await anna.orders(await admin.plan("Day", "1.00", "day"))
    monthly = await anna.orders(await admin.plan("Month", "29.00", billingDayOfMonth=29))
    await admin.move_to("2024-02-29 00:00")
    yearly = await anna.orders(await admin.plan("Year", "366.00", "year"))
    await admin.move_to("2024-03-02 00:00")
    assert [begin[:10] for begin, _, _ in await anna.charges(daily)] == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert await anna.charges(monthly) == [("2024-02-28 00:00", "2024-02-29 00:00", "0.94")]  # of the 31 days before
    await admin.move_to("2024-03-10 00:00")
    await anna.cancels(yearly)  # ten of the 365 days to 28 February
    assert await anna.charges(yearly) == [("2024-02-29 00:00", "2024-03-10 00:00", "10.03")]
