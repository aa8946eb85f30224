"""The fake against its word: what the daemon itself does not call, asked as curl would."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.stripe.fake_stripe import FakeStripe

FORM = {
    "mode": "payment",
    "line_items[0][quantity]": "2",
    "line_items[0][price_data][currency]": "EUR",
    "line_items[0][price_data][unit_amount]": "250",
    "line_items[0][price_data][product_data][name]": "INV-2026-00001",
    "success_url": "https://shop.example/paid",
}


@pytest.fixture
async def stripe() -> AsyncIterator[FakeStripe]:
    async with FakeStripe() as fake:
        yield fake


@pytest.fixture
async def curl(stripe: FakeStripe) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": aiohttp.encode_basic_auth(stripe.secret_key, "")}
    async with aiohttp.ClientSession(stripe.base_url, headers=headers) as http:
        yield http


async def test_a_key_replays_its_answer_to_the_byte(stripe: FakeStripe, curl: aiohttp.ClientSession) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = await curl.post("/v1/checkout/sessions", data=FORM, headers=headers)
    second = await curl.post("/v1/checkout/sessions", data=FORM, headers=headers)
    other = await curl.post("/v1/checkout/sessions", data=FORM | {"cancel_url": "https://x.example"}, headers=headers)

    assert (first.status, second.status, other.status) == (200, 200, 400)
    assert await first.read() == await second.read()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Original-Request"] == first.headers["Request-Id"] != second.headers["Request-Id"]
    assert (await other.json())["error"]["type"] == "idempotency_error"
    assert len(stripe.sessions) == 1


async def test_a_session_is_read_and_expired_once(stripe: FakeStripe, curl: aiohttp.ClientSession) -> None:
    opened = await (await curl.post("/v1/checkout/sessions", data=FORM)).json()
    path = f"/v1/checkout/sessions/{opened['id']}"
    read = await (await curl.get(path)).json()
    expired = await curl.post(f"{path}/expire")
    again = await curl.post(f"{path}/expire")
    unknown = await curl.get("/v1/checkout/sessions/cs_none")

    assert read == opened
    assert (read["amount_total"], read["currency"], read["status"]) == (500, "eur", "open")
    assert ((await expired.json())["status"], again.status) == ("expired", 400)
    assert (await again.json())["error"] == {
        "type": "invalid_request_error",
        "message": 'Only Checkout Sessions with a status in ["open"] can be expired. '
        "This Checkout Session has a status of `expired`.",
    }
    (told,) = stripe.expired
    assert json.loads(told.raw)["type"] == "checkout.session.expired"
    assert (unknown.status, (await unknown.json())["error"]["code"]) == (404, "resource_missing")
    with pytest.raises(ValueError, match="expired"):
        stripe.complete(opened["id"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"line_items[0][colour]": "red"}, "parameter_unknown"),
        ({"surprise": "1"}, "parameter_unknown"),
        ({"line_items[0][quantity]": "two"}, "parameter_invalid_integer"),
        ({"line_items[0][price_data][unit_amount]": "24"}, "amount_too_small"),
    ],
    ids=repr,
)
async def test_what_stripe_would_not_take(curl: aiohttp.ClientSession, change: dict[str, str], code: str) -> None:
    response = await curl.post("/v1/checkout/sessions", data=FORM | change)

    assert (response.status, (await response.json())["error"]["code"]) == (400, code)


async def test_no_key_and_no_such_path(stripe: FakeStripe, curl: aiohttp.ClientSession) -> None:
    async with aiohttp.ClientSession(stripe.base_url) as stranger:
        refused = await stranger.get("/v1/checkout/sessions/cs_none")
    missing = await curl.get("/v1/charges")

    assert refused.status == 401
    assert (missing.status, (await missing.json())["error"]["type"]) == (404, "invalid_request_error")


async def test_customers_come_and_go(stripe: FakeStripe, curl: aiohttp.ClientSession) -> None:
    made = await (await curl.post("/v1/customers", data={"email": "a@b.example", "metadata[userId]": "u"})).json()
    path = f"/v1/customers/{made['id']}"
    assert await (await curl.get(path)).json() == made
    assert (made["email"], made["metadata"]) == ("a@b.example", {"userId": "u"})
    changed = await (await curl.post(path, data={"email": "c@b.example"})).json()
    assert changed == {**made, "email": "c@b.example"} == await (await curl.get(path)).json()
    assert (await curl.post("/v1/customers/cus_none", data={"email": "c@b.example"})).status == 404
    assert (await curl.post(path, data={"email": "nonsense"})).status == 400
    opened = await curl.post("/v1/checkout/sessions", data=FORM | {"customer": made["id"]})
    assert (await opened.json())["customer"] == made["id"]
    both = await curl.post("/v1/checkout/sessions", data=FORM | {"customer": made["id"], "customer_email": "a@b.de"})
    assert both.status == 400
    assert (await (await curl.delete(path)).json())["deleted"] is True
    headers = {"Idempotency-Key": "k1"}
    gone = [await curl.post("/v1/checkout/sessions", data=FORM | {"customer": made["id"]}, headers=headers)] * 2
    assert [(answer.status, (await answer.json())["error"]["param"]) for answer in gone] == [(400, "customer")] * 2
    assert (await curl.get(path)).status == (await curl.delete(path)).status == 404
    other = await curl.post("/v1/checkout/sessions", data=FORM, headers=headers)
    assert (await other.json())["error"]["type"] == "idempotency_error"  # the key stays with the first words


async def test_sessions_are_listed_by_time_and_page(stripe: FakeStripe, curl: aiohttp.ClientSession) -> None:
    opened = [await (await curl.post("/v1/checkout/sessions", data=FORM)).json() for _ in range(5)]
    for age, session in enumerate(opened):
        stripe.sessions[session["id"]]["created"] = 1_000 - age
    query = {"created[gte]": "997", "created[lte]": "999", "limit": "2", "expand[0]": "data.payment_intent"}
    page = await (await curl.get("/v1/checkout/sessions", params=query)).json()
    following = {**query, "starting_after": page["data"][-1]["id"]}
    rest = await (await curl.get("/v1/checkout/sessions", params=following)).json()
    assert (page["has_more"], rest["has_more"]) == (True, False)
    assert [session["id"] for session in page["data"] + rest["data"]] == [
        session["id"] for session in reversed(opened[1:4])
    ]
