"""Opening Checkout sessions, told to a Stripe on loopback that drops, delays, refuses and repeats itself."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from decabilld.actors.ports import GivenUp
from decabilld.domain.refusals import PaymentProviderFailed, PaymentProviderTimedOut
from decabilld.gateways.stripe.answers import CheckoutSession, CustomerMissing, SessionMissing
from decabilld.gateways.stripe.checkout import MAX_TRIES, StripeCheckout
from decabilld.gateways.stripe.effects import CheckoutEffects
from decabilld.messages.effects import CloseCheckout, UpdateCustomer
from tests.stripe.fake_stripe import FakeStripe, Fault

ORDER: dict[str, Any] = {
    "attempt_id": "0199a3c1-0000-7000-8000-000000000001",
    "amount_minor": 11900,
    "currency": "EUR",
    "invoice_number": "INV-2026-00001",
    "invoice_id": "0199a3c1-0000-7000-8000-00000000000a",
    "subscription_id": "0199a3c1-0000-7000-8000-00000000000b",
    "user_id": "0199a3c1-0000-7000-8000-00000000000c",
    "tenant_id": "default",
    "customer_id": "cus_erika",
    "success_url": "https://shop.example/paid?x=1&y=ü",
    "cancel_url": "https://shop.example/back",
}
NOW = datetime(2026, 3, 1, tzinfo=UTC)
METADATA = {
    "invoiceId": ORDER["invoice_id"],
    "subscriptionId": ORDER["subscription_id"],
    "userId": ORDER["user_id"],
    "tenantId": "default",
    "invoiceNumber": "INV-2026-00001",
    "attemptId": ORDER["attempt_id"],
}


@pytest.fixture
async def stripe() -> AsyncIterator[FakeStripe]:
    async with FakeStripe() as fake:
        fake.add_customer("cus_erika")
        yield fake


@pytest.fixture
async def checkout(stripe: FakeStripe) -> AsyncIterator[StripeCheckout]:
    client = StripeCheckout(
        stripe.secret_key, stripe.base_url + "/", deadline_seconds=2, try_seconds=0.3, first_pause_seconds=0.02
    )
    yield client
    await client.close()


async def ask(checkout: StripeCheckout, **changed: Any) -> CheckoutSession:
    return await checkout.open_session(**ORDER | changed, deadline=checkout.deadline())


def only_session(stripe: FakeStripe) -> dict[str, Any]:
    (session,) = stripe.sessions.values()
    return session


async def test_a_session_says_what_is_paid_and_by_whom(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    opened = await ask(checkout)

    session = only_session(stripe)
    assert (opened.session_id, opened.url) == (session["id"], session["url"])
    assert opened.expires_at == datetime.fromtimestamp(session["expires_at"], UTC)
    assert abs(opened.expires_at - datetime.now(UTC) - timedelta(days=1)) < timedelta(minutes=1)
    (request,) = stripe.requests
    assert request.headers["Idempotency-Key"] == ORDER["attempt_id"]
    assert request.params == {
        "mode": "payment",
        "line_items": {
            "0": {
                "quantity": "1",
                "price_data": {
                    "currency": "eur",
                    "unit_amount": "11900",
                    "product_data": {"name": "INV-2026-00001"},
                },
            }
        },
        "client_reference_id": ORDER["attempt_id"],
        "metadata": METADATA,
        "payment_intent_data": {"metadata": METADATA},
        "customer": "cus_erika",
        "success_url": "https://shop.example/paid?x=1&y=ü",
        "cancel_url": "https://shop.example/back",
    }


async def test_what_is_not_known_is_not_sent(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    await ask(checkout, subscription_id=None)

    (request,) = stripe.requests
    assert "subscriptionId" not in request.params["metadata"]
    assert "subscriptionId" not in request.params["payment_intent_data"]["metadata"]


async def test_nothing_is_told_to_stripe_about_our_machine(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    await ask(checkout)
    await ask(checkout)

    for request in stripe.requests:
        assert "X-Stripe-Client-Telemetry" not in request.headers
        about_us = json.loads(request.headers["X-Stripe-Client-User-Agent"])
        assert not {"telemetry_id", "platform"} & about_us.keys()


async def test_asked_again_or_at_the_same_time_it_is_the_same_session(
    stripe: FakeStripe, checkout: StripeCheckout
) -> None:
    stripe.faults.append(Fault(delay_seconds=0.1))
    at_once = await asyncio.gather(*(ask(checkout) for _ in range(3)))
    later = await ask(checkout)

    assert {opened.session_id for opened in (*at_once, later)} == {only_session(stripe)["id"]}


async def test_another_attempt_is_another_session(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    first = await ask(checkout)
    second = await ask(checkout, attempt_id="another")

    assert first.session_id != second.session_id
    assert set(stripe.sessions) == {first.session_id, second.session_id}


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(drop="before")],
        [Fault(drop="after")],
        [Fault(drop="midway")],
        [Fault(delay_seconds=0.35)],
        [Fault(status=429)],
        [Fault(status=500), Fault(status=503)],
        [Fault(status=502, page="<html>Bad gateway</html>")],
        [Fault(drop="before"), Fault(status=429), Fault(drop="after")],
    ],
    ids=repr,
)
async def test_what_passes_is_tried_again_and_opens_one_session(
    stripe: FakeStripe, checkout: StripeCheckout, faults: list[Fault]
) -> None:
    stripe.faults.extend(faults)
    opened = await ask(checkout)

    assert opened.session_id == only_session(stripe)["id"]
    assert len(stripe.requests) > len(faults)
    assert {request.headers["Idempotency-Key"] for request in stripe.requests} == {ORDER["attempt_id"]}


async def test_stripe_says_how_long_to_wait(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    stripe.faults.append(Fault(status=429, retry_after_seconds=1))
    begun = asyncio.get_running_loop().time()
    await ask(checkout)

    assert asyncio.get_running_loop().time() - begun >= 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(status=429, retry_after_seconds=60), "Request rate limit exceeded."),
        (Fault(status=500, saved=True), "Something went wrong on our end."),
        (Fault(status=402), "Your card was declined."),
        (Fault(status=403, page="<html>sk_live_secret</html>"), "Stripe answered with status 403 and no reason"),
        (Fault(status=200, page="<html>Log in to the hotel's network</html>"), "status 200"),
    ],
    ids=repr,
)
async def test_what_stays_is_refused_at_once_with_the_reason(
    stripe: FakeStripe, checkout: StripeCheckout, fault: Fault, reason: str
) -> None:
    stripe.faults.append(fault)
    with pytest.raises(PaymentProviderFailed, match=reason) as refused:
        await ask(checkout)

    assert "<html>" not in str(refused.value)
    assert len(stripe.requests) == 1
    assert stripe.sessions == {}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"amount_minor": 10}, "below the smallest"),
        ({"success_url": "shop.example"}, "Not a valid URL"),
    ],
    ids=repr,
)
async def test_what_stripe_finds_wrong_is_passed_on(
    stripe: FakeStripe, checkout: StripeCheckout, wrong: dict[str, Any], reason: str
) -> None:
    with pytest.raises(PaymentProviderFailed, match=reason):
        await ask(checkout, **wrong)

    assert len(stripe.requests) == 1


async def test_an_attempt_is_for_one_amount(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    await ask(checkout)
    with pytest.raises(PaymentProviderFailed, match="other parameters"):
        await ask(checkout, amount_minor=500)

    assert only_session(stripe)["amount_total"] == 11900


async def test_tries_are_limited(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    stripe.faults.extend([Fault(status=503)] * 20)
    with pytest.raises(PaymentProviderFailed, match="Something went wrong on our end"):
        await ask(checkout)

    assert len(stripe.requests) == MAX_TRIES


async def test_a_stripe_too_slow_ends_within_the_deadline(stripe: FakeStripe) -> None:
    stripe.faults.append(Fault(delay_seconds=10))
    checkout = StripeCheckout(stripe.secret_key, stripe.base_url, deadline_seconds=0.4)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(PaymentProviderTimedOut):
        await ask(checkout)

    assert 0.4 <= asyncio.get_running_loop().time() - begun < 1.5
    await checkout.close()


async def test_the_deadline_holds_over_many_tries(stripe: FakeStripe) -> None:
    stripe.faults.extend([Fault(drop="before")] * 100)
    checkout = StripeCheckout(stripe.secret_key, stripe.base_url, deadline_seconds=0.5, first_pause_seconds=0.4)
    begun = asyncio.get_running_loop().time()
    # A last try just before the deadline has no time left to see the connection drop.
    with pytest.raises((PaymentProviderFailed, PaymentProviderTimedOut)):
        await ask(checkout)

    # All MAX_TRIES would take 3 s at the least.
    assert asyncio.get_running_loop().time() - begun < 1.5
    assert 2 <= len(stripe.requests) < MAX_TRIES
    await checkout.close()


async def test_a_stripe_that_is_not_there(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    await stripe.stop()
    with pytest.raises(PaymentProviderFailed, match="could not be reached"):
        await ask(checkout)


async def test_the_key_is_in_no_reason_and_no_log(stripe: FakeStripe, caplog: pytest.LogCaptureFixture) -> None:
    wrong_key = "sk_live_0123456789abcdef_WXYZ"
    checkout = StripeCheckout(wrong_key, stripe.base_url)
    with (
        structlog.testing.capture_logs() as lines,
        caplog.at_level(logging.DEBUG),
        pytest.raises(PaymentProviderFailed, match="refused the configured secret key") as refused,
    ):
        await ask(checkout)
    await checkout.close()

    (line,) = lines
    assert (line["status"], line["about"], line["again"]) == (401, ORDER["attempt_id"], False)
    assert line["request_id"].startswith("req_")
    told = f"{refused.value} {lines} {caplog.text}"
    assert not [part for part in ("sk_live", "0123456789", "WXYZ", "erika") if part in told]
    assert refused.value.__suppress_context__


async def test_cancelled_by_the_caller_it_stays_cancelled(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    stripe.faults.append(Fault(delay_seconds=1))
    asking = asyncio.create_task(ask(checkout))
    async with asyncio.timeout(10):
        while not stripe.requests:  # noqa: ASYNC110 (the fake has no event to wait for)
            await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert len(stripe.requests) == 1


async def customer(checkout: StripeCheckout, **changed: Any) -> str:
    who = {"tenant_id": "default", "user_id": "u1", "email": "erika@kundin.example", "instead_of": None}
    return await checkout.create_customer(**who | changed, deadline=checkout.deadline())


async def test_a_customer_is_made_once_however_often_it_is_asked_for(
    stripe: FakeStripe, checkout: StripeCheckout
) -> None:
    stripe.customer_faults.extend([Fault(drop="after"), Fault(status=503)])
    made = await customer(checkout)
    assert await customer(checkout) == made
    assert stripe.customers[made]["email"] == "erika@kundin.example"
    assert stripe.customers[made]["metadata"] == {"userId": "u1", "tenantId": "default"}
    others = [
        await customer(checkout, tenant_id="acme"),
        await customer(checkout, user_id="u2"),
        await customer(checkout, email=None),
        await customer(checkout, instead_of=made),
    ]
    assert len({made, *others}) == len(stripe.customers) - 1 == 5


async def test_a_customer_has_another_address(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    stripe.update_faults.append(Fault(drop="after"))
    for _ in range(2):
        await checkout.update_customer("cus_erika", email="new@kundin.example", deadline=checkout.deadline())
    assert stripe.customers["cus_erika"]["email"] == "new@kundin.example"
    assert stripe.requests[-1].params == {"email": "new@kundin.example"}
    with pytest.raises(CustomerMissing):
        await checkout.update_customer("cus_gone", email="new@kundin.example", deadline=checkout.deadline())


async def test_a_customer_that_is_gone_is_said_to_be(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    with pytest.raises(CustomerMissing):
        await ask(checkout, customer_id="cus_gone")
    with pytest.raises(CustomerMissing):
        await ask(checkout, customer_id="cus_gone")
    instead = await ask(checkout, instead=True)
    assert await ask(checkout, instead=True) == instead
    assert only_session(stripe)["customer"] == "cus_erika"


async def test_a_session_is_found_by_its_id_and_by_its_attempt(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    for number in range(101):
        stripe.open_session(stripe.requests[0].params if stripe.requests else (await _one(checkout, stripe)))
        stripe.sessions[list(stripe.sessions)[-1]]["client_reference_id"] = f"another {number}"
    session_id = next(iter(stripe.sessions))
    now = datetime.now(UTC)
    by_id = await checkout.session(session_id, deadline=checkout.deadline())
    by_attempt = await checkout.find_session(ORDER["attempt_id"], since=now, until=now, deadline=checkout.deadline())
    assert by_attempt == by_id
    assert (by_id.standing, by_id.amount_minor, by_id.currency) == ("open", 11900, "EUR")
    long_ago = now - timedelta(days=2)
    assert await checkout.find_session("nobody's", since=now, until=now, deadline=checkout.deadline()) is None
    assert (
        await checkout.find_session(ORDER["attempt_id"], since=long_ago, until=long_ago, deadline=checkout.deadline())
        is None
    )


async def _one(checkout: StripeCheckout, stripe: FakeStripe) -> dict[str, Any]:
    await ask(checkout)
    return stripe.requests[0].params


@pytest.mark.parametrize("standing", ["paid", "processing", "failed", "expired"])
async def test_what_became_of_a_session(stripe: FakeStripe, checkout: StripeCheckout, standing: str) -> None:
    session_id = (await ask(checkout)).session_id
    if standing == "expired":
        stripe.expire(session_id)
    else:
        stripe.complete(session_id, delayed=standing != "paid")
    if standing == "failed":
        stripe.settle(session_id, succeeded=False)
    found = await checkout.session(session_id, deadline=checkout.deadline())
    assert found.standing == standing
    assert (found.payment_intent or "").startswith("pi_") is (standing != "expired")


async def test_a_session_that_is_not_there(checkout: StripeCheckout) -> None:
    for ask_about in (checkout.session, checkout.expire_session):
        with pytest.raises(SessionMissing, match="No such checkout"):
            await ask_about("cs_none", deadline=checkout.deadline())


@pytest.mark.parametrize("standing", ["paid", "processing", "expired"])
async def test_a_session_is_expired_or_was_closed_before(
    stripe: FakeStripe, checkout: StripeCheckout, standing: str
) -> None:
    session_id = (await ask(checkout)).session_id
    if standing != "expired":
        stripe.complete(session_id, delayed=standing == "processing")
    for _ in range(2):
        assert (await checkout.expire_session(session_id, deadline=checkout.deadline())).standing == standing
    assert len(stripe.expired) == (standing == "expired")


@pytest.mark.parametrize("fault", [Fault(drop="after"), Fault(status=503), Fault(status=500, saved=True)], ids=repr)
async def test_a_session_is_expired_although_stripe_falters(
    stripe: FakeStripe, checkout: StripeCheckout, fault: Fault
) -> None:
    session_id = (await ask(checkout)).session_id
    stripe.expiry_faults.append(fault)
    if fault.saved:
        with pytest.raises(PaymentProviderFailed, match="went wrong"):
            await checkout.expire_session(session_id, deadline=checkout.deadline())
    found = await checkout.expire_session(session_id, deadline=checkout.deadline())
    assert (found.standing, only_session(stripe)["status"]) == ("expired", "expired")


async def test_why_a_session_stays_open_is_said(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    session_id = (await ask(checkout)).session_id
    stripe.expiry_faults.append(Fault(status=402))
    with pytest.raises(PaymentProviderFailed, match="declined"):
        await checkout.expire_session(session_id, deadline=checkout.deadline())
    assert only_session(stripe)["status"] == "open"


async def test_without_stripe_what_it_should_be_told_is_given_up() -> None:
    closing = CloseCheckout(id="1", attempt_id="1", invoice_id="2", user_id="3", session_id="cs_1", updated_at=NOW)
    update = UpdateCustomer(id="1", user_id="3", customer_id="cus_erika", email="new@kundin.example")
    effects = CheckoutEffects(None, success_url="", cancel_url="")
    with pytest.raises(GivenUp, match="not configured"):
        await effects.close_checkout("default", closing)
    with pytest.raises(GivenUp, match="not configured"):
        await effects.update_customer("default", update)


async def test_amounts_that_cannot_be_told_to_stripe_are_refused(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    for amount_minor, currency in ((500, "UGX"), (510, "MGA")):
        with pytest.raises(PaymentProviderFailed, match=currency):
            await ask(checkout, amount_minor=amount_minor, currency=currency)
    assert stripe.requests == []
