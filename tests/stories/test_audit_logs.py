"""Stories of what an invoice's log says: which processes it went through, and who had asked for them."""

from typing import Any

from tests.harness.people import Admin
from tests.stories.conftest import StartDaemon
from tests.stories.test_invoicing import run_of
from tests.stripe.fake_stripe import FakeStripe


async def logs_of(admin: Admin, invoice_id: str) -> list[Any]:
    """The oldest first."""
    answer = await admin.get(f"/admin/billing/invoices/{invoice_id}/audit-logs?limit=100")
    assert answer["total"] == len(answer["items"])
    return list(reversed(answer["items"]))


async def processes_of(admin: Admin, invoice_id: str) -> list[str]:
    return [log["process"] for log in await logs_of(admin, invoice_id)]


async def test_the_log_tells_how_each_invoice_came_to_be(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna, ben = await admin.customer("anna"), await admin.customer("ben")
    subscription, other = await anna.orders(await admin.plan("M", "31.00")), await ben.orders(await admin.plan())
    await admin.move_to("2024-01-20 00:00")
    on_demand = (await admin.post(f"/invoices/{subscription}", {"description": "she asked"}))["invoiceRefId"]
    await admin.move_to("2024-02-10 12:00")
    first, second = [await run_of(admin, await admin.bills_now(customer)) for customer in (anna, ben)]
    now_hers, now_his = (await anna.invoices(subscription))[1]["id"], (await ben.invoices(other))[0]["id"]
    await admin.move_to("2024-03-10 23:59")
    by_run = (await ben.invoices(other))[1]["id"]

    assert await processes_of(admin, on_demand) == ["invoice.create", "invoice.issue", "invoice.overdue"]
    assert (await logs_of(admin, on_demand))[0]["context"]["description"] == "she asked"
    for invoice_id, run in ((now_hers, first), (now_his, second)):
        asked, issued, overdue = await logs_of(admin, invoice_id)
        assert [log["process"] for log in (asked, issued, overdue)] == [
            "invoice.bill_now",
            "invoice.issue",
            "invoice.overdue",
        ]
        assert asked["context"]["who"] == f"user:{admin.id}"
        assert (issued["context"]["run_id"], issued["invoiceId"]) == (run["requestId"], invoice_id)
        assert (issued["context"]["kind"], issued["level"]) == ("invoice.issued", "info")
    assert await processes_of(admin, by_run) == ["invoice.billing_run", "invoice.issue"]
    page = await admin.get(f"/admin/billing/invoices/{by_run}/audit-logs?limit=1&offset=1")
    assert ([log["process"] for log in page["items"]], page["total"]) == (["invoice.billing_run"], 2)


async def test_the_log_tells_what_was_done_to_a_manual_invoice_and_by_whom(start_daemon: StartDaemon) -> None:
    async with FakeStripe() as stripe:
        daemon = await start_daemon(
            stripe_secret_key=stripe.secret_key,
            stripe_webhook_secret=stripe.webhook_secret,
            stripe_api_base=stripe.base_url,
        )
        admin = await daemon.admin()
        await admin.move_to("2024-01-10 00:00")
        anna = await admin.customer("anna")
        lines = {"lineItems": [{"description": "Work", "quantity": 1, "unitPriceNet": 10}]}
        draft = await admin.post("/admin/billing/invoices/manual", {"userId": anna.id, **lines})
        path = f"/admin/billing/invoices/{draft['id']}"
        await admin.post(path, lines)
        await admin.post(f"{path}/issue")
        await anna.pays(draft["id"])
        (session,) = stripe.sessions
        await stripe.deliver(f"{admin.url}/webhooks/payments/stripe", stripe.complete(session))
        await admin.marks_unpaid(draft["id"], "charged back")
        await admin.voids(draft["id"])
        logs = await logs_of(admin, draft["id"])
    told = [(log["process"], log["context"]["who"]) for log in logs]
    by_admin, by_anna = f"user:{admin.id}", f"user:{anna.id}"
    assert list(dict.fromkeys(told)) == [
        ("invoice.create", by_admin),
        ("invoice.update", by_admin),
        ("invoice.issue", by_admin),
        ("payment.init", by_anna),
        ("payment.init", "outbox"),
        ("payment.webhook", "stripe"),
        ("invoice.mark_unpaid", by_admin),
        ("invoice.void", by_admin),
    ]
    assert {log["invoiceId"] for log in logs} == {draft["id"]}
