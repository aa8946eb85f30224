"""Reading Stripe's events: what a payment's life looks like at the webhook, and what is turned away."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from decabilld.domain.refusals import Invalid
from decabilld.gateways.stripe.checkout import StripeCheckout
from decabilld.gateways.stripe.webhook import StripeEvent, parse_event, read_payment_event
from decabilld.messages.commands import RecordReversal
from tests.stripe import wire
from tests.stripe.fake_stripe import Delivery, FakeStripe
from tests.stripe.test_checkout import ORDER

SECRET = "whsec_tests"


async def opened(stripe: FakeStripe) -> str:
    checkout = StripeCheckout(stripe.secret_key, stripe.base_url)
    stripe.add_customer(ORDER["customer_id"])
    session = await checkout.open_session(**ORDER, deadline=checkout.deadline())
    await checkout.close()
    return session.session_id


def parse(delivery: Delivery) -> StripeEvent:
    return parse_event(delivery.raw, delivery.signature, SECRET)


def signed(body: bytes | dict[str, Any], *, secret: str = SECRET, age_seconds: int = 0) -> Delivery:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery(raw, wire.sign(raw, secret, int(time.time()) - age_seconds))


SESSION = {"id": "cs_1", "object": "checkout.session", "amount_total": 1, "currency": "eur", "metadata": {}}
EVENT = json.loads(wire.event("evt_1", "checkout.session.completed", SESSION, 1_780_000_000))


async def test_a_card_payment() -> None:
    async with FakeStripe(webhook_secret=SECRET) as stripe:
        session_id = await opened(stripe)
        (delivery,) = stripe.complete(session_id)
        event = parse(delivery)

    assert event.event_id == json.loads(delivery.raw)["id"]
    assert abs(event.created - datetime.now(UTC)) < timedelta(seconds=10)
    assert (event.type, event.session_id, event.payment_status) == ("checkout.session.completed", session_id, "paid")
    assert (event.outcome, event.amount_minor, event.currency) == ("paid", 11900, "EUR")
    assert event.payment_intent is not None
    assert event.payment_intent.startswith("pi_")
    assert (event.attempt_id, event.invoice_id, event.tenant_id, event.user_id) == (
        ORDER["attempt_id"],
        ORDER["invoice_id"],
        "default",
        ORDER["user_id"],
    )


@pytest.mark.parametrize(
    ("succeeded", "type_", "outcome"),
    [
        (True, "checkout.session.async_payment_succeeded", "paid"),
        (False, "checkout.session.async_payment_failed", "failed"),
    ],
)
async def test_a_debit_that_is_decided_days_later(succeeded: bool, type_: str, outcome: str) -> None:
    async with FakeStripe(webhook_secret=SECRET) as stripe:
        session_id = await opened(stripe)
        (completed,) = stripe.complete(session_id, delayed=True)
        (settled,) = stripe.settle(session_id, succeeded=succeeded)

    assert (parse(completed).payment_status, parse(completed).outcome) == ("unpaid", "processing")
    event = parse(settled)
    assert (event.type, event.session_id, event.outcome) == (type_, session_id, outcome)
    assert (event.invoice_id, event.amount_minor) == (ORDER["invoice_id"], 11900)


async def test_a_session_that_nobody_paid() -> None:
    async with FakeStripe(webhook_secret=SECRET) as stripe:
        session_id = await opened(stripe)
        (delivery,) = stripe.expire(session_id)
    event = parse(delivery)

    assert (event.type, event.attempt_id) == ("checkout.session.expired", ORDER["attempt_id"])
    assert event.outcome == "expired"
    assert (event.payment_status, event.payment_intent) == ("unpaid", None)


async def test_a_type_that_we_do_not_use() -> None:
    async with FakeStripe(webhook_secret=SECRET) as stripe:
        session_id = await opened(stripe)
        stripe.complete(session_id)
        (delivery,) = stripe.payment_intent_succeeded(session_id)
    event = parse(delivery)

    assert event.outcome == "unused"
    assert event == StripeEvent(
        event_id=event.event_id,
        type="payment_intent.succeeded",
        created=event.created,
        attempt_id=ORDER["attempt_id"],
        invoice_id=ORDER["invoice_id"],
        tenant_id="default",
        user_id=ORDER["user_id"],
    )


def test_an_object_without_metadata() -> None:
    balance = {"object": "balance", "available": [{"amount": 5}], "currency": ["eur"]}
    event = parse(signed(EVENT | {"type": "balance.available", "data": {"object": balance}}))

    assert event == StripeEvent(event_id="evt_1", type="balance.available", created=event.created)


def test_a_session_of_somebody_else() -> None:
    event = parse(signed(EVENT | {"data": {"object": SESSION | {"metadata": None, "currency": None}}}))

    assert (event.session_id, event.tenant_id, event.invoice_id, event.currency) == ("cs_1", None, None, None)
    assert event.created == datetime(2026, 5, 28, 20, 26, 40, tzinfo=UTC)


async def test_a_duplicate_has_the_same_id_and_its_own_signature() -> None:
    async with FakeStripe(webhook_secret=SECRET) as stripe:
        first, second = stripe.complete(await opened(stripe), copies=2)

    assert first.signature != second.signature
    assert parse(first) == parse(second)


async def test_deliveries_arrive_as_they_were_signed() -> None:
    received: list[StripeEvent] = []

    async def webhook(request: web.Request) -> web.Response:
        received.append(parse_event(await request.read(), request.headers["Stripe-Signature"], SECRET))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/hook", webhook)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with FakeStripe(webhook_secret=SECRET) as stripe:
        session_id = await opened(stripe)
        statuses = await stripe.deliver(
            f"http://127.0.0.1:{runner.addresses[0][1]}/hook", stripe.complete(session_id, amount_minor=5000, copies=2)
        )
    await runner.cleanup()

    assert statuses == [202, 202]
    assert [(event.session_id, event.amount_minor) for event in received] == [(session_id, 5000)] * 2


def test_a_secret_being_rolled_signs_twice() -> None:
    raw = json.dumps(EVENT).encode()
    now = int(time.time())
    old, new = (wire.sign(raw, secret, now).split(",")[1] for secret in ("whsec_old", SECRET))

    assert parse(Delivery(raw, f"t={now},{old},{new}")).event_id == "evt_1"


@pytest.mark.parametrize(
    "delivery",
    [
        signed(EVENT, secret="whsec_other"),
        signed(EVENT, age_seconds=400),
        Delivery(signed(EVENT).raw + b" ", signed(EVENT).signature),
        Delivery(signed(EVENT).raw, ""),
        Delivery(signed(EVENT).raw, "nonsense"),
        Delivery(signed(EVENT).raw, "t=,v1="),
        Delivery(signed(EVENT).raw, f"t={int(time.time())},v1=ü"),
        Delivery(signed(EVENT).raw, signed(EVENT).signature.replace("v1=", "v2=")),
        Delivery(b"\xff\xfe", "t=1,v1=0"),
    ],
    ids=[
        "other secret",
        "too old",
        "body changed",
        "missing",
        "nonsense",
        "empty parts",
        "not ASCII",
        "no v1",
        "body not UTF-8",
    ],
)
def test_a_signature_that_proves_nothing(delivery: Delivery) -> None:
    with pytest.raises(Invalid, match="Webhook") as refused:
        parse(delivery)

    assert "evt_1" not in str(refused.value)


def test_no_secret_proves_nothing() -> None:
    delivery = signed(EVENT, secret="")
    with pytest.raises(Invalid):
        parse_event(delivery.raw, delivery.signature, "")


def test_the_tolerance_is_the_callers() -> None:
    delivery = signed(EVENT, age_seconds=400)

    assert parse_event(delivery.raw, delivery.signature, SECRET, tolerance=500).event_id == "evt_1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{not json",
        {},
        {name: value for name, value in EVENT.items() if name != "id"},
        EVENT | {"created": -1},
        EVENT | {"created": 10**15},
        EVENT | {"data": {"object": [1]}},
        EVENT | {"data": {"object": SESSION | {"amount_total": 1.5}}},
        EVENT | {"data": {"object": SESSION | {"metadata": {"invoiceId": 7}}}},
    ],
    ids=lambda body: str(body)[:40],
)
def test_a_body_that_is_no_event(body: bytes | dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="Webhook body"):
        parse(signed(body))


def reversal(delivery: Delivery) -> tuple[str | None, RecordReversal]:
    tenant_id, command = read_payment_event(delivery.raw, delivery.signature, secret=SECRET)
    assert isinstance(command, RecordReversal)
    return tenant_id, command


async def test_refunds_tell_their_own_part_and_the_whole() -> None:
    async with FakeStripe(webhook_secret=SECRET) as stripe:
        session_id = await opened(stripe)
        (paid,) = stripe.complete(session_id)
        (first,), (second,) = stripe.refund(session_id, 1900), stripe.refund(session_id, 10000)

    told = [reversal(delivery) for delivery in (first, second)]
    assert [(tenant, r.kind, r.amount_minor, r.total_minor, r.currency) for tenant, r in told] == [
        ("default", "refunded", 1900, 1900, "EUR"),
        ("default", "refunded", 10000, 11900, "EUR"),
    ]
    assert {r.invoice_id for _, r in told} == {ORDER["invoice_id"]}
    assert {r.reference for _, r in told} == {parse(paid).payment_intent}


async def test_a_dispute_names_only_its_payment() -> None:
    async with FakeStripe(webhook_secret=SECRET) as stripe:
        session_id = await opened(stripe)
        (paid,) = stripe.complete(session_id)
        (begun,), (closed,) = stripe.dispute(session_id), stripe.close_dispute(session_id, won=False)

    (tenant, disputed), (_, ended) = reversal(begun), reversal(closed)
    assert (tenant, disputed.invoice_id, disputed.reference) == (None, None, parse(paid).payment_intent)
    assert (disputed.kind, disputed.amount_minor, disputed.detail) == ("disputed", 11900, "fraudulent")
    assert (ended.kind, ended.detail) == ("dispute_closed", "lost")


@pytest.mark.parametrize("body", [{}, {"metadata": None}, {"amount_refunded": 5}, {"currency": "eur"}], ids=repr)
@pytest.mark.parametrize("type_", ["charge.refunded", "charge.dispute.created", "charge.dispute.closed"])
def test_a_reversal_that_says_little_is_read_all_the_same(type_: str, body: dict[str, Any]) -> None:
    delivery = signed(wire.event("evt_9", type_, body, 1_780_000_000))
    tenant_id, command = reversal(delivery)
    assert (tenant_id, command.invoice_id, command.reference) == (None, None, None)


def test_a_reversal_that_is_none_is_refused() -> None:
    delivery = signed(wire.event("evt_9", "charge.refunded", {"amount_refunded": "5"}, 1_780_000_000))
    with pytest.raises(Invalid, match="Webhook body"):
        reversal(delivery)


async def test_amounts_are_told_in_our_minor_units() -> None:
    session = {**SESSION, "amount_total": 500, "currency": "isk", "payment_status": "paid"}
    assert parse(signed(wire.event("evt_1", "checkout.session.completed", session, 1))).amount_minor == 5
    session["amount_total"] = 550
    assert parse(signed(wire.event("evt_1", "checkout.session.completed", session, 1))).amount_minor is None
