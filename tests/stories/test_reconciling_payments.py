"""Stories of webhooks that never came: Stripe is asked, and what it says is booked once, whatever comes when."""

import asyncio
import json
from datetime import timedelta

import pytest

from decabilld.control.payments import Reconciled
from decabilld.domain.entities import Payment, PaymentAttempt, WebhookEvent
from decabilld.domain.refusals import Invalid
from tests.control.command import decabilld
from tests.harness.daemons import StoryClock
from tests.stories.conftest import StartDaemon
from tests.stories.shop import Shop, opened_shop, paying_at
from tests.stripe.fake_stripe import FakeStripe, Fault

TURNED_AWAY = Fault(status=429, retry_after_seconds=60)
IN_DOUBT = [Fault(drop="after"), TURNED_AWAY]
"""Stripe acted, and nobody heard."""


async def statuses(shop: Shop) -> list[str]:
    return [attempt.status for attempt in await shop.kept(PaymentAttempt)]


async def test_a_payment_that_no_webhook_told_of_is_booked_once(shop: Shop) -> None:
    await shop.pays()
    late = shop.stripe.complete(shop.sessions[0])
    assert await shop.reconciles() == Reconciled(asked=1, booked=1)
    invoice = await shop.invoice()
    assert (invoice["status"], invoice["balanceDue"]) == ("paid", 0)
    await shop.delivers(late)
    assert await shop.reconciles() == Reconciled()
    assert [event.outcome for event in await shop.kept(WebhookEvent)] == ["applied", "already_applied"]
    (payment,) = await shop.kept(Payment)
    assert payment.reference == shop.stripe.sessions[shop.sessions[0]]["payment_intent"]
    assert "payment.overpayment" not in await shop.journal()
    await shop.delivers(shop.stripe.dispute(shop.sessions[0]))  # found by that reference
    assert "payment.disputed" in await shop.journal()


async def test_the_webhook_and_the_asking_at_the_same_moment_book_once(shop: Shop) -> None:
    for month in range(2, 6):
        invoice_id = (await shop.anna.invoices(shop.subscription))[-1]["id"]
        await shop.anna.pays(invoice_id)
        told = shop.stripe.complete(shop.sessions[-1], copies=5)
        asked, _ = await asyncio.gather(shop.reconciles(), shop.delivers_at_once(told))
        assert asked.booked + asked.known + (not asked.asked) == 1
        assert (await shop.anna.invoice(invoice_id))["status"] == "paid"
        await shop.admin.move_to(f"2024-{month + 1:02}-11 00:00")
    assert [payment.amount_minor for payment in await shop.kept(Payment)] == [1190] * 4
    assert "payment.overpayment" not in await shop.journal()


async def test_what_expired_unseen_is_closed(shop: Shop) -> None:
    await shop.pays()
    late = shop.stripe.expire(shop.sessions[0])
    assert await shop.reconciles() == Reconciled(asked=1, expired=1)
    await shop.delivers(late)
    assert await statuses(shop) == ["expired"]
    assert (await shop.journal()).count("payment.expired") == 1


async def test_what_can_still_be_paid_stays_pending_and_is_asked_about_after_an_hour(shop: Shop) -> None:
    url = await shop.pays()
    assert await shop.reconciles(older_than_minutes=60) == Reconciled()
    shop.clock.jump_to(shop.clock() + timedelta(minutes=61))
    before = await shop.journal()
    assert await shop.reconciles(older_than_minutes=60) == Reconciled(asked=1, pending=1)
    assert await shop.journal() == before
    assert await shop.pays() == url


async def test_a_delayed_payment_is_followed_to_its_end(shop: Shop) -> None:
    await shop.pays()
    shop.stripe.complete(shop.sessions[0], delayed=True)
    for _ in range(3):
        assert await shop.reconciles() == Reconciled(asked=1, pending=1)
    assert await statuses(shop) == ["processing"]
    assert (await shop.journal()).count("payment.processing") == 1
    shop.stripe.settle(shop.sessions[0], succeeded=False)
    assert await shop.reconciles() == Reconciled(asked=1, failed=1)
    await shop.pays()
    shop.stripe.complete(shop.sessions[1], delayed=True)
    await shop.reconciles()
    shop.stripe.settle(shop.sessions[1])
    assert await shop.reconciles() == Reconciled(asked=1, booked=1)
    assert await statuses(shop) == ["failed", "paid"]
    assert (await shop.invoice())["status"] == "paid"


@pytest.mark.parametrize("paid", [False, True])
async def test_a_checkout_that_was_opened_in_doubt_is_found(shop: Shop, paid: bool) -> None:
    shop.stripe.faults.extend(IN_DOUBT)
    assert (await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")).status == 502
    if paid:
        shop.stripe.complete(shop.sessions[0])
    assert await shop.reconciles() == Reconciled(asked=1, booked=int(paid), pending=int(not paid))
    assert await statuses(shop) == ["paid" if paid else "open"]
    if not paid:
        assert await shop.pays() == shop.stripe.sessions[shop.sessions[0]]["url"]
    assert len(shop.sessions) == 1


async def test_a_checkout_that_was_never_opened_is_given_up(shop: Shop) -> None:
    shop.stripe.faults.append(TURNED_AWAY)
    assert (await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")).status == 502
    assert await shop.reconciles() == Reconciled(asked=1, failed=1)
    assert await statuses(shop) == ["failed"]
    await shop.pays()
    assert await statuses(shop) == ["failed", "open"]


async def test_more_and_less_than_the_balance_are_booked_as_by_webhook(shop: Shop) -> None:
    await shop.pays()
    shop.stripe.complete(shop.sessions[0], amount_minor=190)
    assert await shop.reconciles() == Reconciled(asked=1, booked=1)
    assert (await shop.invoice())["status"] == "partially_paid"
    await shop.pays()
    shop.stripe.complete(shop.sessions[1], amount_minor=1200)
    assert await shop.reconciles() == Reconciled(asked=1, booked=1)
    assert "payment.overpayment" in await shop.journal()


async def test_while_stripe_is_away_nothing_changes(shop: Shop) -> None:
    await shop.pays()
    shop.stripe.complete(shop.sessions[0])
    shop.stripe.asking_faults.append(Fault(status=402))
    assert await shop.reconciles() == Reconciled(asked=1, unanswered=1)
    session_id = shop.sessions[0]
    kept = shop.stripe.sessions.pop(session_id)  # as with the key of another account
    assert await shop.reconciles() == Reconciled(asked=1, pending=1)
    shop.stripe.sessions[session_id] = kept
    assert await statuses(shop) == ["open"]
    assert await shop.reconciles() == Reconciled(asked=1, booked=1)


async def test_a_checkout_in_another_account_is_closed_once_it_has_expired_there(shop: Shop) -> None:
    await shop.pays()
    shop.stripe.sessions.clear()
    shop.clock.jump_to(shop.clock() + timedelta(hours=25))
    assert await shop.reconciles() == Reconciled(asked=1, expired=1)
    assert await statuses(shop) == ["expired"]


async def test_the_command_says_what_it_did(shop: Shop) -> None:
    home = shop.daemon.settings.data_path
    await shop.pays()
    shop.stripe.asking_faults.append(Fault(status=402))
    in_vain = await decabilld("reconcile-payments", "--older-than", "0", data_dir=home)
    assert (in_vain.code, "1 without an answer from Stripe" in in_vain.out) == (1, True)
    shop.stripe.complete(shop.sessions[0])
    done = await decabilld("reconcile-payments", "--older-than", "0", data_dir=home)
    assert (done.code, done.out) == (0, "default: 1 asked, 1 booked, 0 expired, 0 still pending\n")
    again = await decabilld("reconcile-payments", "--tenant", "default", "--json", data_dir=home)
    assert (again.code, json.loads(again.out)["default"]["asked"]) == (0, 0)
    nobody = await decabilld("reconcile-payments", "--tenant", "nobody", data_dir=home)
    assert (nobody.code, "nobody is not among the TENANTS" in nobody.err) == (1, True)


async def test_without_a_daemon_or_a_processor_the_command_says_so(start_daemon: StartDaemon) -> None:
    daemon = await start_daemon()
    home = daemon.settings.data_path
    unpaid = await decabilld("reconcile-payments", data_dir=home)
    assert (unpaid.code, "Online payment is not configured" in unpaid.err) == (1, True)
    alone = await decabilld("reconcile-payments", data_dir=home / "elsewhere")
    assert (alone.code, "no daemon runs" in alone.err) == (1, True)


async def test_it_is_done_by_the_hour_for_every_tenant(
    start_daemon: StartDaemon, stripe: FakeStripe, clock: StoryClock
) -> None:
    daemon = await start_daemon(clock=clock, payment_reconcile_interval_ms=1_000, **paying_at(stripe))
    shop = await opened_shop(daemon, clock, stripe)
    await shop.pays()
    stripe.complete(shop.sessions[0])
    await asyncio.sleep(1.2)
    assert (await shop.invoice())["status"] == "issued"  # too young
    clock.jump_to(clock() + timedelta(minutes=61))
    async with asyncio.timeout(10):
        while (await shop.invoice())["status"] != "paid":  # noqa: ASYNC110 - nothing tells when the hour is over
            await asyncio.sleep(0.1)
    assert len(await shop.kept(Payment)) == 1


async def test_an_unknown_tenant_is_refused(shop: Shop) -> None:
    with pytest.raises(Invalid, match="TENANTS"):
        await shop.reconciles(tenant="elsewhere")
