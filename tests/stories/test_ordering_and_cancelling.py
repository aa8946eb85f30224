"""Stories of a subscription's life: what it was sold at, and every way in which it can end."""

from decabilld.actors.tenant.indexes import INDEXES
from decabilld.domain.entities import (
    Entity,
    Invoice,
    PaymentAttempt,
    Position,
    Subscription,
    SubscriptionItem,
    UsageRecord,
)
from tests.harness.people import Admin, Customer, lines
from tests.stories.conftest import StartDaemon

PASSING: tuple[type[Entity], ...] = (
    Subscription,
    SubscriptionItem,
    UsageRecord,
    Position,
    Invoice,
    PaymentAttempt,
)
"""What has an end, after which memory has nothing of it."""


async def test_a_price_raised_after_the_order_touches_new_orders_only(admin: Admin) -> None:
    await admin.move_to("2024-01-05 00:00")
    anna = await admin.customer("anna")
    plan = await admin.plan("Basic", "10.00", marginPercent="10", marginFixed="0.50")
    before = await anna.orders(plan)
    await admin.move_to("2024-01-20 00:00")
    await admin.post(f"/service-plans/{plan}", {"name": "Better", "basePrice": "20.0000", "taxCategory": "reduced"})
    after = await anna.orders(plan)
    await admin.move_to("2024-02-21 00:00")
    assert [net for _, _, net in await anna.charges(before)] == ["11.50"]
    assert [net for _, _, net in await anna.charges(after)] == ["22.50"]
    (invoice,) = await anna.invoices(before)
    assert lines(invoice) == [("Basic, 2024-01-05 to 2024-02-04", "11.50")]
    assert invoice["lineItems"][0]["taxCategory"] == "standard"


async def test_an_order_needs_a_complete_profile_and_leaves_nothing_behind(admin: Admin) -> None:
    anna = await admin.customer("anna", with_profile=False)
    plan = await admin.plan()
    await anna.post("/customer-profile", {"firstName": "Anna", "city": "Berlin", "email": "a@b.example"})
    refused = await anna.refused("POST", "/subscriptions", {"planId": plan})
    assert (refused.status, refused.answer["code"]) == (400, "PROFILE_INCOMPLETE")
    assert all(field in refused.message for field in ("lastName", "addressLine1", "country"))
    assert "firstName" not in refused.message
    assert await anna.get("/subscriptions") == []
    await anna.fills_in_profile()
    subscription = await anna.subscription(await anna.orders(plan))
    assert subscription["number"] == "SUB-000001"  # the refused order has burnt none


async def test_cancelling_with_notice_charges_up_to_its_last_day(admin: Admin) -> None:
    await admin.move_to("2024-01-01 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(price="31.00", noticeDays=14))
    await admin.move_to("2024-01-10 12:00")
    cancelled = await anna.cancels(subscription, "too dear")
    assert cancelled["status"] == "pending_cancel"
    assert cancelled["cancelRequestedAt"] == "2024-01-10T12:00:00.000Z"
    assert cancelled["cancelEffectiveAt"] == "2024-01-24T12:00:00.000Z"
    assert (await anna.refused("POST", f"/subscriptions/{subscription}/cancel")).status == 400
    await admin.move_to("2024-01-24 11:59")
    assert (await anna.subscription(subscription))["status"] == "pending_cancel"
    await admin.move_to("2024-01-24 12:00")
    assert (await anna.subscription(subscription))["status"] == "canceled"
    assert (await anna.refused("POST", f"/subscriptions/{subscription}/resume")).status == 400
    await admin.move_to("2024-06-01 00:00")
    assert await anna.charges(subscription) == [("2024-01-01 00:00", "2024-01-24 12:00", "23.50")]


async def test_notice_counts_in_local_days(berlin: Admin) -> None:
    await berlin.move_to("2024-03-29 18:00")
    anna = await berlin.customer("anna")
    subscription = await anna.orders(await berlin.plan(noticeDays=3))
    cancelled = await anna.cancels(subscription)
    assert berlin.wall(cancelled["cancelEffectiveAt"]) == "2024-04-01 18:00"


async def test_cancelling_at_the_end_of_a_period_waits_for_the_first_after_the_notice(admin: Admin) -> None:
    await admin.move_to("2024-01-15 00:00")
    anna = await admin.customer("anna")
    plan = await admin.plan(cancelAtPeriodEnd=True, noticeDays=7)
    in_time, late = await anna.orders(plan), await anna.orders(plan)
    await admin.move_to("2024-02-08 00:00")  # seven days to the boundary, to the second
    assert (await anna.cancels(in_time))["cancelEffectiveAt"] == "2024-02-15T00:00:00.000Z"
    await admin.move_to("2024-02-08 00:01")
    assert (await anna.cancels(late))["cancelEffectiveAt"] == "2024-03-15T00:00:00.000Z"
    await admin.move_to("2024-05-01 00:00")
    assert await anna.charges(in_time) == [("2024-01-15 00:00", "2024-02-15 00:00", "10.00")]
    assert [end for _, end, _ in await anna.charges(late)] == ["2024-02-15 00:00", "2024-03-15 00:00"]
    assert (await anna.subscription(late))["status"] == "canceled"


async def test_cancelling_with_nothing_to_wait_for_ends_in_the_same_answer(admin: Admin) -> None:
    await admin.move_to("2024-02-01 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(price="29.00"))
    await admin.move_to("2024-02-11 06:00")
    cancelled = await anna.cancels(subscription)
    assert cancelled["status"] == "canceled"
    assert cancelled["cancelRequestedAt"] == cancelled["cancelEffectiveAt"] == "2024-02-11T06:00:00.000Z"
    assert await anna.charges(subscription) == [("2024-02-01 00:00", "2024-02-11 06:00", "10.25")]
    assert await anna.get("/subscriptions") == [cancelled]


async def test_cancelling_at_the_instant_of_the_order_charges_nothing(admin: Admin) -> None:
    await admin.move_to("2024-02-01 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan())
    assert (await anna.cancels(subscription))["status"] == "canceled"
    assert await anna.charges(subscription) == []


async def test_a_commitment_says_from_when_it_may_be_cancelled(admin: Admin) -> None:
    await admin.move_to("2024-01-01 12:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(price="31.00", minCommitmentDays=30))
    await admin.move_to("2024-01-31 11:59")
    refused = await anna.refused("POST", f"/subscriptions/{subscription}/cancel")
    assert (refused.status, refused.answer["code"]) == (400, "COMMITMENT_NOT_OVER")
    assert "2024-01-31" in refused.message
    await admin.move_to("2024-01-31 12:00")
    assert (await anna.cancels(subscription))["status"] == "canceled"
    assert await anna.charges(subscription) == [("2024-01-01 12:00", "2024-01-31 12:00", "30.00")]


async def test_cancelled_and_resumed_on_the_same_day_is_as_if_nothing_had_been(admin: Admin) -> None:
    await admin.move_to("2024-01-01 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(price="31.00", noticeDays=5))
    await admin.move_to("2024-01-10 09:00")
    await anna.cancels(subscription)
    await admin.move_to("2024-01-10 17:00")
    resumed = await anna.resumes(subscription)
    assert (resumed["status"], resumed["resumedAt"]) == ("active", "2024-01-10T17:00:00.000Z")
    assert resumed["cancelRequestedAt"] is resumed["cancelEffectiveAt"] is None
    assert (await anna.refused("POST", f"/subscriptions/{subscription}/resume")).status == 400
    await admin.move_to("2024-03-01 00:00")
    assert await anna.charges(subscription) == [
        ("2024-01-01 00:00", "2024-02-01 00:00", "31.00"),
        ("2024-02-01 00:00", "2024-03-01 00:00", "31.00"),
    ]


async def test_in_advance_the_charge_comes_with_the_order_and_nothing_with_the_end(admin: Admin) -> None:
    await admin.move_to("2024-01-20 12:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(price="31.00", billInAdvance=True, billingDayOfMonth=1,
                                                      noticeDays=90))  # fmt: skip
    assert await anna.charges(subscription) == [("2024-01-20 12:00", "2024-02-01 00:00", "11.50")]
    usage = {"subscriptionId": subscription, "periodStart": "2024-01-20T12:00:00Z",
             "periodEnd": "2024-01-20T13:00:00Z", "usagePayload": {"totalCost": 1}}  # fmt: skip
    assert (await admin.refused("POST", "/usage/record", usage)).status == 400
    await admin.move_to("2024-02-10 00:00")
    cancelled = await anna.cancels(subscription)
    assert cancelled["cancelEffectiveAt"] == "2024-03-01T00:00:00.000Z"  # no notice
    await admin.move_to("2024-06-01 00:00")
    assert await anna.charges(subscription) == [
        ("2024-01-20 12:00", "2024-02-01 00:00", "11.50"),
        ("2024-02-01 00:00", "2024-03-01 00:00", "31.00"),
    ]
    assert (await anna.subscription(subscription))["status"] == "canceled"


async def test_in_advance_cancelling_as_a_period_begins_keeps_the_period_that_was_charged(admin: Admin) -> None:
    await admin.move_to("2024-01-15 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(billInAdvance=True))
    await admin.move_to("2024-02-15 00:00")
    cancelled = await anna.cancels(subscription)
    assert (cancelled["status"], cancelled["cancelEffectiveAt"]) == ("pending_cancel", "2024-03-15T00:00:00.000Z")
    await admin.move_to("2024-04-01 00:00")
    assert [end for _, end, _ in await anna.charges(subscription)] == ["2024-02-15 00:00", "2024-03-15 00:00"]


async def test_resumed_in_advance_goes_on_with_the_next_period(admin: Admin) -> None:
    await admin.move_to("2024-01-15 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(billInAdvance=True))
    await anna.cancels(subscription)
    await admin.move_to("2024-02-14 23:59")
    await anna.resumes(subscription)
    await admin.move_to("2024-02-15 00:00")
    assert len(await anna.charges(subscription)) == 2


async def test_ended_subscriptions_leave_nothing_in_memory(start_daemon: StartDaemon) -> None:
    daemon = await start_daemon()
    admin = await daemon.admin()
    await admin.move_to("2024-01-01 00:00")
    customers: list[Customer] = [await admin.customer(name) for name in ("anna", "bert")]
    plan = await admin.plan(price="0.10", interval="hour")
    for customer in customers:
        for _ in range(3):
            await customer.orders(plan)
    await admin.move_to("2024-01-02 00:00")
    for customer in customers:
        for subscription in await customer.get("/subscriptions"):
            await admin.records_usage(subscription["id"], "2024-01-01 22:00", "2024-01-01 23:00", totalCost=1)
            await customer.cancels(subscription["id"])
    await admin.move_to("2024-02-02 00:00")
    for invoice in await admin.all_invoices():
        await admin.marks_paid(invoice["id"])
    summary = await admin.get("/admin/billing/summary")
    assert summary == {"activeSubscriptionsCount": 0, "openOverdueCount": 0, "openOverdueTotal": 0, "unbilledTotal": 0}
    state = daemon.tenants.published("default")
    left = {kind.table: len(state.all(kind)) for kind in PASSING if state.all(kind)}
    indexed = {index.name for kind in PASSING for index in INDEXES[kind] if list(state.keys(index))}
    assert (left, indexed) == ({}, set())
