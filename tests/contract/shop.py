"""A daemon as a process of its own, with something of everything in it, for tests that speak to it as strangers do."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from psycopg2.extensions import parse_dsn

from tests.harness.daemons import daemon_process
from tests.harness.people import Admin, Person

START_SECONDS = 90


class Shop(Struct):
    """Where the daemon is, its administrator's token, somebody whose sessions may end, and what there is, by the name
    that a path or a body gives it."""

    url: str
    token: str
    leaver: Person
    known: dict[str, list[str]]


@contextmanager
def open_shop(dsn: str, **environment: str) -> Iterator[Shop]:
    """A running shop over the database at `dsn`, for tests that don't speak asyncio."""
    server = parse_dsn(dsn)
    environment = {
        "LOG_LEVEL": "error",
        "DB_HOST": server["host"],
        "DB_PORT": server.get("port", "5432"),
        "DB_USERNAME": server["user"],
        "DB_PASSWORD": server.get("password", ""),
        "DB_DATABASE": server["dbname"],
        **environment,
    }
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opened = _opened(environment)
    try:
        yield asyncio.run_coroutine_threadsafe(opened.__aenter__(), loop).result(START_SECONDS)
    finally:
        asyncio.run_coroutine_threadsafe(opened.__aexit__(None, None, None), loop).result(START_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@asynccontextmanager
async def _opened(environment: dict[str, str]) -> Any:
    async with daemon_process(**environment) as daemon:
        admin = await daemon.admin()
        known = await _filled(admin)
        yield Shop(url=daemon.url, token=admin.token, leaver=await admin.customer("leaver"), known=known)


async def _filled(admin: Admin) -> dict[str, list[str]]:
    """Sells, bills, voids and drafts. The administrator is a customer, too: both sides of a thing can be tried."""
    await admin.fills_in_profile()
    types = [(await admin.post("/service-types", _type(number)))["id"] for number in range(4)]
    plans = [await admin.plan(f"M{number}", billingDayOfMonth=1, serviceTypeId=types[0]) for number in range(4)]
    subscriptions = [await admin.orders(plan) for plan in plans[:3]]
    customers = [await admin.customer(f"customer{number}") for number in range(4)]
    for customer in customers[:2]:
        await customer.orders(plans[0])
    await admin.move_to((datetime.now(UTC) + timedelta(70)).isoformat())
    drafts = [await admin.post("/admin/billing/invoices/manual", _manual(admin.id)) for _ in range(3)]
    invoices = [one["id"] for one in (await admin.get("/admin/billing/invoices?limit=100"))["items"]]
    own = [invoice["id"] for invoice in await admin.invoices(subscriptions[0])]
    await admin.voids(own[0])
    run = await admin.bills_now()
    profiles = (await admin.get("/admin/billing/customer-profiles"))["items"]
    return {
        "userId": [customer.id for customer in customers],
        "serviceTypeId": types,
        "planId": plans,
        "subscriptionId": subscriptions,
        "invoiceRefId": [*(draft["id"] for draft in drafts), *invoices],
        "ownInvoiceRefId": own,
        "requestId": [run["requestId"]],
        "profileId": [profile["id"] for profile in profiles],
    }


def _type(number: int) -> dict[str, Any]:
    return {"key": f"hosting-{number}", "name": "Hosting", "provider": "none"}


def _manual(user_id: str) -> dict[str, Any]:
    return {"userId": user_id, "lineItems": [{"description": "Help", "quantity": 1.5, "unitPriceNet": 80}]}
