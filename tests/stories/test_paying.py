"""Stories of paying online, with a Stripe on loopback: nobody pays twice, and whatever Stripe says is kept once."""

import asyncio
from decimal import Decimal

import pytest

from decabilld.domain.entities import Payment, PaymentAttempt, WebhookEvent
from tests.stories.shop import Shop
from tests.stripe.fake_stripe import Fault


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
    told = shop.stripe.complete(shop.sessions[0], copies=2)
    await shop.admin.marks_paid(shop.invoice_id, "cash")
    await shop.delivers(told)
    assert (await shop.invoice())["status"] == "paid"
    assert (await shop.journal()).count("payment.overpayment") == 1


async def test_money_for_a_void_invoice_is_an_overpayment(shop: Shop) -> None:
    await shop.pays()
    told = shop.stripe.complete(shop.sessions[0])
    await shop.admin.voids(shop.invoice_id)
    await shop.delivers(told)
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


async def test_while_the_bank_takes_its_time_nothing_else_is_paid(shop: Shop) -> None:
    await shop.pays()
    await shop.delivers(shop.stripe.complete(shop.sessions[0], delayed=True))
    refused = await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")
    assert (refused.status, "under way" in refused.message) == (400, True)
    await shop.delivers(shop.stripe.settle(shop.sessions[0], succeeded=False))
    assert (await shop.invoice())["status"] == "issued"
    assert await shop.pays() == shop.stripe.sessions[shop.sessions[1]]["url"]
    assert [attempt.status for attempt in await shop.kept(PaymentAttempt)] == ["failed", "open"]


async def test_events_about_a_delayed_payment_may_come_in_any_order(shop: Shop) -> None:
    await shop.pays()
    completed = shop.stripe.complete(shop.sessions[0], delayed=True)
    await shop.delivers(shop.stripe.settle(shop.sessions[0]))
    await shop.delivers(completed)
    assert (await shop.invoice())["status"] == "paid"
    assert [event.outcome for event in await shop.kept(WebhookEvent)] == ["applied", "unused"]
    assert [attempt.status for attempt in await shop.kept(PaymentAttempt)] == ["paid"]


async def test_paid_after_all_although_it_was_said_to_have_failed(shop: Shop) -> None:
    await shop.pays()
    session_id = shop.sessions[0]
    await shop.delivers(shop.stripe.complete(session_id, delayed=True))
    failed = shop.stripe.event("checkout.session.async_payment_failed", shop.stripe.sessions[session_id])
    await shop.delivers(failed)
    await shop.delivers(shop.stripe.settle(session_id))
    assert (await shop.invoice())["status"] == "paid"
    assert [attempt.status for attempt in await shop.kept(PaymentAttempt)] == ["paid"]


async def test_twenty_copies_at_once_are_one_payment(shop: Shop) -> None:
    await shop.pays()
    await shop.delivers_at_once(shop.stripe.complete(shop.sessions[0], copies=20))
    assert [payment.amount_minor for payment in await shop.kept(Payment)] == [1190]
    assert [event.outcome for event in await shop.kept(WebhookEvent)] == ["applied"]
    assert (await shop.journal()).count("payment.received") == 1


@pytest.mark.parametrize("wrong", [{"currency": "usd"}, {"amount_total": None}, {"amount_total": -5}], ids=repr)
async def test_money_that_does_not_fit_is_not_applied(shop: Shop, wrong: dict[str, object]) -> None:
    await shop.pays()
    session = {**shop.stripe.sessions[shop.sessions[0]], "payment_status": "paid", **wrong}
    await shop.delivers(shop.stripe.event("checkout.session.completed", session))
    assert (await shop.invoice())["balanceDue"] == Decimal("11.90")
    assert await shop.kept(Payment) == []
    assert [event.outcome for event in await shop.kept(WebhookEvent)] == ["not_applicable"]
    assert [log["level"] for log in await shop.logs() if log["context"]["kind"] == "payment.not_applicable"] == [
        "error"
    ]


async def test_money_for_what_is_no_invoice_any_more_is_an_error_in_the_journal(shop: Shop) -> None:
    await shop.pays()
    lines = {"lineItems": [{"description": "Work", "quantity": 1, "unitPriceNet": 10}]}
    draft = await shop.admin.post("/admin/billing/invoices/manual", {"userId": shop.anna.id, **lines})
    gone = await shop.admin.post("/admin/billing/invoices/manual", {"userId": shop.anna.id, **lines})
    await shop.admin.call("DELETE", f"/admin/billing/invoices/{gone['id']}")
    session = {**shop.stripe.sessions[shop.sessions[0]], "payment_status": "paid"}
    for invoice_id in (draft["id"], gone["id"]):
        metadata = {**session["metadata"], "invoiceId": invoice_id, "attemptId": shop.subscription}
        await shop.delivers(
            shop.stripe.event("checkout.session.completed", {**session, "metadata": metadata}, copies=2)
        )
    assert [event.outcome for event in await shop.kept(WebhookEvent)] == ["unknown_invoice"] * 2
    levels = await shop.admin.audit.journal_levels(shop.admin.tenant)
    assert levels["payment.event_handled"] == ["error"] * 2
    assert await shop.kept(Payment) == []


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


@pytest.mark.parametrize(
    ("price", "currency", "can_be"),
    [
        ("0.41", "USD", False),
        ("0.45", "USD", True),  # 0.54 with the tax
        ("0.26", "GBP", True),  # 0.31: in another currency than the operator's it is Stripe's limit that counts
        ("0.50", "EUR", False),
        ("1000", "UGX", False),
        ("10.01", "MGA", False),
        ("900000", "EUR", False),
    ],
)
async def test_what_is_said_to_be_payable_is_and_the_rest_is_refused(
    shop: Shop, price: str, currency: str, can_be: bool
) -> None:
    lines = [{"description": "Work", "quantity": 1, "unitPriceNet": Decimal(price)}]
    draft = await shop.admin.post(
        "/admin/billing/invoices/manual", {"userId": shop.anna.id, "lineItems": lines, "currency": currency}
    )
    await shop.admin.post(f"/admin/billing/invoices/{draft['id']}/issue")
    assert (await shop.anna.invoice(draft["id"]))["canPay"] is can_be
    if can_be:
        await shop.anna.pays(draft["id"])
    else:
        refused = await shop.anna.refused("POST", f"/invoices/ref/{draft['id']}/pay")
        assert (refused.status, currency in refused.message) == (400, True)
    assert len(shop.sessions) == can_be
