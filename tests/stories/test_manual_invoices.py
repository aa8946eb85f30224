"""Stories of invoices that the operator writes by hand."""

from decimal import Decimal
from typing import Any

from decabilld.domain.entities import Invoice
from tests.harness.people import Admin, Customer, totals
from tests.stories.conftest import StartDaemon

MANUAL = "/admin/billing/invoices/manual"


def line(description: str, quantity: str, price: str, **more: str) -> dict[str, Any]:
    return {"description": description, "quantity": Decimal(quantity), "unitPriceNet": Decimal(price), **more}


async def drafts(admin: Admin, customer: Customer, *lines: dict[str, Any], **more: Any) -> Any:
    return await admin.post(MANUAL, {"userId": customer.id, "lineItems": list(lines), **more})


async def issues(admin: Admin, draft: Any, **more: Any) -> Any:
    return await admin.post(f"/admin/billing/invoices/{draft['id']}/issue", more)


async def test_hours_of_work_are_billed_by_hand(admin: Admin) -> None:
    await admin.move_to("2024-03-01 09:00")
    anna = await admin.customer("anna")
    draft = await drafts(
        admin,
        anna,
        line("Support, hours", "2.75", "89.9"),
        line("Traffic, GB", "1234.5678", "0.0345"),
        line("Manual, printed", "3", "1.005", taxCategory="reduced"),
    )
    # 247.225, 42.5925891 and 3.015, each rounded once
    assert [str(one["lineNet"]) for one in draft["lineItems"]] == ["247.23", "42.59", "3.02"]
    assert [str(one["quantity"]) for one in draft["lineItems"]] == ["2.75", "1234.5678", "3"]
    assert str(draft["lineItems"][1]["unitPriceNet"]) == "0.0345"
    assert totals(draft) == ("292.84", "55.28", "348.12")
    assert (draft["status"], draft["invoiceNumber"], draft["userEmail"]) == ("draft", None, anna.email)

    assert (await anna.refused("GET", f"/invoices/ref/{draft['id']}")).status == 404
    assert (await anna.owes())["openOverdueCount"] == 0
    assert (await admin.get("/admin/billing/invoices"))["total"] == 1
    assert (await admin.get("/admin/billing/invoices/open-overdue"))["total"] == 0

    await admin.move_to("2024-03-04 12:00")
    issued = await issues(admin, draft, dueInDays=30)
    assert (issued["invoiceNumber"], issued["status"], issued["dueDate"]) == ("INV-2024-00001", "issued", "2024-04-03")
    assert issued["issuedAt"] == "2024-03-04T12:00:00.000Z"
    assert totals(await anna.invoice(draft["id"])) == totals(draft)
    assert (await anna.owes())["openOverdueTotal"] == Decimal("348.12")
    assert await anna.get(f"/invoices/ref/{draft['id']}/pdf")
    await admin.move_to("2024-04-04 00:00")
    assert (await anna.invoice(draft["id"]))["status"] == "overdue"
    logs = (await admin.get(f"/admin/billing/invoices/{draft['id']}/audit-logs"))["items"]
    assert [log["process"] for log in logs][-2:] == ["invoice.issue", "invoice.create"]


async def test_a_draft_is_changed_and_thrown_away_but_an_invoice_is_not(admin: Admin) -> None:
    await admin.move_to("2024-03-01 09:00")
    anna = await admin.customer("anna")
    first = await drafts(admin, anna, line("Setup", "1", "100"))
    path = f"/admin/billing/invoices/{first['id']}"
    changed = await admin.post(path, {"lineItems": [line("Setup", "1", "90"), line("Cable", "2", "4.5")]})
    assert (totals(changed), changed["id"]) == (("99.00", "18.81", "117.81"), first["id"])
    await admin.call("DELETE", path)
    for method, below in (("GET", ""), ("POST", "/issue"), ("DELETE", ""), ("GET", "/audit-logs")):
        assert (await admin.refused(method, path + below)).status == 404
    assert (await admin.get("/admin/billing/invoices"))["total"] == 0
    assert await admin.audit.rows(Invoice, admin.tenant) == []
    assert (await admin.audit.journal_kinds(admin.tenant))[-3:] == [
        "invoice.created",
        "invoice.updated",
        "invoice.deleted",
    ]

    second = await drafts(admin, anna, line("Setup", "1", "90"))
    assert (await issues(admin, second))["invoiceNumber"] == "INV-2024-00001"  # the draft has burnt no number
    path = f"/admin/billing/invoices/{second['id']}"
    assert (await admin.refused("POST", path, {"lineItems": [line("Less", "1", "1")]})).status == 409
    assert (await admin.refused("DELETE", path)).status == 409
    assert (await admin.refused("POST", f"{path}/issue")).status == 400
    await admin.marks_paid(second["id"])
    assert (await admin.refused("DELETE", path)).status == 409
    assert (await admin.refused("POST", path, {"lineItems": [line("Less", "1", "1")]})).status == 409


async def test_issuing_needs_a_complete_profile_and_a_draft_does_not(admin: Admin) -> None:
    await admin.move_to("2024-03-01 09:00")
    anna = await admin.customer("anna", with_profile=False)
    draft = await drafts(admin, anna, line("Setup", "1", "100"))
    refused = await admin.refused("POST", f"/admin/billing/invoices/{draft['id']}/issue")
    assert (refused.status, refused.answer["code"]) == (400, "PROFILE_INCOMPLETE")
    assert "firstName" in refused.message
    await anna.fills_in_profile()
    assert (await issues(admin, draft))["status"] == "issued"


async def test_issuing_needs_the_issuer(start_daemon: StartDaemon) -> None:
    admin = await (await start_daemon(issuer_city=None)).admin()
    anna = await admin.customer("anna")
    draft = await drafts(admin, anna, line("Setup", "1", "100"))
    refused = await admin.refused("POST", f"/admin/billing/invoices/{draft['id']}/issue")
    assert (refused.status, refused.answer["code"]) == (400, "ISSUER_INCOMPLETE")
    assert "BILLING_ISSUER_CITY" in refused.message


async def test_what_costs_nothing_is_paid_when_issued(admin: Admin) -> None:
    await admin.move_to("2024-03-01 09:00")
    anna = await admin.customer("anna")
    issued = await issues(admin, await drafts(admin, anna, line("Goodwill", "1", "0")))
    assert (issued["status"], issued["balanceDue"], issued["canPay"]) == ("paid", 0, False)
    assert (await admin.refused("POST", f"/admin/billing/invoices/{issued['id']}/mark-unpaid")).status == 400


async def test_a_subscription_on_it_must_be_the_customers_own(admin: Admin) -> None:
    await admin.move_to("2024-03-01 09:00")
    anna, ben = await admin.customer("anna"), await admin.customer("ben")
    plan = await admin.plan()
    hers, his = await anna.orders(plan), await ben.orders(plan)
    draft = await drafts(admin, anna, line("Move", "1", "20"), subscriptionId=hers)
    assert draft["subscriptionId"] == hers
    assert await anna.invoices(hers) == []
    await issues(admin, draft)
    assert [one["id"] for one in await anna.invoices(hers)] == [draft["id"]]
    body = {"userId": anna.id, "lineItems": [line("Move", "1", "20")]}
    assert (await admin.refused("POST", MANUAL, {**body, "subscriptionId": his})).status == 400
    assert (await admin.refused("POST", MANUAL, {**body, "subscriptionId": anna.id})).status == 404
    assert (await admin.refused("POST", MANUAL, {**body, "userId": hers})).status == 404
    await anna.cancels(hers)  # an ended one may be named, too
    assert (await drafts(admin, anna, line("Farewell", "1", "1"), subscriptionId=hers))["subscriptionId"] == hers


async def test_the_currency_is_the_tenants_unless_it_is_given(admin: Admin) -> None:
    await admin.move_to("2024-03-01 09:00")
    anna = await admin.customer("anna")
    assert (await drafts(admin, anna, line("Setup", "1", "1")))["currency"] == "EUR"
    yen = await drafts(admin, anna, line("Setup", "1.5", "1.5"), currency="JPY")
    assert totals(yen) == ("2", "0", "2")  # 2.25 and 0.38, in whole yen
    body = {"userId": anna.id, "lineItems": [line("Setup", "1", "1")]}
    for currency in ("XXX", "eur", "KWD", ""):
        assert (await admin.refused("POST", MANUAL, {**body, "currency": currency})).status == 400, currency


async def test_what_is_owed_is_never_a_sum_of_two_currencies(admin: Admin) -> None:
    await admin.move_to("2024-03-01 09:00")
    anna = await admin.customer("anna")
    await issues(admin, await drafts(admin, anna, line("Setup", "1", "100")))
    await issues(admin, await drafts(admin, anna, line("Setup", "1", "100"), currency="JPY"))
    owed = await anna.owes()
    assert (owed["openOverdueCount"], owed["openOverdueTotal"]) == (2, Decimal("119.00"))
    assert (await admin.get("/admin/billing/summary"))["openOverdueTotal"] == Decimal("119.00")


async def test_a_discount_is_a_line_below_zero(admin: Admin) -> None:
    await admin.move_to("2024-03-01 09:00")
    anna = await admin.customer("anna")
    draft = await drafts(admin, anna, line("Work", "3", "33.35"), line("Discount", "1", "-0.0650"))
    issued = await issues(admin, draft)
    assert [str(one["lineNet"]) for one in issued["lineItems"]] == ["100.05", "-0.07"]
    assert totals(issued) == ("99.98", "19.00", "118.98")
    assert await anna.get(f"/invoices/ref/{draft['id']}/pdf")


async def test_what_is_no_line_is_refused_by_name(admin: Admin) -> None:
    anna = await admin.customer("anna")
    for wrong, field in (
        (line("x", "1.00001", "1"), "lineItems.0.quantity"),
        (line("x", "0", "1"), "lineItems.0.quantity"),
        (line("x", "-1", "1"), "lineItems: come to less than zero"),
        (line("x", "1", "0.00005"), "lineItems.0.unitPriceNet"),
        (line("x", "1", "-1"), "lineItems: come to less than zero"),
        (line("x", "1", "1000000000"), "lineItems.0.unitPriceNet"),
        (line(" ", "1", "1"), "lineItems.0.description"),
        (line("x", "1", "1", taxCategory="none"), "lineItems.0.taxCategory"),
        ({**line("x", "1", "1"), "quantity": "1"}, "lineItems.0.quantity"),
        (line("x", "999999999", "999999999"), "lineItems"),
    ):
        refused = await admin.refused("POST", MANUAL, {"userId": anna.id, "lineItems": [wrong]})
        assert refused.status == 400
        assert field in refused.message, refused.message
    assert (await admin.refused("POST", MANUAL, {"userId": anna.id, "lineItems": []})).status == 400
    assert (await admin.refused("POST", MANUAL, {"lineItems": [line("x", "1", "1")]})).status == 400
