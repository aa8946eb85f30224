"""Stories of a subscription that is billed on demand, in the middle of its period."""

from decimal import Decimal

from tests.harness.people import Admin, lines, totals


async def test_the_elapsed_part_is_billed_and_the_next_charge_starts_where_it_ended(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("M", "31.00"))
    await admin.move_to("2024-01-20 00:00")
    made = await admin.post(f"/invoices/{subscription}", {"description": "she moves out of the office"})
    assert made["invoiceNumber"] == "INV-2024-00001"
    invoice = await anna.invoice(made["invoiceRefId"])
    assert lines(invoice) == [("M, 2024-01-10 to 2024-01-19", "10.00")]
    assert totals(invoice) == ("10.00", "1.90", "11.90")
    logs = (await admin.get(f"/admin/billing/invoices/{invoice['id']}/audit-logs"))["items"]
    assert logs[-1]["context"]["description"] == "she moves out of the office"
    await admin.move_to("2024-03-11 00:00")
    assert await anna.charges(subscription) == [
        ("2024-01-10 00:00", "2024-01-20 00:00", "10.00"),
        ("2024-01-20 00:00", "2024-02-10 00:00", "21.00"),
        ("2024-02-10 00:00", "2024-03-10 00:00", "31.00"),
    ]
    assert [totals(one)[0] for one in await anna.invoices(subscription)] == ["10.00", "21.00", "31.00"]


async def test_open_positions_and_usage_of_the_subscription_go_on_it_and_no_others(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    await admin.move_to("2024-01-15 00:00")
    daily, other = await anna.orders(await admin.plan("Day", "2.40", "day")), await anna.orders(await admin.plan())
    await admin.records_usage(daily, "2024-01-16 00:00", "2024-01-16 01:00", totalCost=3)
    await admin.records_usage(daily, "2024-01-17 13:00", "2024-01-17 14:00", totalCost=5)
    await admin.move_to("2024-01-17 12:00")
    made = await admin.post(f"/invoices/{daily}")
    assert lines(await anna.invoice(made["invoiceRefId"])) == [
        ("Day, 2024-01-15", "2.40"),
        ("Day, 2024-01-16", "2.40"),
        ("Day, usage 2024-01-16", "3.00"),
        ("Day, 2024-01-17", "1.20"),
    ]
    assert await anna.invoices(other) == []
    assert (await admin.refused("POST", f"/invoices/{daily}")).status == 400  # nothing has elapsed since
    await admin.move_to("2024-01-18 00:00")
    assert (await anna.owes())["unbilledTotal"] == Decimal("6.20")  # the other half, and the later usage


async def test_nothing_to_bill_or_too_little_is_said(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("M", "31.00"))
    refused = await admin.refused("POST", f"/invoices/{subscription}")
    assert (refused.status, "nothing to bill" in refused.message) == (400, True)
    await admin.move_to("2024-01-10 12:00")
    refused = await admin.refused("POST", f"/invoices/{subscription}")
    assert (refused.status, "less than 1.00" in refused.message) == (400, True)
    assert await anna.positions(subscription) == []  # the day goes on, uncut
    assert (await admin.refused("POST", f"/invoices/{anna.id}")).status == 404
    assert (await anna.refused("POST", f"/invoices/{subscription}")).status == 403


async def test_usage_is_billed_though_what_has_elapsed_comes_to_nothing(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    metered = await anna.orders(await admin.plan("Metered", "0"))
    cheap = await anna.orders(await admin.plan("Cheap", "0.10"))
    for subscription in (metered, cheap):
        await admin.records_usage(subscription, "2024-01-10 00:00", "2024-01-10 01:00", totalCost=5)
    await admin.move_to("2024-01-10 12:00")
    made = [await admin.post(f"/invoices/{subscription}") for subscription in (metered, cheap)]
    assert [lines(await anna.invoice(one["invoiceRefId"])) for one in made] == [
        [("Metered, usage 2024-01-10", "5.00")],
        [("Cheap, usage 2024-01-10", "5.00")],
    ]
    await admin.move_to("2024-02-10 00:00")
    assert await anna.charges(cheap) == [
        ("2024-01-10 00:00", "2024-01-10 01:00", "5.00"),
        ("2024-01-10 00:00", "2024-02-10 00:00", "0.10"),  # uncut
    ]


async def test_in_advance_nothing_has_elapsed(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    await admin.move_to("2024-01-11 00:00")
    subscription = await anna.orders(await admin.plan("M", "31.00", billInAdvance=True))
    await admin.move_to("2024-01-20 00:00")
    made = await admin.post(f"/invoices/{subscription}")
    assert lines(await anna.invoice(made["invoiceRefId"])) == [("M, 2024-01-11 to 2024-02-10", "31.00")]
    assert (await admin.refused("POST", f"/invoices/{subscription}")).status == 400


async def test_an_ended_subscription_is_billed_what_is_open_of_it(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("M", "31.00"))
    await admin.move_to("2024-01-15 00:00")
    await anna.cancels(subscription)
    made = await admin.post(f"/invoices/{subscription}")
    assert totals(await anna.invoice(made["invoiceRefId"])) == ("5.00", "0.95", "5.95")
    assert (await admin.refused("POST", f"/invoices/{subscription}")).status == 400


async def test_without_a_profile_nothing_is_charged_either(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("M", "31.00"))
    await anna.post("/customer-profile", {"city": None})
    await admin.move_to("2024-01-20 00:00")
    refused = await admin.refused("POST", f"/invoices/{subscription}")
    assert (refused.answer["code"], await anna.positions(subscription)) == ("PROFILE_INCOMPLETE", [])
