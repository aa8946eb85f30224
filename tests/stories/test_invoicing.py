"""Stories of invoices: when there is one, what is on it, and what becomes of it without an online payment."""

import asyncio
from decimal import Decimal
from typing import Any

from decabilld.domain.entities import Invoice, Position
from tests.harness.people import Admin, Customer, lines, totals
from tests.stories.conftest import StartDaemon


async def billed_once(admin: Admin, price: str = "10.00") -> tuple[Customer, str]:
    """Anna with an invoice of 2024-02-10, and its id."""
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan("M", price))
    await admin.move_to("2024-02-10 23:59")
    (invoice,) = await anna.invoices(subscription)
    return anna, invoice["id"]


async def run_of(admin: Admin, queued: Any) -> Any:
    """The finished run."""
    for _ in range(500):
        run = await admin.get(f"/admin/billing/bill-now/{queued['requestId']}")
        if run["status"] == "done":
            return run
        await asyncio.sleep(0.01)
    raise AssertionError("bill-now doesn't end")


async def test_everything_open_on_the_billing_day_becomes_one_invoice_in_the_order_of_periods(admin: Admin) -> None:
    await admin.move_to("2024-01-22 08:00")
    anna = await admin.customer("anna")
    daily, monthly = await admin.plan("Day", "1.00", "day"), await admin.plan("Month", "10.00", taxCategory="reduced")
    first, second = await anna.orders(monthly), await anna.orders(monthly)
    await admin.move_to("2024-02-20 08:00")
    third = await anna.orders(daily)
    await admin.move_to("2024-02-23 00:00")
    (invoice,) = await anna.invoices(first)
    assert invoice["issuedAt"] == "2024-02-22T23:59:00.000Z"
    assert lines(invoice) == [
        ("Month, 2024-01-22 to 2024-02-22", "10.00"),
        ("Month, 2024-01-22 to 2024-02-22", "10.00"),
        ("Day, 2024-02-20 to 2024-02-21", "1.00"),
        ("Day, 2024-02-21 to 2024-02-22", "1.00"),
    ]
    assert [(str(group["taxRate"]), str(group["taxAmount"])) for group in invoice["taxBreakdown"]] == [
        ("7", "1.40"),
        ("19", "0.38"),
    ]
    assert totals(invoice) == ("22.00", "1.78", "23.78")
    for subscription in (first, second, third):
        assert [one["id"] for one in await anna.invoices(subscription)] == [invoice["id"]]
    assert invoice["subscriptionId"] == first


async def test_lines_of_the_same_period_are_in_the_order_of_the_orders(admin: Admin) -> None:
    await admin.move_to("2024-01-22 08:00")
    anna = await admin.customer("anna")
    for n in range(12):
        await anna.orders(await admin.plan(f"Plan {n:02d}"))
    await admin.move_to("2024-02-23 00:00")
    (invoice,) = await admin.all_invoices()
    assert [line["description"][:7] for line in invoice["lineItems"]] == [f"Plan {n:02d}" for n in range(12)]


async def test_what_falls_due_on_the_billing_day_itself_is_on_its_invoice(admin: Admin) -> None:
    await admin.move_to("2024-01-22 23:59")
    anna = await admin.customer("anna")
    on_it, after = await anna.orders(await admin.plan()), ""
    await admin.move_to("2024-01-22 23:59:30")
    after = await anna.orders(await admin.plan())
    await admin.move_to("2024-02-25 00:00")
    assert len(await anna.invoices(on_it)) == 1
    assert await anna.invoices(after) == []
    assert (await anna.owes())["unbilledTotal"] == 10


async def test_too_small_a_total_waits_until_it_is_worth_an_invoice(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(price="0.50"))
    await admin.move_to("2024-02-12 00:00")
    assert await anna.invoices(subscription) == []  # 0.60 gross
    run = await run_of(admin, await admin.bills_now(anna))
    assert (run["userCount"], run["done"], run["failed"], run["invoices"]) == (1, 1, 0, 0)
    await admin.move_to("2024-03-12 00:00")
    (invoice,) = await anna.invoices(subscription)
    assert totals(invoice) == ("1.00", "0.19", "1.19")
    assert invoice["invoiceNumber"] == "INV-2024-00001"


async def test_a_plan_for_free_makes_no_invoice(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(price="0"))
    await admin.move_to("2024-04-10 00:00")
    assert [net for _, _, net in await anna.charges(subscription)] == ["0.00"] * 3
    assert await admin.all_invoices() == []


async def test_an_incomplete_profile_waits_and_stops_nobody_else(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna, bert = await admin.customer("anna"), await admin.customer("bert")
    plan = await admin.plan()
    subscription, other = await anna.orders(plan), await bert.orders(plan)
    await anna.post("/customer-profile", {"city": None})
    await admin.move_to("2024-02-11 00:00")
    assert await anna.invoices(subscription) == []
    assert [invoice["invoiceNumber"] for invoice in await bert.invoices(other)] == ["INV-2024-00001"]
    run = await run_of(admin, await admin.bills_now())
    assert (run["userCount"], run["failed"], run["invoices"]) == (1, 1, 0)
    assert run["errors"] == [
        {"userId": anna.id, "message": "The customer profile is incomplete; missing: city"},
    ]
    await anna.fills_in_profile()
    await admin.move_to("2024-03-11 00:00")
    (invoice,) = await anna.invoices(subscription)
    assert len(invoice["lineItems"]) == 2
    kinds = await admin.audit.journal_kinds(admin.tenant)
    assert kinds.count("invoice.not_issued") == 2


async def test_without_an_issuer_nothing_is_issued_until_there_is_one(start_daemon: StartDaemon) -> None:
    first = await start_daemon(issuer_iban=None, issuer_vat_id=None)
    admin = await first.admin()
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan())
    await admin.move_to("2024-02-11 00:00")
    run = await run_of(admin, await admin.bills_now(anna))
    (error,) = run["errors"]
    assert "BILLING_ISSUER_VAT_ID, BILLING_ISSUER_IBAN" in error["message"]
    await first.stop()
    second = await start_daemon()
    admin, anna = second.speaks_to(admin), second.speaks_to(anna)
    run = await run_of(admin, await admin.bills_now(anna))
    assert run["invoices"] == 1
    (invoice,) = await anna.invoices(subscription)
    assert invoice["invoiceNumber"] == "INV-2024-00001"


async def test_the_tax_of_sixty_lines_adds_up(admin: Admin) -> None:
    await admin.move_to("2024-03-04 12:00")
    anna = await admin.customer("anna")
    await admin.move_to("2024-03-05 12:00")
    subscription = await anna.orders(await admin.plan(price="0.33", interval="hour"))
    await admin.move_to("2024-03-08 00:00")
    await anna.cancels(subscription)
    await run_of(admin, await admin.bills_now(anna))
    (invoice,) = await anna.invoices(subscription)
    assert len(invoice["lineItems"]) == 60
    assert totals(invoice) == ("19.80", "3.76", "23.56")  # of 3.762, and not sixty times 0.06
    assert sum(line["lineTax"] for line in invoice["lineItems"]) == Decimal("3.76")
    assert {str(line["lineTax"]) for line in invoice["lineItems"]} == {"0.06", "0.07"}


async def test_a_void_invoice_keeps_its_number_and_its_buyer(admin: Admin) -> None:
    anna, invoice_id = await billed_once(admin)
    await anna.post("/customer-profile", {"addressLine1": "Neue Straße 9", "city": "Hamburg"})
    await admin.move_to("2024-02-12 00:00")
    voided = await admin.voids(invoice_id)
    assert (voided["status"], voided["balance"], voided["voidDocumentNumber"]) == ("void", 0, "INV-2024-00001-CN")
    assert (await admin.refused("POST", f"/admin/billing/invoices/{invoice_id}/void")).status == 400
    assert (await admin.refused("POST", f"/admin/billing/invoices/{invoice_id}/mark-paid")).status == 400
    assert (await admin.refused("POST", f"/admin/billing/invoices/{invoice_id}/mark-unpaid")).status == 400
    await admin.move_to("2024-03-11 00:00")
    first, second = await admin.audit.rows(Invoice, admin.tenant)
    assert (first.number, second.number) == ("INV-2024-00001", "INV-2024-00002")
    assert first.buyer is not None
    assert second.buyer is not None
    assert (first.buyer.city, second.buyer.city) == ("Berlin", "Hamburg")
    assert len(second.lines) == 1  # what was voided isn't billed again
    assert await anna.get(f"/invoices/ref/{invoice_id}/void-document/pdf")
    kinds = [log["process"] for log in (await admin.get(f"/admin/billing/invoices/{invoice_id}/audit-logs"))["items"]]
    assert kinds == ["invoice.void", "invoice.issue", "invoice.billing_run"]


async def test_a_paid_invoice_cannot_be_voided(admin: Admin) -> None:
    _, invoice_id = await billed_once(admin)
    await admin.marks_paid(invoice_id)
    assert (await admin.refused("POST", f"/admin/billing/invoices/{invoice_id}/void")).status == 400


async def test_an_invoice_is_overdue_on_the_day_after_its_due_date_in_the_billing_zone(berlin: Admin) -> None:
    anna, invoice_id = await billed_once(berlin)
    assert (await anna.invoice(invoice_id))["dueDate"] == "2024-02-24"
    await berlin.move_to("2024-02-24 23:59:59")
    assert (await anna.invoice(invoice_id))["status"] == "issued"
    await berlin.move_to("2024-02-25 00:00")
    overdue = await anna.invoice(invoice_id)
    assert (overdue["status"], overdue["balanceDue"], overdue["canPay"]) == ("overdue", Decimal("11.90"), True)
    assert (await anna.owes())["openOverdueTotal"] == Decimal("11.90")
    paid = await berlin.marks_paid(invoice_id, "bank transfer of 2024-02-26")
    assert (paid["status"], paid["balance"], paid["canPay"]) == ("paid", 0, False)
    assert (await berlin.marks_unpaid(invoice_id, "it was somebody else's"))["status"] == "overdue"


async def test_marked_unpaid_before_the_due_date_it_is_issued_and_becomes_overdue_later(admin: Admin) -> None:
    anna, invoice_id = await billed_once(admin)
    await admin.marks_paid(invoice_id, "cash")
    await admin.move_to("2024-02-20 00:00")
    assert (await admin.marks_unpaid(invoice_id, "false note"))["status"] == "issued"
    assert (await admin.refused("POST", f"/admin/billing/invoices/{invoice_id}/mark-unpaid")).status == 400
    await admin.move_to("2024-02-25 00:00")
    assert (await anna.invoice(invoice_id))["status"] == "overdue"
    logs = (await admin.get(f"/admin/billing/invoices/{invoice_id}/audit-logs"))["items"]
    assert [(log["process"], log["context"].get("reason"), log["context"]["who"]) for log in logs[1:3]] == [
        ("invoice.mark_unpaid", "false note", f"user:{admin.id}"),
        ("invoice.mark_paid", "cash", f"user:{admin.id}"),
    ]


async def test_billing_everybody_now_twice_at_once_bills_nobody_twice(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    plan = await admin.plan()
    customers = [await admin.customer(f"customer{n}") for n in range(5)]
    for customer in customers:
        await customer.orders(plan)
    await admin.move_to("2024-02-10 12:00")
    queued = await asyncio.gather(*(admin.bills_now() for _ in range(4)))
    assert queued[0]["queued"] is True
    assert queued[0]["userCount"] == 5
    runs = [await run_of(admin, one) for one in queued]
    assert sum(run["invoices"] for run in runs) == 5
    assert (runs[0]["done"], runs[0]["failed"]) == (5, 0)
    await admin.move_to("2024-02-11 00:00")  # and the billing day finds nothing left
    numbers = [invoice["invoiceNumber"] for invoice in await admin.all_invoices()]
    assert sorted(numbers) == [f"INV-2024-0000{n}" for n in range(1, 6)]
    assert (await admin.refused("POST", "/admin/billing/bill-now", {"userId": plan})).status == 404
    assert (await admin.refused("GET", f"/admin/billing/bill-now/{plan}")).status == 404


async def test_billing_now_while_the_clock_moves_bills_nobody_twice(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan(price="1.00", interval="hour"))
    await admin.move_to("2024-02-10 00:00")
    moved, *_ = await asyncio.gather(admin.move_to("2024-03-10 00:00"), *(admin.bills_now() for _ in range(20)))
    assert moved == "2024-03-10T00:00:00.000Z"
    positions = await anna.positions(subscription)
    assert len(positions) == 60 * 24


async def test_two_currencies_make_two_invoices(start_daemon: StartDaemon) -> None:
    first = await start_daemon(billing_currency="EUR")
    admin = await first.admin()
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    plan = await admin.plan()
    euros = await anna.orders(plan)
    await first.stop()
    second = await start_daemon(billing_currency="JPY")
    admin, anna = second.speaks_to(admin), second.speaks_to(anna)
    yen = await anna.orders(await admin.plan(price="1234.5"))
    await admin.move_to("2024-02-11 23:59")
    invoices = await admin.audit.rows(Invoice, "default")
    assert [(i.currency, i.total_gross_minor, i.number) for i in invoices] == [
        ("EUR", 1190, "INV-2024-00001"),
        ("JPY", 1470, "INV-2024-00002"),  # 1235 and 234.65, rounded to whole yen
    ]
    positions = await admin.audit.rows(Position, "default")
    assert {(p.subscription_id, p.currency) for p in positions} == {(euros, "EUR"), (yen, "JPY")}


async def test_a_daemon_without_the_test_clock_has_none(start_daemon: StartDaemon) -> None:
    admin = await (await start_daemon(test_clock=False)).admin()
    assert (await admin.refused("POST", "/admin/billing/test-clock", {"now": "2031-01-01T00:00:00Z"})).status == 404


async def test_the_test_clock_never_goes_back(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    assert await admin.move_to("2024-01-10 00:00") == "2024-01-10T00:00:00.000Z"
    refused = await admin.refused("POST", "/admin/billing/test-clock", {"now": "2024-01-09T23:59:59.999Z"})
    assert refused.status == 400
    assert await admin.get("/admin/billing/test-clock") == {"now": "2024-01-10T00:00:00.000Z"}
