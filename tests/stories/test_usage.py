"""Stories of metered use: each record is billed once, whenever it comes."""

import asyncio
from decimal import ROUND_HALF_UP, Decimal

import pytest

from tests.harness.people import Admin, lines

RECORDS, AT_ONCE = 10_000, 250


async def test_usage_goes_beside_the_first_charge_that_ends_after_it_began(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("M", "10.00"))
    await admin.move_to("2024-02-01 00:00")
    await admin.records_usage(subscription, "2024-01-10 00:00", "2024-01-11 00:00", totalCost=1.25)
    await admin.records_usage(subscription, "2024-02-09 23:00", "2024-02-10 01:00", usageCost="2")
    await admin.records_usage(subscription, "2024-02-10 00:00", "2024-02-10 01:00", units=4, unitPrice=0.25)
    await admin.move_to("2024-02-10 23:59")
    (first,) = await anna.invoices(subscription)
    assert lines(first) == [
        ("M, 2024-01-10 to 2024-02-09", "10.00"),
        ("M, usage 2024-01-10", "1.25"),
        ("M, usage 2024-02-09 to 2024-02-10", "2.00"),
    ]
    await admin.move_to("2024-03-10 23:59")
    _, second = await anna.invoices(subscription)
    assert lines(second) == [("M, 2024-02-10 to 2024-03-09", "10.00"), ("M, usage 2024-02-10", "1.00")]


async def test_usage_recorded_late_waits_for_the_next_charge(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("M", "10.00"))
    await admin.move_to("2024-02-15 00:00")
    await admin.records_usage(subscription, "2024-01-20 00:00", "2024-01-21 00:00", totalCost=3)
    summary = await anna.get(f"/usage/summary/{subscription}")
    assert summary["usagePayload"] == {"recordCount": 1, "totalCost": 3}
    await admin.move_to("2024-03-10 23:59")
    _, second = await anna.invoices(subscription)
    assert lines(second) == [("M, usage 2024-01-20", "3.00"), ("M, 2024-02-10 to 2024-03-09", "10.00")]


async def test_the_same_usage_twice_is_one_record(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("M", "10.00"))
    first = await admin.records_usage(subscription, "2024-01-11 00:00", "2024-01-12 00:00", units=3, unitPrice=1.5)
    again = await admin.records_usage(subscription, "2024-01-11 00:00", "2024-01-12 00:00", unitPrice=1.5, units=3)
    other = await admin.records_usage(subscription, "2024-01-11 00:00", "2024-01-12 00:00", units=4, unitPrice=1.5)
    assert first == again != other
    await admin.move_to("2024-02-10 23:59")
    billed = await admin.records_usage(subscription, "2024-01-11 00:00", "2024-01-12 00:00", units=3, unitPrice=1.5)
    assert billed == first
    await admin.move_to("2024-03-10 23:59")
    invoices = await anna.invoices(subscription)
    assert [len(invoice["lineItems"]) for invoice in invoices] == [3, 1]
    assert invoices[0]["subtotalNet"] == 20.5


async def test_usage_after_the_end_becomes_a_position_at_once(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("M", "31.00"))
    await admin.records_usage(subscription, "2024-01-19 00:00", "2024-01-20 00:00", totalCost=1)
    await admin.records_usage(subscription, "2024-02-19 00:00", "2024-02-20 00:00", totalCost=2)  # announced, never had
    await admin.move_to("2024-01-20 00:00")
    await anna.cancels(subscription)
    assert (await anna.owes())["unbilledTotal"] == 13  # what was recorded goes with the last charge
    await admin.move_to("2024-01-25 00:00")
    await admin.records_usage(subscription, "2024-01-19 12:00", "2024-01-20 00:00", totalCost=4)
    assert (await anna.owes())["unbilledTotal"] == 17
    await admin.records_usage(subscription, "2024-01-19 12:00", "2024-01-20 00:00", totalCost=4)
    await admin.move_to("2024-02-10 23:59")
    (invoice,) = await anna.invoices(subscription)
    assert [net for _, net in lines(invoice)] == ["10.00", "1.00", "4.00", "2.00"]


async def test_usage_that_costs_nothing_is_kept_and_never_on_an_invoice(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("M", "31.00"))
    await admin.records_usage(subscription, "2024-01-11 00:00", "2024-01-12 00:00", requests=17)
    await admin.records_usage(subscription, "2024-01-11 00:00", "2024-01-12 00:00", totalCost="0.004")
    await admin.move_to("2024-02-10 23:59")
    (invoice,) = await anna.invoices(subscription)
    assert len(invoice["lineItems"]) == 1
    assert [position.net_minor for position in await anna.positions(subscription)] == [3100, 0, 0]


async def test_customers_record_no_usage(admin: Admin) -> None:
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan())
    body = {"subscriptionId": subscription, "periodStart": "2024-01-01T00:00:00Z",
            "periodEnd": "2024-01-02T00:00:00Z", "usagePayload": {"totalCost": 0}}  # fmt: skip
    assert (await anna.refused("POST", "/usage/record", body)).status == 403


@pytest.mark.heavy
async def test_ten_thousand_records_of_one_period_sum_exactly(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("M", "10.00", "hour"))
    expected = Decimal(10)
    for begin in range(0, RECORDS, AT_ONCE):
        numbers = range(begin, begin + AT_ONCE)
        period = "2024-01-10 00:00", "2024-01-10 00:30"
        used = ({"n": n, "units": n % 97, "unitPrice": "0.0335"} for n in numbers)
        await asyncio.gather(*(admin.records_usage(subscription, *period, **payload) for payload in used))
        expected += sum((Decimal(n % 97) * Decimal("0.0335")).quantize(Decimal("0.01"), ROUND_HALF_UP) for n in numbers)
    summary = await anna.get(f"/usage/summary/{subscription}")
    assert summary["usagePayload"] == {"recordCount": RECORDS, "totalCost": expected - 10}
    await admin.move_to("2024-01-10 01:00")
    assert (await anna.owes())["unbilledTotal"] == expected
    await admin.bills_now(anna)
    await admin.move_to("2024-01-10 01:00")  # whose answer comes after the run
    (invoice,) = await anna.invoices(subscription)
    assert (invoice["subtotalNet"], invoice["lineItems"][0]["lineNet"]) == (expected, 10)
    assert sum(line["lineNet"] for line in invoice["lineItems"]) == expected
    assert sum(line["lineTax"] for line in invoice["lineItems"]) == invoice["taxTotal"]
    assert invoice["taxTotal"] == (expected * 19 / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
    billed = sum(1 + n % 97 * Decimal("0.0335") >= Decimal("1.005") for n in range(RECORDS))
    assert len(invoice["lineItems"]) == 1 + billed  # what costs less than a cent has no line
