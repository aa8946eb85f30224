"""Stories of paying online, with a Stripe on loopback: nobody pays twice, and whatever Stripe says is kept once."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from decabilld.domain.entities import Payment, PaymentAttempt, WebhookEvent
from tests.harness.people import Admin, Customer
from tests.stories.conftest import StartDaemon
from tests.stripe.fake_stripe import Delivery, FakeStripe, Fault


class Shop:
    """A daemon with its Stripe, and Anna, who owes an invoice of 11.90."""

    def __init__(self, stripe: FakeStripe, admin: Admin, anna: Customer, subscription: str, invoice_id: str) -> None:
        self.stripe, self.admin, self.anna = stripe, admin, anna
        self.subscription, self.invoice_id = subscription, invoice_id

    async def invoice(self) -> Any:
        return await self.anna.invoice(self.invoice_id)

    async def pays(self) -> str:
        return await self.anna.pays(self.invoice_id)

    @property
    def sessions(self) -> list[str]:
        """Ids of what was opened at Stripe, the oldest first."""
        return list(self.stripe.sessions)

    async def delivers(self, deliveries: list[Delivery]) -> None:
        """Stripe posts its events; each must be answered 200."""
        statuses = await self.stripe.deliver(f"{self.admin.url}/webhooks/payments/stripe", deliveries)
        assert set(statuses) == {200}

    async def kept(self, kind: Any) -> list[Any]:
        return list(await self.admin.audit.rows(kind, self.admin.tenant))

    async def journal(self) -> list[str]:
        return [kind for kind in await self.admin.audit.journal_kinds(self.admin.tenant) if kind.startswith("payment")]


@pytest.fixture
async def stripe() -> AsyncIterator[FakeStripe]:
    async with FakeStripe() as stripe:
        yield stripe


@pytest.fixture
async def shop(start_daemon: StartDaemon, stripe: FakeStripe) -> Shop:
    daemon = await start_daemon(
        stripe_secret_key=stripe.secret_key,
        stripe_webhook_secret=stripe.webhook_secret,
        stripe_api_base=stripe.base_url,
    )
    admin = await daemon.admin()
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan())
    await admin.move_to("2024-02-11 00:00")
    (invoice,) = await anna.invoices(subscription)
    return Shop(stripe, admin, anna, subscription, invoice["id"])


async def test_paying_opens_one_checkout_however_often_it_is_asked_for(shop: Shop) -> None:
    url = await shop.pays()
    assert await shop.pays() == url
    scoped = f"/invoices/{shop.subscription}/ref/{shop.invoice_id}/pay"
    assert (await shop.anna.post(scoped))["checkoutUrl"] == url
    ((session_id, session),) = shop.stripe.sessions.items()
    assert (session["amount_total"], session["currency"], session["url"]) == (1190, "eur", url)
    assert session["metadata"] | {"attemptId": ""} == {
        "invoiceId": shop.invoice_id,
        "subscriptionId": shop.subscription,
        "userId": shop.anna.id,
        "tenantId": "default",
        "invoiceNumber": "INV-2024-00001",
        "attemptId": "",
    }
    await shop.delivers(shop.stripe.complete(session_id, copies=3))
    invoice = await shop.invoice()
    assert (invoice["status"], invoice["balanceDue"], invoice["canPay"]) == ("paid", 0, False)
    assert [payment.amount_minor for payment in await shop.kept(Payment)] == [1190]
    assert len(await shop.kept(WebhookEvent)) == 1
    assert (await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")).status == 400


async def test_five_clicks_at_once_open_one_checkout(shop: Shop) -> None:
    shop.stripe.faults.append(Fault(delay_seconds=0.2))
    urls = await asyncio.gather(*(shop.pays() for _ in range(5)))
    assert len(set(urls)) == len(shop.sessions) == 1
    assert [attempt.status for attempt in await shop.kept(PaymentAttempt)] == ["open"]


async def test_less_than_the_balance_leaves_the_rest_to_be_paid(shop: Shop) -> None:
    first = await shop.pays()
    await shop.delivers(shop.stripe.complete(shop.sessions[0], amount_minor=1000))
    invoice = await shop.invoice()
    assert (invoice["status"], invoice["balanceDue"]) == ("partially_paid", Decimal("1.90"))
    assert (await shop.admin.refused("POST", f"/admin/billing/invoices/{shop.invoice_id}/void")).status == 400
    assert await shop.pays() != first
    assert shop.stripe.sessions[shop.sessions[1]]["amount_total"] == 190
    await shop.admin.move_to("2024-03-10 00:00")
    assert (await shop.invoice())["status"] == "partially_paid"  # only what nothing was paid of becomes overdue
    await shop.delivers(shop.stripe.complete(shop.sessions[1]))
    assert (await shop.invoice())["status"] == "paid"
    assert [payment.amount_minor for payment in await shop.kept(Payment)] == [1000, 190]


async def test_a_rest_too_small_for_a_checkout_is_not_payable_online(shop: Shop) -> None:
    await shop.pays()
    await shop.delivers(shop.stripe.complete(shop.sessions[0], amount_minor=1150))
    assert (await shop.invoice())["canPay"] is False
    assert (await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")).status == 400


async def test_more_than_the_balance_is_for_the_operator_to_see(shop: Shop) -> None:
    await shop.pays()
    await shop.delivers(shop.stripe.complete(shop.sessions[0], amount_minor=1500))
    invoice = await shop.invoice()
    assert (invoice["status"], invoice["balanceDue"]) == ("paid", 0)
    assert "payment.overpayment" in await shop.journal()
    await shop.admin.marks_unpaid(shop.invoice_id, "refunded by hand")
    assert (await shop.invoice())["balanceDue"] == Decimal("11.90")


async def test_paid_by_hand_and_then_by_stripe_is_an_overpayment(shop: Shop) -> None:
    await shop.pays()
    await shop.admin.marks_paid(shop.invoice_id, "cash")
    await shop.delivers(shop.stripe.complete(shop.sessions[0], copies=2))
    assert (await shop.invoice())["status"] == "paid"
    assert (await shop.journal()).count("payment.overpayment") == 1


async def test_money_for_a_void_invoice_is_an_overpayment(shop: Shop) -> None:
    await shop.pays()
    await shop.admin.voids(shop.invoice_id)
    await shop.delivers(shop.stripe.complete(shop.sessions[0]))
    invoice = await shop.invoice()
    assert (invoice["status"], invoice["balanceDue"]) == ("void", 0)
    assert "payment.overpayment" in await shop.journal()


async def test_an_expired_checkout_is_followed_by_a_new_one(shop: Shop) -> None:
    first = await shop.pays()
    await shop.delivers(shop.stripe.expire(shop.sessions[0]))
    assert await shop.pays() != first
    assert [attempt.status for attempt in await shop.kept(PaymentAttempt)] == ["expired", "open"]


async def test_a_delayed_payment_pays_when_it_arrives(shop: Shop) -> None:
    await shop.pays()
    await shop.delivers(shop.stripe.complete(shop.sessions[0], delayed=True))
    assert (await shop.invoice())["status"] == "issued"
    await shop.delivers(shop.stripe.settle(shop.sessions[0]))
    assert (await shop.invoice())["status"] == "paid"


async def test_a_checkout_over_another_balance_is_not_answered_again(shop: Shop) -> None:
    first = await shop.pays()
    session = shop.stripe.sessions[shop.sessions[0]]
    metadata = {key: value for key, value in session["metadata"].items() if key != "attemptId"}
    elsewhere = {**session, "amount_total": 1000, "payment_status": "paid", "metadata": metadata}
    await shop.delivers(shop.stripe.event("checkout.session.completed", elsewhere))
    assert (await shop.invoice())["balanceDue"] == Decimal("1.90")
    assert await shop.pays() != first
    assert shop.stripe.sessions[shop.sessions[1]]["amount_total"] == 190


async def test_two_events_about_one_payment_are_one_payment(shop: Shop) -> None:
    await shop.pays()
    await shop.delivers(shop.stripe.complete(shop.sessions[0]))
    session = shop.stripe.sessions[shop.sessions[0]]
    await shop.delivers(shop.stripe.event("checkout.session.async_payment_succeeded", session))
    assert [event.outcome for event in await shop.kept(WebhookEvent)] == ["applied", "already_applied"]
    assert len(await shop.kept(Payment)) == 1
    assert "payment.overpayment" not in await shop.journal()


async def test_what_is_not_ours_is_recorded_and_answered(shop: Shop) -> None:
    await shop.pays()
    session_id = shop.sessions[0]
    await shop.delivers(shop.stripe.complete(session_id))
    await shop.delivers(shop.stripe.payment_intent_succeeded(session_id))
    unknown = {**shop.stripe.sessions[session_id]}
    unknown["metadata"] = {**unknown["metadata"], "invoiceId": shop.subscription, "attemptId": "nonsense"}
    await shop.delivers(shop.stripe.event("checkout.session.completed", unknown))
    nobody = {**unknown, "metadata": {"tenantId": "elsewhere"}}
    await shop.delivers(shop.stripe.event("checkout.session.completed", nobody))
    assert [event.outcome for event in await shop.kept(WebhookEvent)] == ["applied", "unused", "unknown_invoice"]
    assert len(await shop.kept(Payment)) == 1


async def test_stripe_refusing_is_said_and_the_next_try_is_a_new_one(shop: Shop) -> None:
    shop.stripe.faults.append(Fault(status=402))
    refused = await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")
    assert (refused.status, refused.answer["code"]) == (502, "PAYMENT_PROVIDER_FAILED")
    assert "declined" in refused.message
    assert await shop.pays()
    assert [attempt.status for attempt in await shop.kept(PaymentAttempt)] == ["failed", "open"]


@pytest.mark.heavy
async def test_stripe_down_is_502_and_asking_again_opens_no_second_checkout(shop: Shop) -> None:
    shop.stripe.faults.extend([Fault(drop="after"), *[Fault(drop="before")] * 4])  # it acted, and nobody heard
    refused = await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")
    assert refused.status == 502
    assert len(shop.sessions) == 1
    await shop.anna.fills_in_profile(email="anna.new@customers.example")  # asked again in the same words all the same
    assert await shop.pays() == shop.stripe.sessions[shop.sessions[0]]["url"]
    assert len(shop.sessions) == 1
    assert [attempt.status for attempt in await shop.kept(PaymentAttempt)] == ["open"]


@pytest.mark.heavy
async def test_stripe_slow_is_said_in_time_and_its_checkout_is_found_again(shop: Shop) -> None:
    shop.stripe.faults.append(Fault(delay_seconds=25))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    refused = await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")
    assert refused.status in (502, 504)
    assert loop.time() - begun < 40
    await asyncio.sleep(max(0.0, begun + 26 - loop.time()))
    assert await shop.pays() == shop.stripe.sessions[shop.sessions[0]]["url"]
    assert len(shop.sessions) == 1
