"""Stories of the nights on which Berlin's clocks change, and of days that begin before UTC's do."""

from tests.harness.people import Admin


async def test_hours_have_3600_seconds_in_the_night_that_springs_forward(berlin: Admin) -> None:
    await berlin.move_to("2024-03-31 00:30")
    anna = await berlin.customer("anna")
    subscription = await anna.orders(await berlin.plan(price="1.00", interval="hour"))
    await berlin.move_to("2024-03-31 04:30")
    assert await anna.charges(subscription) == [
        ("2024-03-31 00:30", "2024-03-31 01:30", "1.00"),
        ("2024-03-31 01:30", "2024-03-31 03:30", "1.00"),
        ("2024-03-31 03:30", "2024-03-31 04:30", "1.00"),
    ]


async def test_hours_have_3600_seconds_in_the_night_that_falls_back(berlin: Admin) -> None:
    await berlin.move_to("2024-10-27 00:30")
    anna = await berlin.customer("anna")
    subscription = await anna.orders(await berlin.plan(price="1.00", interval="hour"))
    await berlin.move_to("2024-10-27 03:30")
    assert await anna.charges(subscription) == [
        ("2024-10-27 00:30", "2024-10-27 01:30", "1.00"),
        ("2024-10-27 01:30", "2024-10-27 02:30", "1.00"),
        ("2024-10-27 02:30", "2024-10-27 02:30", "1.00"),
        ("2024-10-27 02:30", "2024-10-27 03:30", "1.00"),
    ]
    await berlin.move_to("2024-10-27 23:59")
    (invoice,) = await anna.invoices(subscription)
    assert invoice["lineItems"][2]["description"] == "M, 2024-10-27 02:30 +0200 to 02:30 +0100"


async def test_a_day_of_23_or_25_hours_costs_what_a_day_costs(berlin: Admin) -> None:
    await berlin.move_to("2024-03-30 12:00")
    anna = await berlin.customer("anna")
    subscription = await anna.orders(await berlin.plan(price="23.00", interval="day"))
    await berlin.move_to("2024-04-01 12:00")
    assert await anna.charges(subscription) == [
        ("2024-03-30 12:00", "2024-03-31 12:00", "23.00"),
        ("2024-03-31 12:00", "2024-04-01 12:00", "23.00"),
    ]
    await berlin.move_to("2024-10-26 12:00")
    await anna.cancels(subscription)
    autumn = await anna.orders(await berlin.plan(price="25.00", interval="day"))
    await berlin.move_to("2024-10-27 12:00")
    assert await anna.charges(autumn) == [("2024-10-26 12:00", "2024-10-27 12:00", "25.00")]
    positions = await anna.positions(autumn)
    assert (positions[0].period_end - positions[0].period_start).total_seconds() == 25 * 3600


async def test_half_of_a_day_of_23_hours_is_half_of_its_price(berlin: Admin) -> None:
    await berlin.move_to("2024-03-30 12:00")
    anna = await berlin.customer("anna")
    subscription = await anna.orders(await berlin.plan(price="23.00", interval="day"))
    await berlin.move_to("2024-03-30 23:30")  # 11.5 of 23 hours
    await anna.cancels(subscription)
    assert await anna.charges(subscription) == [("2024-03-30 12:00", "2024-03-30 23:30", "11.50")]


async def test_a_month_with_a_clock_change_is_shared_by_its_hours(berlin: Admin) -> None:
    await berlin.move_to("2024-03-31 00:00")
    anna = await berlin.customer("anna")
    spring = await anna.orders(await berlin.plan(price="743.00", billingDayOfMonth=1))  # March's hours in Berlin
    await berlin.move_to("2024-10-27 00:00")
    autumn = await anna.orders(await berlin.plan(price="745.00", billingDayOfMonth=1))
    await berlin.move_to("2024-11-01 00:00")
    assert (await anna.charges(spring))[0] == ("2024-03-31 00:00", "2024-04-01 00:00", "23.00")
    assert (await anna.charges(spring))[-1] == ("2024-10-01 00:00", "2024-11-01 00:00", "743.00")
    assert await anna.charges(autumn) == [("2024-10-27 00:00", "2024-11-01 00:00", "121.00")]


async def test_an_order_half_an_hour_before_the_month_ends_in_berlin(berlin: Admin) -> None:
    await berlin.move_to("2024-01-31 23:30")
    anna = await berlin.customer("anna")
    monthly = await anna.orders(await berlin.plan("Monthly"))
    first = await anna.orders(await berlin.plan("First", "1488.00", billingDayOfMonth=1))  # January's half hours
    last = await anna.orders(await berlin.plan("Last", "1392.00", billingDayOfMonth=31))  # those of 29 days
    await berlin.move_to("2024-04-01 00:00")
    assert await anna.charges(monthly) == [
        ("2024-01-31 23:30", "2024-02-29 23:30", "10.00"),
        ("2024-02-29 23:30", "2024-03-31 23:30", "10.00"),
    ]
    assert await anna.charges(first) == [
        ("2024-01-31 23:30", "2024-02-01 00:00", "1.00"),
        ("2024-02-01 00:00", "2024-03-01 00:00", "1488.00"),
        ("2024-03-01 00:00", "2024-04-01 00:00", "1488.00"),
    ]
    assert await anna.charges(last) == [
        ("2024-01-31 23:30", "2024-02-29 00:00", "1345.00"),
        ("2024-02-29 00:00", "2024-03-31 00:00", "1392.00"),
    ]


async def test_who_registers_after_midnight_in_berlin_is_billed_on_that_day(berlin: Admin) -> None:
    await berlin.move_to("2024-03-01 00:30")  # 29 February in UTC
    anna = await berlin.customer("anna")
    subscription = await anna.orders(await berlin.plan(interval="day"))
    assert (await anna.owes())["billingDayOfMonth"] == 1
    await berlin.move_to("2024-04-01 23:59")
    invoices = await anna.invoices(subscription)
    assert [berlin.wall(invoice["issuedAt"]) for invoice in invoices] == ["2024-04-01 23:59"]


async def test_the_first_number_of_a_year_is_drawn_after_midnight_in_berlin(berlin: Admin) -> None:
    await berlin.move_to("2024-12-31 22:00")
    anna = await berlin.customer("anna")
    subscription = await anna.orders(await berlin.plan(price="5.00", interval="hour"))
    await berlin.move_to("2024-12-31 23:30")
    await berlin.bills_now()
    await berlin.move_to("2025-01-01 00:30")  # still 2024 in UTC
    await berlin.bills_now()
    await berlin.move_to("2025-01-01 01:30")
    await berlin.bills_now(anna)
    await berlin.move_to("2025-01-01 01:30")  # whose answer comes after the run
    invoices = await anna.invoices(subscription)
    assert [invoice["invoiceNumber"] for invoice in invoices] == ["INV-2024-00001", "INV-2025-00001", "INV-2025-00002"]
    assert [invoice["dueDate"] for invoice in invoices] == ["2025-01-14", "2025-01-15", "2025-01-15"]


async def test_a_month_over_a_clock_change_begins_and_ends_at_the_same_time_of_day(berlin: Admin) -> None:
    await berlin.move_to("2024-03-15 02:30")
    anna = await berlin.customer("anna")
    spring = await anna.orders(await berlin.plan(price="743.00"))
    await berlin.move_to("2024-10-15 02:30")
    autumn = await anna.orders(await berlin.plan(price="745.00"))
    await berlin.move_to("2024-11-15 02:30")
    assert (await anna.charges(spring))[0] == ("2024-03-15 02:30", "2024-04-15 02:30", "743.00")
    assert (await anna.charges(spring))[-1] == ("2024-10-15 02:30", "2024-11-15 02:30", "743.00")
    assert await anna.charges(autumn) == [("2024-10-15 02:30", "2024-11-15 02:30", "745.00")]
    lengths = [(p.period_end - p.period_start).total_seconds() / 3600 for p in await anna.positions(spring)]
    assert (lengths[0], lengths[1], lengths[-1]) == (743, 720, 745)


async def test_a_month_whose_boundary_the_clocks_skip_or_repeat_has_one(berlin: Admin) -> None:
    await berlin.move_to("2024-01-31 02:30")
    anna = await berlin.customer("anna")
    spring = await anna.orders(await berlin.plan())
    await berlin.move_to("2024-09-27 02:30")
    autumn = await anna.orders(await berlin.plan())
    await berlin.move_to("2024-11-28 00:00")
    # 02:30 of 31 March is read by the winter's offset; of the two 02:30 of 27 October the first counts
    assert [end for _, end, _ in await anna.charges(spring)][:3] == [
        "2024-02-29 02:30",
        "2024-03-31 03:30",
        "2024-04-30 02:30",
    ]
    assert [p.period_end.isoformat() for p in await anna.positions(autumn)] == [
        "2024-10-27T00:30:00+00:00",
        "2024-11-27T01:30:00+00:00",
    ]
