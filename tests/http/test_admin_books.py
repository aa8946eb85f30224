"""The operator's books over the wire: every answer is held to its schema, refusals to their statuses."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.http.edge import Edge
from tests.http.test_routes import NOBODYS, PLAN, PROFILE, Shop

BILLING = "/api/admin/billing"
LINE = {"description": "Work", "quantity": 2, "unitPriceNet": 50}


@pytest.fixture
async def shop(edge: Edge) -> Shop:
    return Shop(edge, await edge.register("admin@example.org"), await edge.register("zoe@example.org"))


async def customer_id(shop: Shop) -> str:
    users = (await shop.get("/api/users", shop.admin))[1]
    return str(next(user["id"] for user in users if user["email"] == "zoe@example.org"))


async def test_manual_invoices(shop: Shop) -> None:
    zoe = await customer_id(shop)
    wish: dict[str, Any] = {"userId": zoe, "lineItems": [LINE], "subscriptionId": None}
    draft = await shop.made(f"{BILLING}/invoices/manual", wish)
    path = f"{BILLING}/invoices/{draft['id']}"
    assert (draft["totalGross"], draft["userEmail"]) == (Decimal("119.00"), "zoe@example.org")
    _, repeated = await shop.post(f"{BILLING}/invoices/manual", wish, shop.admin, Idempotency_Key="k")
    assert (await shop.post(f"{BILLING}/invoices/manual", wish, shop.admin, Idempotency_Key="k"))[1] == repeated
    assert await shop.delete(f"{BILLING}/invoices/{repeated['id']}") == 204
    assert (await shop.get(f"{BILLING}/invoices", shop.admin))[1]["total"] == 1
    changed = await shop.made(path, {"lineItems": [{**LINE, "taxCategory": "reduced"}]})
    assert changed["totalGross"] == Decimal("107.00")
    status, refused = await shop.post(f"{path}/issue", None, shop.admin)
    assert (status, refused["code"]) == (400, "PROFILE_INCOMPLETE")
    assert await shop.post("/api/customer-profile", PROFILE)
    for days in (0, -1, 3651, "7"):
        assert (await shop.post(f"{path}/issue", {"dueInDays": days}, shop.admin))[0] == 400, days
    issued = await shop.made(f"{path}/issue", {"dueInDays": 7})
    assert (issued["status"], issued["totalGross"]) == ("issued", Decimal("107.00"))
    assert (await shop.get(f"/api/invoices/ref/{draft['id']}"))[0] == 200
    assert (await shop.post(path, {"lineItems": [LINE]}, shop.admin))[0] == 409
    assert await shop.delete(path) == 409
    assert await shop.delete(f"{BILLING}/invoices/{NOBODYS}") == 404
    explained = (await shop.get(f"{path}/explain", shop.admin))[1]
    assert explained["lineItems"][0]["calculation"] == "2 x 50, rounded to 100.00"


async def test_a_draft_is_changed_twice_and_deleted_within_one_batch(shop: Shop) -> None:
    wish = {"userId": await customer_id(shop), "lineItems": [LINE]}
    drafts = [await shop.made(f"{BILLING}/invoices/manual", wish) for _ in range(4)]
    calls = [
        call
        for draft in drafts
        for call in (
            shop.post(f"{BILLING}/invoices/{draft['id']}", {"lineItems": [LINE, LINE]}, shop.admin),
            shop.delete(f"{BILLING}/invoices/{draft['id']}"),
            shop.delete(f"{BILLING}/invoices/{draft['id']}"),
        )
    ]
    answers = await asyncio.gather(*calls)
    assert sorted(one for one in answers if isinstance(one, int)) == [204] * 4 + [404] * 4
    assert (await shop.get(f"{BILLING}/invoices", shop.admin))[1]["total"] == 0


async def test_a_subscriptions_invoice_its_explanation_and_preview(shop: Shop) -> None:
    await shop.made("/api/customer-profile", PROFILE, shop.customer)
    plan = await shop.made("/api/service-plans", PLAN)
    await shop.move_clock("2027-01-01T00:00:00Z")
    bought = (await shop.post("/api/subscriptions", {"planId": plan["id"]}))[1]["id"]
    assert (await shop.post(f"/api/invoices/{bought}", None, shop.admin))[0] == 400
    await shop.move_clock("2027-01-11T00:00:00Z")
    assert (await shop.post(f"/api/invoices/{bought}", {"description": "x"}))[0] == 403
    foreseen = await shop.made(f"{BILLING}/preview", {"at": "2027-03-03T00:00:00Z", "userId": None})
    assert [one["userEmail"] for one in foreseen["invoices"]] == ["zoe@example.org"]
    made = await shop.made(f"/api/invoices/{bought}", {"description": "on demand"})
    assert made["invoiceNumber"] == "INV-2027-00001"
    explained = (await shop.get(f"{BILLING}/invoices/{made['invoiceRefId']}/explain", shop.admin))[1]
    assert explained["lineItems"][0]["position"]["subscriptionNumber"] == "SUB-000001"
    assert (await shop.get(f"{BILLING}/invoices/{NOBODYS}/explain", shop.admin))[0] == 404
    assert (await shop.made(f"{BILLING}/preview", {}))["invoices"] == []
    assert (await shop.post(f"{BILLING}/preview", {"userId": NOBODYS}, shop.admin))[0] == 404


async def test_customer_profiles(shop: Shop) -> None:
    zoe, path = await customer_id(shop), f"{BILLING}/customer-profiles"
    made = await shop.made(path, {**PROFILE, "userId": zoe})
    assert (await shop.post(path, {"userId": zoe}, shop.admin))[0] == 409
    assert (await shop.post(path, {"userId": NOBODYS}, shop.admin))[0] == 404
    assert (await shop.get(path, shop.admin))[1]["items"][0]["isComplete"] is True
    one = f"{path}/{made['id']}"
    assert (await shop.made(one, {"city": None}))["city"] is None
    assert (await shop.get(one, shop.admin))[1]["isComplete"] is False
    assert await shop.delete(one) == 204
    assert (await shop.get(one, shop.admin))[0] == 404
    assert await shop.delete(one) == 404


async def test_statistics(shop: Shop) -> None:
    for query in ("", "?groupBy=month", "?from=2026-01-01&to=2026-01-31"):
        assert (await shop.get(f"{BILLING}/statistics/summary{query}", shop.admin))[0] == 200
    assert (await shop.get(f"{BILLING}/statistics/by-product", shop.admin))[1]["items"] == []
    assert (await shop.get(f"{BILLING}/statistics/by-product?from=2026-02-30", shop.admin))[0] == 400
