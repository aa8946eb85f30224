"""The operations over the wire: what they answer, to whom, and what they refuse. Answers are held to their schemas."""

from decimal import Decimal
from typing import Any

import pytest

from decabilld.domain.entities import SubscriptionItem
from decabilld.messages.commands import ApplyPaymentEvent
from tests.http.conftest import StartEdge
from tests.http.edge import API_KEY, Edge

NOBODYS = "0198c0de-0000-7000-8000-00000000abcd"
PROFILE = {
    "firstName": "Zoë", "lastName": "Kunde", "addressLine1": "Weg 2", "city": "Leipzig", "postalCode": "04109",
    "country": "de", "email": "zoe@example.org",
}  # fmt: skip
PLAN = {
    "name": "Server M", "billingIntervalType": "month", "billingIntervalValue": 1, "basePrice": "10",
    "marginPercent": "12.5", "marginFixed": "0.0050", "cancelAtPeriodEnd": False,
}  # fmt: skip


class Shop:
    """A tenant with an admin, a customer with a profile, and a plan."""

    def __init__(self, edge: Edge, admin: str, customer: str) -> None:
        self.edge, self.admin, self.customer = edge, admin, customer

    async def get(self, path: str, token: str | None = None, **headers: str) -> tuple[int, Any]:
        return (await self.edge.call("GET", path, token=token or self.customer, **headers))[:2]

    async def post(self, path: str, body: object = None, token: str | None = None, **headers: str) -> tuple[int, Any]:
        return (await self.edge.call("POST", path, body, token=token or self.customer, **headers))[:2]

    async def delete(self, path: str) -> int:
        return (await self.edge.call("DELETE", path, token=self.admin))[0]

    async def made(self, path: str, body: object, token: str | None = None) -> Any:
        status, answer = await self.post(path, body, token or self.admin)
        assert status in (200, 201), answer
        return answer

    async def move_clock(self, to: str) -> None:
        assert (await self.post("/api/admin/billing/test-clock", {"now": to}, self.admin))[0] == 200


@pytest.fixture
async def shop(edge: Edge) -> Shop:
    return Shop(edge, await edge.register("admin@example.org"), await edge.register("zoe@example.org"))


async def test_service_types(shop: Shop) -> None:
    wish = {"key": "vm", "name": "Virtual machine", "provider": "none", "configSchema": {"n": 1.5, "m": None}}
    made = await shop.made("/api/service-types", wish)
    assert made == {
        "id": made["id"], "key": "vm", "name": "Virtual machine", "description": None, "provider": "none",
        "configSchema": {"n": Decimal("1.5"), "m": None}, "isActive": True, "disallowStatutoryWithdrawal": False,
        "createdAt": made["createdAt"], "updatedAt": made["createdAt"],
    }  # fmt: skip
    path = f"/api/service-types/{made['id']}"
    assert await shop.get(path.upper().replace("/API/SERVICE-TYPES", "/api/service-types")) == (200, made)
    assert (await shop.post("/api/service-types", wish, shop.admin))[0] == 409
    assert (await shop.post("/api/service-types", wish))[0] == 403
    assert (await shop.edge.call("POST", "/api/service-types", wish))[0] == 401
    changed = await shop.made(path, {"description": "Soon", "isActive": False})
    assert (changed["description"], changed["isActive"], changed["name"]) == ("Soon", False, "Virtual machine")
    cleared = await shop.made(path, {"description": None, "isActive": None, "configSchema": None})
    assert (cleared["description"], cleared["isActive"], cleared["configSchema"]) == (None, True, {})
    for body in ({"name": None}, {"key": "other"}, {"provider": "unheard-of"}, {"name": ""}):
        assert (await shop.post(path, body, shop.admin))[0] == 400, body
    second = await shop.made("/api/service-types", {"key": "db", "name": "Database", "provider": "none"})
    status, listed = await shop.get("/api/service-types?limit=1")
    assert (status, [one["id"] for one in listed]) == (200, [second["id"]])
    assert [one["id"] for one in (await shop.get("/api/service-types?offset=1"))[1]] == [made["id"]]
    plan = await shop.made("/api/service-plans", {**PLAN, "serviceTypeId": made["id"]})
    assert await shop.delete(path) == 409
    assert await shop.delete(f"/api/service-plans/{plan['id']}") == 204
    assert await shop.delete(path) == 204
    assert (await shop.get(path))[0] == 404
    assert await shop.delete(path) == 404


async def test_service_plans_and_their_prices(shop: Shop) -> None:
    highlights = [{"icon": "cpu", "text": "2 vCPU"}]
    wish = {**PLAN, "orderingHighlights": highlights, "allowedServerTypes": ["s", "m"], "noticeDays": None}
    made = await shop.made("/api/service-plans", wish)
    assert [made[name] for name in ("basePrice", "marginPercent", "marginFixed")] == ["10.0000", "12.5000", "0.0050"]
    assert (made["orderingHighlights"], made["noticeDays"], made["serviceTypeId"]) == (highlights, 0, None)
    path = f"/api/service-plans/{made['id']}"
    assert (await shop.get(path))[1] == made
    assert (await shop.made("/api/pricing/preview", {"planId": made["id"]})) == {
        "basePrice": Decimal("10.00"), "marginPercent": Decimal("12.5"), "marginFixed": Decimal("0.01"),
        "totalPrice": Decimal("11.26"),
    }  # fmt: skip
    assert (await shop.made(path, {"marginFixed": None, "allowedServerTypes": None}))["marginFixed"] is None
    refused = (
        {"basePrice": 10}, {"basePrice": "-1"}, {"basePrice": "1.00001"}, {"basePrice": "1e3"}, {"basePrice": "1\n"},
        {"basePrice": "9999999999"}, {"marginFixed": "-12"}, {"billingIntervalValue": 0},
        {"billingIntervalValue": "1"}, {"billingIntervalValue": True}, {"billingIntervalValue": 1.5},
        {"billingIntervalType": "week"}, {"billingDayOfMonth": 32}, {"isActive": "true"}, {"isActive": 1},
        {"autoRecalculatePriceDaily": True}, {"migrateExistingSubscriptions": True}, {"serviceTypeId": NOBODYS},
        {"orderingHighlights": [{"icon": "x" * 129, "text": "y"}]}, {"orderingHighlights": {}}, {"taxCategory": "x"},
        {"noticeDays": -1}, {"name": "x" * 256}, {"allowedServerTypes": [1]},
    )  # fmt: skip
    for body in refused:
        assert (await shop.post(path, body, shop.admin))[0] == 400, body
    for body in ({**PLAN, "serviceTypeId": NOBODYS}, {**PLAN, "migrateExistingSubscriptions": False}, {"name": "x"}):
        assert (await shop.post("/api/service-plans", body, shop.admin))[0] == 400, body
    assert (await shop.post(path, {"autoRecalculatePriceDaily": False}, shop.admin))[0] == 200
    assert (await shop.post("/api/pricing/preview", {}))[0] == 400
    assert (await shop.post("/api/pricing/preview", {"planId": NOBODYS}))[0] == 404


async def test_offerings_need_no_token(shop: Shop) -> None:
    call = shop.edge.call
    assert (await call("GET", "/api/public/service-plan-offerings/cheapest"))[0] == 404
    service_type = await shop.made("/api/service-types", {"key": "vm", "name": "VM", "provider": "none"})
    dear = await shop.made("/api/service-plans", {**PLAN, "basePrice": "20", "serviceTypeId": service_type["id"]})
    cheap = await shop.made("/api/service-plans", PLAN)
    await shop.made("/api/service-plans", {**PLAN, "basePrice": "1", "isActive": False})
    _, listed, _ = await call("GET", "/api/public/service-plan-offerings")
    assert [(one["id"], one["totalPrice"], one["serviceTypeName"]) for one in listed] == [
        (cheap["id"], Decimal("11.26"), None),
        (dear["id"], Decimal("22.51"), "VM"),
    ]
    _, cheapest, _ = await call("GET", "/api/public/service-plan-offerings/cheapest")
    assert cheapest["id"] == cheap["id"]
    of_type = f"?serviceTypeId={service_type['id']}"
    _, listed, _ = await call("GET", f"/api/public/service-plan-offerings{of_type}&limit=1")
    assert [one["id"] for one in listed] == [dear["id"]]
    _, cheapest, _ = await call("GET", f"/api/public/service-plan-offerings/cheapest{of_type}")
    assert cheapest["id"] == dear["id"]
    await shop.made(f"/api/service-types/{service_type['id']}", {"isActive": False})
    assert len((await call("GET", "/api/public/service-plan-offerings"))[1]) == 1
    for query in ("limit=0", "limit=101", "serviceTypeId=x"):
        assert (await call("GET", f"/api/public/service-plan-offerings?{query}"))[0] == 400


async def test_the_profile_begins_empty_and_is_changed_field_by_field(shop: Shop) -> None:
    status, empty = await shop.get("/api/customer-profile")
    assert (status, set(empty.values()), "id" in empty, "firstName" in empty) == (200, {None}, False, True)
    made = await shop.made("/api/customer-profile", PROFILE, shop.customer)
    assert (made["country"], made["firstName"], made["company"]) == ("DE", "Zoë", None)
    changed = await shop.made("/api/customer-profile", {"lastName": None, "company": "  "}, shop.customer)
    assert (changed["lastName"], changed["company"], changed["id"]) == (None, None, made["id"])
    assert (await shop.get("/api/customer-profile"))[1] == changed
    for body in ({"country": "D"}, {"country": "ZZ"}, {"email": "x"}, {"vatId": "x" * 33}, {"userId": NOBODYS},
                 {"customerType": "both"}, {"phone": "\x07"}):  # fmt: skip
        assert (await shop.post("/api/customer-profile", body))[0] == 400, body


async def test_users_are_the_admins_affair(shop: Shop) -> None:
    made = await shop.made("/api/users", {"email": "New@example.org", "password": "long enough", "role": "admin"})
    assert (made["email"], made["role"], made["emailConfirmedAt"] is None) == ("New@example.org", "admin", False)
    assert (await shop.get(f"/api/users/{made['id']}", shop.admin)) == (200, made)
    assert [user["email"] for user in (await shop.get("/api/users?limit=2", shop.admin))[1]] == [
        "New@example.org",
        "zoe@example.org",
    ]
    assert (await shop.post("/api/users", {"email": "new@example.org", "password": "long enough"}, shop.admin))[
        0
    ] == 409
    assert (await shop.get(f"/api/users/{NOBODYS}", shop.admin))[0] == 404
    assert (await shop.get("/api/users/me", shop.admin))[0] == 400
    assert (await shop.get("/api/users"))[0] == 403


async def test_order_look_cancel_resume(shop: Shop) -> None:
    plan = await shop.made("/api/service-plans", PLAN)
    status, body = await shop.post("/api/subscriptions", {"planId": plan["id"]})
    assert (status, body["code"], "firstName" in body["message"]) == (400, "PROFILE_INCOMPLETE", True)
    await shop.made("/api/customer-profile", PROFILE, shop.customer)
    order = {
        "planId": plan["id"], "addonIds": [], "promotionCode": " ", "promotionBenefitStartsAt": None,
        "autoBackorder": None, "requestedConfig": {"service": "controller", "smtp": {"port": 25, "from": "a@b.de"}},
        "preferredAlternatives": {}, "addonConfigs": {},
    }  # fmt: skip
    first = await shop.made("/api/subscriptions", order, shop.customer)
    assert (first["status"], first["number"], first["nextBillingAt"]) == (
        "active", "SUB-000001", first["currentPeriodEnd"],
    )  # fmt: skip
    for wrong in (
        {"addonIds": [NOBODYS]}, {"promotionCode": "X"}, {"promotionBenefitStartsAt": "2026-01-01T00:00:00Z"},
        {"requestedConfig": {"colour": "red"}}, {"requestedConfig": {"service": "x"}}, {"planId": "x"},
        {"planId": None},
    ):  # fmt: skip
        status, body = await shop.post("/api/subscriptions", {**order, **wrong})
        assert status == 400, wrong
    assert (await shop.post("/api/subscriptions", {"planId": NOBODYS}))[0] == 404
    second = await shop.made("/api/subscriptions", {"planId": plan["id"]}, shop.customer)
    path = f"/api/subscriptions/{first['id']}"
    assert (await shop.get("/api/subscriptions"))[1] == [second, first]
    assert (await shop.get("/api/subscriptions?limit=1&offset=1"))[1] == [first]
    assert (await shop.get("/api/subscriptions?limit=1001"))[0] == 400
    assert await shop.get(path) == (200, first)
    assert await shop.get(f"{path}/items") == (200, [])
    for method, below in (("GET", ""), ("GET", "/items"), ("POST", "/cancel"), ("POST", "/resume")):
        assert (await shop.edge.call(method, path + below, token=shop.admin))[0] == 404
        assert (await shop.edge.call(method, f"/api/subscriptions/{NOBODYS}{below}", token=shop.customer))[0] == 404
    assert (await shop.post(f"{path}/resume"))[0] == 400
    ended = await shop.made(f"{path}/cancel", {"reason": "moving"}, shop.customer)
    assert (ended["status"], ended["nextBillingAt"], ended["cancelEffectiveAt"] is None) == ("canceled", None, False)
    assert await shop.get(path) == (200, ended)
    assert (await shop.get("/api/subscriptions"))[1] == [second, ended]
    assert await shop.get(f"{path}/items") == (200, [])


async def test_items_are_shown(shop: Shop) -> None:
    plan = await shop.made("/api/service-plans", PLAN)
    await shop.made("/api/customer-profile", PROFILE, shop.customer)
    subscription = await shop.made("/api/subscriptions", {"planId": plan["id"]}, shop.customer)
    actor, now = shop.edge.deps.tenants.actor("default"), shop.edge.clock()
    item = SubscriptionItem(
        id=NOBODYS, subscription_id=subscription["id"], user_id=subscription["userId"], provisioning_status="active",
        service="manager", provider="hetzner", server_type="cx22", location="fsn1", hostname="calm-heron-x2345",
        ssh_public_key="", host_public_key="", created_at=now, updated_at=now,
    )  # fmt: skip
    actor._state = actor.published().with_changes([item])  # stories order real ones
    _, items = await shop.get(f"/api/subscriptions/{subscription['id']}/items")
    assert items == [
        {"id": NOBODYS, "subscriptionId": subscription["id"], "serviceTypeId": None, "provisioningStatus": "active",
         "hostname": "calm-heron-x2345", "service": "manager"}
    ]  # fmt: skip


async def test_a_repeated_order_is_one(shop: Shop) -> None:
    plan = await shop.made("/api/service-plans", PLAN)
    await shop.made("/api/customer-profile", PROFILE, shop.customer)
    order = {"planId": plan["id"]}
    first, again = [await shop.post("/api/subscriptions", order, Idempotency_Key="k-1") for _ in range(2)]
    assert first == again
    assert len((await shop.get("/api/subscriptions"))[1]) == 1
    status, body = await shop.post("/api/subscriptions", {**order, "autoBackorder": True}, Idempotency_Key="k-1")
    assert (status, body["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (await shop.post("/api/subscriptions", order, Idempotency_Key="k-2"))[1]["id"] != first[1]["id"]
    assert (await shop.post("/api/subscriptions", order, Idempotency_Key="k" * 256))[0] == 400


async def test_from_usage_to_a_paid_and_a_void_invoice(shop: Shop) -> None:
    await shop.move_clock("2027-01-01T12:00:00Z")
    plan = await shop.made("/api/service-plans", PLAN)
    await shop.made("/api/customer-profile", PROFILE, shop.customer)
    subscription = await shop.made("/api/subscriptions", {"planId": plan["id"]}, shop.customer)
    usage = {
        "subscriptionId": subscription["id"], "periodStart": "2027-01-02T01:00:00+01:00",
        "periodEnd": "2027-01-03T00:00:00Z", "usagePayload": {"units": 3, "unitPrice": 0.335},
    }  # fmt: skip
    assert (await shop.post("/api/usage/record", usage))[0] == 403
    record = await shop.made("/api/usage/record", usage)
    same = {**usage, "periodStart": "2027-01-02T00:00:00Z", "usagePayload": {"unitPrice": 0.335, "units": 3}}
    assert await shop.made("/api/usage/record", same) == record
    for wrong in ({"periodStart": "2027-01-02T00:00:00"}, {"periodStart": "soon"}, {"usagePayload": {"totalCost": "x"}},
                  {"periodEnd": "2027-01-01T00:00:00Z"}):  # fmt: skip
        assert (await shop.post("/api/usage/record", {**usage, **wrong}, shop.admin))[0] == 400, wrong
    _, summary = await shop.get(f"/api/usage/summary/{subscription['id']}")
    assert summary["usagePayload"] == {"recordCount": 1, "totalCost": Decimal("1.01")}
    await shop.move_clock("2027-02-01T13:00:00Z")
    status, summary = await shop.get("/api/invoices/summary")
    assert (status, summary["openOverdueCount"], summary["unbilledTotal"]) == (200, 0, Decimal("12.27"))
    queued = await shop.made("/api/admin/billing/bill-now", {})
    assert queued["queued"] is True
    run = await _finished_run(shop, queued["requestId"])
    assert (run["userCount"], run["invoices"], run["errors"]) == (1, 1, [])
    await _check_customers_view(shop, subscription)
    await _check_admins_view(shop, subscription)


async def _finished_run(shop: Shop, request_id: str) -> Any:
    for _ in range(100):
        _, run = await shop.get(f"/api/admin/billing/bill-now/{request_id}", shop.admin)
        if run["status"] == "done":
            return run
    raise AssertionError(f"still {run['status']}")


async def _check_customers_view(shop: Shop, subscription: Any) -> None:
    _, [listed] = await shop.get(f"/api/invoices/{subscription['id']}")
    assert (await shop.get("/api/invoices/open-overdue"))[1] == [listed]
    assert listed == {
        "id": listed["id"], "subscriptionId": subscription["id"], "invoiceNumber": "INV-2027-00001",
        "status": "issued", "balance": Decimal("14.60"), "subscriptionNumber": "SUB-000001",
        "createdAt": "2027-02-01T13:00:00.000Z", "dueDate": "2027-02-15", "canPay": True, "canDownload": True,
        "canPreview": True, "canDownloadVoidDocument": False, "voidDocumentNumber": None,
    }  # fmt: skip
    by_ref = f"/api/invoices/ref/{listed['id']}"
    scoped = f"/api/invoices/{subscription['id']}/ref/{listed['id']}"
    _, detail = await shop.get(by_ref)
    assert await shop.get(scoped) == (200, detail)
    assert [detail[name] for name in ("subtotalNet", "taxTotal", "totalGross", "balanceDue")] == [
        Decimal("12.27"), Decimal("2.33"), Decimal("14.60"), Decimal("14.60"),
    ]  # fmt: skip
    assert detail["taxBreakdown"] == [{"taxCategory": "standard", "taxRate": 19, "taxAmount": Decimal("2.33")}]
    assert [line["lineNet"] for line in detail["lineItems"]] == [Decimal("11.26"), Decimal("1.01")]
    for path in (by_ref, scoped):
        _, pdf, response = await shop.edge.call("GET", f"{path}/pdf", token=shop.customer)
        assert (pdf, response.content_type) == (b"%PDF of invoice INV-2027-00001", "application/pdf")
        assert response.headers["Content-Disposition"] == 'attachment; filename="INV-2027-00001.pdf"'
        assert (await shop.get(f"{path}/void-document/pdf"))[0] == 400
        assert (await shop.post(f"{path}/pay"))[1]["code"] == "PAYMENT_NOT_CONFIGURED"
    for path in (f"/api/invoices/ref/{NOBODYS}", f"/api/invoices/{NOBODYS}/ref/{listed['id']}"):
        assert (await shop.get(path))[0] == 404
        assert (await shop.get(f"{path}/pdf"))[0] == 404
        assert (await shop.post(f"{path}/pay"))[0] == 404
    for path in (by_ref, scoped, f"/api/invoices/{subscription['id']}"):
        assert (await shop.get(path, shop.admin))[0] == 404, "an admin is a customer of their own"


async def _check_admins_view(shop: Shop, subscription: Any) -> None:
    status, summary = await shop.get("/api/admin/billing/summary", shop.admin)
    assert (status, summary) == (
        200,
        {
            "activeSubscriptionsCount": 1,
            "openOverdueCount": 1,
            "openOverdueTotal": Decimal("14.60"),
            "unbilledTotal": 0,
        },
    )
    invoices = "/api/admin/billing/invoices"
    _, page = await shop.get(f"{invoices}?search=inv-2027&limit=5", shop.admin)
    [item] = page["items"]
    assert (page["total"], page["limit"], page["offset"], item["userEmail"]) == (1, 5, 0, "zoe@example.org")
    path = f"{invoices}/{item['id']}"
    paid = await shop.made(f"{path}/mark-paid", {"reason": "by bank transfer"})
    assert (paid["status"], paid["balance"], paid["subscriptionNumber"]) == ("paid", 0, "SUB-000001")
    assert (await shop.get(f"{invoices}/open-overdue", shop.admin))[1]["items"] == []
    assert (await shop.post(f"{path}/void", None, shop.admin))[0] == 400
    assert (await shop.made(f"{path}/mark-unpaid", None))["status"] == "issued"
    scoped_void = f"/api/invoices/{subscription['id']}/ref/{item['id']}/void"
    assert (await shop.post(scoped_void))[0] == 403
    voided = await shop.made(scoped_void, None)
    assert (voided["status"], voided["canPay"], voided["voidDocumentNumber"]) == ("void", False, "INV-2027-00001-CN")
    status, detail = await shop.get(path, shop.admin)
    assert (status, detail["status"], detail["userEmail"]) == (200, "void", "zoe@example.org")
    for one in (path, f"/api/invoices/ref/{item['id']}"):
        token = shop.admin if "admin" in one else shop.customer
        _, pdf, _ = await shop.edge.call("GET", f"{one}/void-document/pdf", token=token)
        assert pdf == b"%PDF of credit_note INV-2027-00001"
    _, logs = await shop.get(f"{path}/audit-logs?limit=3", shop.admin)
    assert [entry["process"] for entry in logs["items"]] == [
        "invoice.void", "invoice.mark_unpaid", "invoice.mark_paid",
    ]  # fmt: skip
    assert logs["items"][2]["context"]["reason"] == "by bank transfer"
    assert logs["total"] > 3
    for missing in (f"{invoices}/{NOBODYS}", f"{invoices}/{NOBODYS}/audit-logs", f"{invoices}/{NOBODYS}/pdf"):
        assert (await shop.get(missing, shop.admin))[0] == 404
    assert (await shop.post(f"{invoices}/{NOBODYS}/mark-paid", None, shop.admin))[0] == 404
    assert (await shop.get(path))[0] == 403


async def test_drafts_are_not_for_customers(shop: Shop) -> None:
    _, me = await shop.get("/api/users?limit=1", shop.admin)
    line = {"description": "Work", "quantity": 1, "unitPriceNet": 5}
    wish = {"userId": me[0]["id"], "lineItems": [line]}
    draft = await shop.made("/api/admin/billing/invoices/manual", wish)
    assert (await shop.get("/api/invoices/open-overdue"))[1] == []
    assert (await shop.get(f"/api/invoices/ref/{draft['id']}"))[0] == 404
    status, shown = await shop.get(f"/api/admin/billing/invoices/{draft['id']}", shop.admin)
    assert (status, shown["invoiceNumber"], shown["canDownload"]) == (200, None, False)
    assert (await shop.get(f"/api/admin/billing/invoices/{draft['id']}/pdf", shop.admin))[0] == 400


async def test_the_test_clock_goes_forward_only_and_is_absent_without_one(shop: Shop, start_edge: StartEdge) -> None:
    path = "/api/admin/billing/test-clock"
    assert (await shop.made(path, {"now": "2027-01-01T12:00:00+01:00"})) == {"now": "2027-01-01T11:00:00.000Z"}
    assert (await shop.get(path, shop.admin))[1] == {"now": "2027-01-01T11:00:00.000Z"}
    assert (await shop.post(path, {"now": "2027-01-01T10:59:59Z"}, shop.admin))[0] == 400
    assert (await shop.post(path, {"now": "2027-01-01T11:00:00Z"}, shop.admin))[0] == 200
    assert (await shop.get(path))[0] == 403
    without = await start_edge(test_clock=False, api_key=API_KEY)
    assert (await without.call("GET", path, token=API_KEY))[0] == 404


async def test_a_webhook_finds_its_tenant_by_itself(edge: Edge, start_edge: StartEdge) -> None:
    path = "/api/webhooks/payments/stripe"
    assert (await edge.call("POST", path, raw=b"{}"))[1]["code"] == "PAYMENT_NOT_CONFIGURED"
    read: list[tuple[bytes, str]] = []

    def read_event(raw: bytes, signature: str) -> tuple[str | None, ApplyPaymentEvent]:
        read.append((raw, signature))
        event = ApplyPaymentEvent(
            record_id=NOBODYS, event_id="evt_1", type="checkout.session.expired", outcome="unused"
        )
        return raw.decode() or None, event

    configured = await start_edge(read_payment_event=read_event, tenants_allow_default=False)
    for named in (b"acme", b"acme", b"somebody-else's", b""):
        headers = {"Stripe_Signature": "t=1", "X_Tenant": "nobody"}
        assert (await configured.call("POST", path, raw=named, **headers))[:2] == (200, b"")
    assert read[0] == (b"acme", "t=1")
