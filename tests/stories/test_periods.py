"""Stories of periods: months, quarters, years and hours, and the days that calendars make hard."""

from tests.harness.people import Admin, lines, totals


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
