"""Stories of money that goes back: the operator learns of it once, and only they say what is owed again."""

from decimal import Decimal
from typing import Any

import structlog

from decabilld.domain.entities import Payment, WebhookEvent
from tests.harness.daemons import StoryClock
from tests.stories.conftest import StartDaemon
from tests.stories.shop import Shop, opened_shop, paying_at
from tests.stripe.fake_stripe import FakeStripe


async def paid(shop: Shop) -> str:
    """The session that the invoice was paid by."""
    await shop.pays()
    await shop.delivers(shop.stripe.complete(shop.sessions[0]))
    return shop.sessions[0]


async def warnings(shop: Shop) -> list[tuple[str, Any, Any]]:
    """The audit log's, as (kind, amount, detail)."""
    logs = [log for log in await shop.logs() if log["level"] == "warning"]
    return [(log["context"]["kind"], log["context"]["amount_minor"], log["context"]["detail"]) for log in logs]


async def test_refunds_are_told_and_the_operator_decides(shop: Shop) -> None:
    session_id = await paid(shop)
    with structlog.testing.capture_logs() as lines:
        await shop.delivers(shop.stripe.refund(session_id, 190, copies=3))
        await shop.delivers(shop.stripe.refund(session_id, 1000, copies=2))
    invoice = await shop.invoice()
    assert (invoice["status"], invoice["balanceDue"]) == ("paid", 0)
    assert await warnings(shop) == [("payment.refunded", 190, None), ("payment.refunded", 1000, None)]
    assert [log["process"] for log in await shop.logs() if log["level"] == "warning"] == ["payment.webhook"] * 2
    told = [line for line in lines if line["event"] == "payment_reversed"]
    assert [(line["kind"], line["amount_minor"], line["invoice_id"]) for line in told] == [
        ("refunded", 190, shop.invoice_id),
        ("refunded", 1000, shop.invoice_id),
    ]
    await shop.admin.marks_unpaid(shop.invoice_id, "refunded")
    assert (await shop.invoice())["balanceDue"] == Decimal("11.90")
    assert [payment.amount_minor for payment in await shop.kept(Payment)] == [1190, -1190]


async def test_a_dispute_finds_its_invoice_by_the_payment(shop: Shop) -> None:
    session_id = await paid(shop)
    await shop.delivers_at_once(shop.stripe.dispute(session_id, copies=5))
    await shop.delivers(shop.stripe.close_dispute(session_id, won=False))
    assert await warnings(shop) == [
        ("payment.disputed", 1190, "fraudulent"),
        ("payment.dispute_closed", 1190, "lost"),
    ]
    assert (await shop.invoice())["status"] == "paid"
    assert [event.outcome for event in await shop.kept(WebhookEvent)] == ["applied", "disputed", "dispute_closed"]


async def test_a_refund_may_be_told_before_the_payment(shop: Shop) -> None:
    await shop.pays()
    completed = shop.stripe.complete(shop.sessions[0])
    await shop.delivers(shop.stripe.refund(shop.sessions[0], 1190))
    assert (await shop.invoice())["status"] == "issued"
    await shop.delivers(completed)
    assert (await shop.invoice())["status"] == "paid"
    assert await warnings(shop) == [("payment.refunded", 1190, None)]


async def test_money_back_of_what_is_not_ours(shop: Shop) -> None:
    session_id = await paid(shop)
    (charge,) = [shop.stripe.charge_of(session_id)]
    elsewhere = {**charge, "payment_intent": "pi_elsewhere", "metadata": {}}
    await shop.delivers(shop.stripe.event("charge.refunded", elsewhere))
    unknown = {**elsewhere, "metadata": {"tenantId": "default", "invoiceId": shop.subscription}}
    await shop.delivers(shop.stripe.event("charge.refunded", unknown))
    other_tenant = {**charge, "metadata": {"tenantId": "elsewhere", "invoiceId": shop.invoice_id}}
    await shop.delivers(shop.stripe.event("charge.refunded", other_tenant))
    assert [event.outcome for event in await shop.kept(WebhookEvent)] == ["applied", "unknown_invoice"]
    assert await warnings(shop) == []


async def test_each_tenant_hears_of_its_own_disputes(
    start_daemon: StartDaemon, stripe: FakeStripe, clock: StoryClock
) -> None:
    daemon = await start_daemon(clock=clock, tenants=("default", "acme"), **paying_at(stripe))
    shop = await opened_shop(daemon, clock, stripe)
    acme = await daemon.admin("acme")
    session_id = await paid(shop)
    mixed_up = {**stripe.charge_of(session_id), "metadata": {"tenantId": "acme"}}
    await shop.delivers(stripe.dispute(session_id))
    await shop.delivers(stripe.event("charge.refunded", mixed_up))  # never told to whom it names but wasn't paid to
    assert [event.outcome for event in await shop.kept(WebhookEvent)] == ["applied", "disputed"]
    of_acme = await acme.audit.rows(WebhookEvent, "acme")
    assert [(event.type, event.outcome) for event in of_acme] == [("charge.refunded", "unknown_invoice")]
