"""Stories of metered use: each record is billed once, whenever it comes."""

from tests.harness.people import Admin, lines


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
