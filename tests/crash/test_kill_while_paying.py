"""kill -9 while Stripe is at work: afterwards there is one customer, one checkout, and one payment."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.control.command import decabilld
from tests.harness.daemons import DaemonProcess, daemon_process
from tests.harness.people import Admin
from tests.stories.shop import paying_at
from tests.stripe.fake_stripe import FakeStripe, Fault

pytestmark = pytest.mark.heavy
LINES = {"lineItems": [{"description": "Work", "quantity": 1, "unitPriceNet": 10}]}


@asynccontextmanager
async def issued_invoice() -> AsyncIterator[tuple[FakeStripe, DaemonProcess, Admin, str]]:
    """A daemon that takes payments at the fake, its admin, and the id of an invoice that the admin owes."""
    async with (
        FakeStripe() as stripe,
        daemon_process(**{name.upper(): value for name, value in paying_at(stripe).items()}) as process,
    ):
        admin = await process.admin()
        await admin.fills_in_profile()
        draft = await admin.post("/admin/billing/invoices/manual", {"userId": admin.id, **LINES})
        await admin.post(f"/admin/billing/invoices/{draft['id']}/issue")
        yield stripe, process, admin, draft["id"]


@pytest.mark.parametrize("at_work_on", ["customer", "session"])
async def test_a_kill_while_a_checkout_is_opened_makes_no_twin(at_work_on: str) -> None:
    async with issued_invoice() as (stripe, process, admin, invoice_id):
        faults = stripe.customer_faults if at_work_on == "customer" else stripe.faults
        faults.append(Fault(delay_seconds=1))
        paying = asyncio.create_task(admin.pays(invoice_id))
        path = "/v1/customers" if at_work_on == "customer" else "/v1/checkout/sessions"
        await _until(lambda: any(request.path == path for request in stripe.requests))
        await process.kill()
        with pytest.raises((aiohttp.ClientError, OSError)):
            await paying
        await process.start()
        admin = await process.log_in("admin@default.example")
        url = await admin.pays(invoice_id)
        ((session_id, session),) = stripe.sessions.items()
        assert (session["url"], list(stripe.customers)) == (url, [session["customer"]])
        stripe.complete(session_id)
        done = await decabilld("reconcile-payments", "--older-than", "0", data_dir=process.data_dir)
        assert "1 booked" in done.out
        assert (await admin.invoice(invoice_id))["status"] == "paid"


@pytest.mark.parametrize("acted", [False, True])
async def test_a_kill_while_a_checkout_is_closed_leaves_none_to_pay(acted: bool) -> None:
    async with issued_invoice() as (stripe, process, admin, invoice_id):
        await admin.pays(invoice_id)
        killed = asyncio.Event()
        # Stripe is at work while the daemon dies; or it turned the daemon away, which died before asking again.
        stripe.expiry_faults.append(Fault(until=killed) if acted else Fault(status=429, retry_after_seconds=60))
        await admin.voids(invoice_id)
        await _until(lambda: any(request.path.endswith("/expire") for request in stripe.requests))
        await process.kill()
        killed.set()
        await process.start()
        await _until(lambda: [session["status"] for session in stripe.sessions.values()] == ["expired"])
        done = await decabilld("reconcile-payments", "--older-than", "0", data_dir=process.data_dir)
        assert " 0 booked" in done.out
        admin = await process.log_in("admin@default.example")
        path = f"/admin/billing/invoices/{invoice_id}/audit-logs?limit=100"
        async with asyncio.timeout(30):
            while True:
                kinds = [log["context"]["kind"] for log in (await admin.get(path))["items"]]
                if "payment.expired" in kinds:
                    break
                await asyncio.sleep(0.1)
        assert kinds.count("payment.expired") == 1
        assert "payment.overpayment" not in kinds


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - the fake has no event to wait for
            await asyncio.sleep(0.01)
