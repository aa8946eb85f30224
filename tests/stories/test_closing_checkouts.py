"""Stories of checkouts that are open when nothing is to be paid there any more: closed, if nobody was quicker."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from decabilld.control.payments import Reconciled
from decabilld.domain.entities import Payment, PaymentAttempt, WebhookEvent
from tests.stories.shop import Shop
from tests.stripe.fake_stripe import Fault

TURNED_AWAY = Fault(status=429, retry_after_seconds=60)


async def statuses(shop: Shop) -> list[str]:
    """Of the attempts, once nothing is under way."""
    await shop.admin.audit.quiet("default")
    return [attempt.status for attempt in await shop.kept(PaymentAttempt)]


def at_stripe(shop: Shop) -> list[str]:
    return [session["status"] for session in shop.stripe.sessions.values()]


async def paid_elsewhere(shop: Shop, amount: int) -> None:
    """By a session that no attempt of ours is known for."""
    session = shop.stripe.sessions[shop.sessions[0]]
    metadata = {key: value for key, value in session["metadata"].items() if key != "attemptId"}
    elsewhere = {**session, "id": "cs_elsewhere", "amount_total": amount, "payment_status": "paid"}
    await shop.delivers(
        shop.stripe.event("checkout.session.completed", {**elsewhere, "metadata": metadata, "payment_intent": "pi_2"})
    )


async def settled(shop: Shop, by: str) -> None:
    match by:
        case "void":
            await shop.admin.voids(shop.invoice_id)
        case "mark-paid":
            await shop.admin.marks_paid(shop.invoice_id, "cash")
        case _:
            await paid_elsewhere(shop, 1190)


@pytest.mark.parametrize("by", ["void", "mark-paid", "another payment"])
async def test_what_is_settled_otherwise_can_not_be_paid_any_more(shop: Shop, by: str) -> None:
    await shop.pays()
    await settled(shop, by)
    assert (await statuses(shop), at_stripe(shop)) == (["expired"], ["expired"])
    with pytest.raises(ValueError, match="expired"):
        shop.stripe.complete(shop.sessions[0])
    await shop.delivers(shop.stripe.expired)
    assert [event.type for event in await shop.kept(WebhookEvent) if event.outcome == "unused"] == [
        "checkout.session.expired"
    ]
    assert await statuses(shop) == ["expired"]
    journal = await shop.journal()
    assert (journal.count("payment.checkout_closing"), journal.count("payment.expired")) == (1, 1)
    assert "payment.overpayment" not in journal
    assert {log["level"] for log in await shop.logs()} == {"info"}
    assert await shop.reconciles() == Reconciled()


async def test_what_is_owed_again_is_paid_on_another_page(shop: Shop) -> None:
    first = await shop.pays()
    await shop.admin.marks_paid(shop.invoice_id, "by mistake")
    await shop.admin.marks_unpaid(shop.invoice_id, "it was")
    assert await shop.pays() != first
    assert (await statuses(shop), at_stripe(shop)) == (["expired", "open"], ["expired", "open"])
    await shop.delivers(shop.stripe.complete(shop.sessions[1]))
    assert (await shop.invoice())["status"] == "paid"


async def test_a_page_over_another_balance_is_closed(shop: Shop) -> None:
    await shop.pays()
    await paid_elsewhere(shop, 1000)
    assert (await statuses(shop), at_stripe(shop)) == (["expired"], ["expired"])
    await shop.pays()
    await shop.admin.marks_unpaid(shop.invoice_id, "the 10.00 went back")
    assert (await statuses(shop), at_stripe(shop)) == (["expired", "expired"], ["expired", "expired"])
    assert (await shop.invoice())["balanceDue"] == Decimal("11.90")


@pytest.mark.parametrize("webhook", ["before", "after", "never"])
async def test_a_customer_who_was_quicker_has_paid_too_much(shop: Shop, webhook: str) -> None:
    await shop.pays()
    told = shop.stripe.complete(shop.sessions[0])
    await shop.admin.voids(shop.invoice_id)
    if webhook == "before":
        await shop.delivers(told)
    assert await statuses(shop) == ["paid"]
    if webhook == "after":
        await shop.delivers(told)
    assert (await shop.journal()).count("payment.overpayment") == 1
    assert [payment.amount_minor for payment in await shop.kept(Payment)] == [1190]
    assert (await shop.invoice())["status"] == "void"


async def test_a_bank_that_is_at_it_already_goes_on(shop: Shop) -> None:
    await shop.pays()
    shop.stripe.complete(shop.sessions[0], delayed=True)
    await shop.admin.marks_paid(shop.invoice_id, "cash")
    assert await statuses(shop) == ["processing"]
    await shop.delivers(shop.stripe.settle(shop.sessions[0]))
    assert await statuses(shop) == ["paid"]
    assert (await shop.journal()).count("payment.overpayment") == 1


@pytest.mark.parametrize("fault", [Fault(status=402), Fault(drop="after"), Fault(status=500)], ids=repr)
async def test_stripe_is_asked_until_the_page_is_closed(shop: Shop, fault: Fault) -> None:
    await shop.pays()
    shop.stripe.expiry_faults.append(fault)
    await shop.admin.voids(shop.invoice_id)
    assert (await statuses(shop), at_stripe(shop)) == (["expired"], ["expired"])
    assert (await shop.journal()).count("payment.expired") == 1


@pytest.mark.parametrize("by", ["void", "mark-paid"])
async def test_a_page_that_opens_too_late_is_closed_unseen(shop: Shop, by: str) -> None:
    goes_on = asyncio.Event()
    shop.stripe.faults.append(Fault(until=goes_on))
    paying = asyncio.create_task(shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay"))
    async with asyncio.timeout(10):
        while shop.stripe.faults:  # noqa: ASYNC110 - the fake has no event to wait for
            await asyncio.sleep(0.01)
    await settled(shop, by)
    goes_on.set()
    refused = await paying
    assert (refused.status, "meanwhile" in refused.message) == (400, True)
    assert (await statuses(shop), at_stripe(shop)) == (["expired"], ["expired"])


async def test_a_page_that_was_opened_in_doubt_is_closed_when_it_is_found(shop: Shop) -> None:
    shop.stripe.faults.extend([Fault(drop="after"), TURNED_AWAY])
    assert (await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")).status == 502
    await shop.admin.marks_paid(shop.invoice_id, "cash")
    assert await statuses(shop) == ["opening"]
    assert await shop.reconciles() == Reconciled(asked=1, pending=1)
    assert (await statuses(shop), at_stripe(shop)) == (["expired"], ["expired"])


async def test_of_two_pages_for_one_balance_one_is_closed(shop: Shop) -> None:
    shop.stripe.faults.extend([Fault(drop="after"), TURNED_AWAY])
    assert (await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")).status == 502
    shop.clock.jump_to(shop.clock() + timedelta(hours=23, minutes=30))  # too old to be asked for again
    await shop.pays()
    await shop.reconciles()
    assert (await statuses(shop), at_stripe(shop)) == (["expired", "open"], ["expired", "open"])


async def test_a_page_in_another_account_is_left_until_it_has_expired_there(shop: Shop) -> None:
    await shop.pays()
    elsewhere: dict[str, Any] = dict(shop.stripe.sessions)
    shop.stripe.sessions.clear()
    await shop.admin.voids(shop.invoice_id)
    assert await statuses(shop) == ["closing"]
    assert await shop.reconciles() == Reconciled(asked=1, pending=1)
    assert await statuses(shop) == ["closing"]
    shop.clock.jump_to(shop.clock() + timedelta(hours=25))
    assert await shop.reconciles() == Reconciled(asked=1, expired=1)
    assert (await statuses(shop), len(elsewhere)) == (["expired"], 1)
