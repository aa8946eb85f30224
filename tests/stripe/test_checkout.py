"""Opening Checkout sessions, told to a Stripe on loopback that drops, delays, refuses and repeats itself."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from decabilld.domain.refusals import PaymentProviderFailed, PaymentProviderTimedOut
from decabilld.gateways.stripe.checkout import MAX_TRIES, StripeCheckout
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
    "customer_email": "erika@kundin.example",
    "success_url": "https://shop.example/paid?x=1&y=ü",
    "cancel_url": "https://shop.example/back",
}
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
        yield fake


@pytest.fixture
async def checkout(stripe: FakeStripe) -> AsyncIterator[StripeCheckout]:
    client = StripeCheckout(
        stripe.secret_key, stripe.base_url + "/", deadline_seconds=2, try_seconds=0.3, first_pause_seconds=0.02
    )
    yield client
    await client.close()


def only_session(stripe: FakeStripe) -> dict[str, Any]:
    (session,) = stripe.sessions.values()
    return session


async def test_a_session_says_what_is_paid_and_by_whom(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    opened = await checkout.open_session(**ORDER)

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
        "customer_email": "erika@kundin.example",
        "success_url": "https://shop.example/paid?x=1&y=ü",
        "cancel_url": "https://shop.example/back",
    }


async def test_what_is_not_known_is_not_sent(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    await checkout.open_session(**ORDER | {"subscription_id": None, "customer_email": None})

    (request,) = stripe.requests
    assert "customer_email" not in request.params
    assert "subscriptionId" not in request.params["metadata"]
    assert "subscriptionId" not in request.params["payment_intent_data"]["metadata"]


async def test_nothing_is_told_to_stripe_about_our_machine(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    await checkout.open_session(**ORDER)
    await checkout.open_session(**ORDER)

    for request in stripe.requests:
        assert "X-Stripe-Client-Telemetry" not in request.headers
        about_us = json.loads(request.headers["X-Stripe-Client-User-Agent"])
        assert not {"telemetry_id", "platform"} & about_us.keys()


async def test_asked_again_or_at_the_same_time_it_is_the_same_session(
    stripe: FakeStripe, checkout: StripeCheckout
) -> None:
    stripe.faults.append(Fault(delay_seconds=0.1))
    at_once = await asyncio.gather(*(checkout.open_session(**ORDER) for _ in range(3)))
    later = await checkout.open_session(**ORDER)

    assert {opened.session_id for opened in (*at_once, later)} == {only_session(stripe)["id"]}


async def test_another_attempt_is_another_session(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    first = await checkout.open_session(**ORDER)
    second = await checkout.open_session(**ORDER | {"attempt_id": "another"})

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
    opened = await checkout.open_session(**ORDER)

    assert opened.session_id == only_session(stripe)["id"]
    assert len(stripe.requests) > len(faults)
    assert {request.headers["Idempotency-Key"] for request in stripe.requests} == {ORDER["attempt_id"]}


async def test_stripe_says_how_long_to_wait(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    stripe.faults.append(Fault(status=429, retry_after_seconds=1))
    begun = asyncio.get_running_loop().time()
    await checkout.open_session(**ORDER)

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
        await checkout.open_session(**ORDER)

    assert "<html>" not in str(refused.value)
    assert len(stripe.requests) == 1
    assert stripe.sessions == {}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"customer_email": "nobody"}, "Invalid email address: nobody"),
        ({"amount_minor": 10}, "below the smallest"),
        ({"success_url": "shop.example"}, "Not a valid URL"),
    ],
    ids=repr,
)
async def test_what_stripe_finds_wrong_is_passed_on(
    stripe: FakeStripe, checkout: StripeCheckout, wrong: dict[str, Any], reason: str
) -> None:
    with pytest.raises(PaymentProviderFailed, match=reason):
        await checkout.open_session(**ORDER | wrong)

    assert len(stripe.requests) == 1


async def test_an_attempt_is_for_one_amount(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    await checkout.open_session(**ORDER)
    with pytest.raises(PaymentProviderFailed, match="other parameters"):
        await checkout.open_session(**ORDER | {"amount_minor": 500})

    assert only_session(stripe)["amount_total"] == 11900


async def test_tries_are_limited(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    stripe.faults.extend([Fault(status=503)] * 20)
    with pytest.raises(PaymentProviderFailed, match="Something went wrong on our end"):
        await checkout.open_session(**ORDER)

    assert len(stripe.requests) == MAX_TRIES


async def test_a_stripe_too_slow_ends_within_the_deadline(stripe: FakeStripe) -> None:
    stripe.faults.append(Fault(delay_seconds=10))
    checkout = StripeCheckout(stripe.secret_key, stripe.base_url, deadline_seconds=0.4)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(PaymentProviderTimedOut):
        await checkout.open_session(**ORDER)

    assert 0.4 <= asyncio.get_running_loop().time() - begun < 1.5
    await checkout.close()


async def test_the_deadline_holds_over_many_tries(stripe: FakeStripe) -> None:
    stripe.faults.extend([Fault(drop="before")] * 100)
    checkout = StripeCheckout(stripe.secret_key, stripe.base_url, deadline_seconds=0.5, first_pause_seconds=0.4)
    begun = asyncio.get_running_loop().time()
    # A last try just before the deadline has no time left to see the connection drop.
    with pytest.raises((PaymentProviderFailed, PaymentProviderTimedOut)):
        await checkout.open_session(**ORDER)

    # All MAX_TRIES would take 3 s at the least.
    assert asyncio.get_running_loop().time() - begun < 1.5
    assert 2 <= len(stripe.requests) < MAX_TRIES
    await checkout.close()


async def test_a_stripe_that_is_not_there(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    await stripe.stop()
    with pytest.raises(PaymentProviderFailed, match="could not be reached"):
        await checkout.open_session(**ORDER)


async def test_the_key_is_in_no_reason_and_no_log(stripe: FakeStripe, caplog: pytest.LogCaptureFixture) -> None:
    wrong_key = "sk_live_0123456789abcdef_WXYZ"
    checkout = StripeCheckout(wrong_key, stripe.base_url)
    with (
        structlog.testing.capture_logs() as lines,
        caplog.at_level(logging.DEBUG),
        pytest.raises(PaymentProviderFailed, match="refused the configured secret key") as refused,
    ):
        await checkout.open_session(**ORDER)
    await checkout.close()

    (line,) = lines
    assert (line["status"], line["attempt_id"], line["again"]) == (401, ORDER["attempt_id"], False)
    assert line["request_id"].startswith("req_")
    told = f"{refused.value} {lines} {caplog.text}"
    assert not [part for part in ("sk_live", "0123456789", "WXYZ", "erika") if part in told]
    assert refused.value.__suppress_context__


async def test_cancelled_by_the_caller_it_stays_cancelled(stripe: FakeStripe, checkout: StripeCheckout) -> None:
    stripe.faults.append(Fault(delay_seconds=1))
    asking = asyncio.create_task(checkout.open_session(**ORDER))
    async with asyncio.timeout(10):
        while not stripe.requests:  # noqa: ASYNC110 (the fake has no event to wait for)
            await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert len(stripe.requests) == 1
