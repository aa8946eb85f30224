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
from tests.providers.fake_hetzner import FakeHetzner
from tests.servers.shop import DEFAULTS, SCHEMA, until
from tests.stripe.fake_stripe import FakeStripe

START_SECONDS = 90


class Shop(Struct):
    """Where the daemon is, its administrator's token, somebody whose sessions may end; and by the name that a path or
    a body gives it what there is, and what may be deleted. Servers are deployed, and checkouts opened, at fakes on
    loopback."""

    url: str
    token: str
    leaver: Person
    known: dict[str, list[str]]
    spare: dict[str, list[str]]


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
    async with FakeHetzner() as hetzner, FakeStripe() as stripe:
        outsiders = {
            "HETZNER_API_TOKEN": hetzner.token,
            "HETZNER_API_BASE": hetzner.base,
            "MANAGER_IMAGE": "registry.example/manager:1",
            "STRIPE_SECRET_KEY": stripe.secret_key,
            "STRIPE_WEBHOOK_SECRET": stripe.webhook_secret,
            "STRIPE_API_BASE": stripe.base_url,
        }
        async with daemon_process(**outsiders, **environment) as daemon:
            admin = await daemon.admin()
            known = await _deployed(admin, hetzner)
            for name, more in (await _filled(admin)).items():
                known[name] = [*known.get(name, ()), *more]
            leaver = await admin.customer("leaver")
            yield Shop(url=daemon.url, token=admin.token, leaver=leaver, known=known, spare=await _spare(admin))


async def _filled(admin: Admin) -> dict[str, list[str]]:
    """Sells, bills, voids and drafts. The administrator is a customer, too: both sides of a thing can be tried."""
    types = [(await admin.post("/service-types", _type(number)))["id"] for number in range(2)]
    terms = {"billingDayOfMonth": 1, "serviceTypeId": types[0], "noticeDays": 30}
    plans = [await admin.plan(f"M{number}", **terms) for number in range(4)]
    subscriptions = [await admin.orders(plan) for plan in plans[:3]]
    customers = [await admin.customer(f"customer{number}", with_profile=number < 2) for number in range(4)]
    profiles = (await admin.get("/admin/billing/customer-profiles"))["items"]
    for customer in customers[:2]:
        await customer.orders(plans[0])
    await admin.move_to((datetime.now(UTC) + timedelta(70)).isoformat())
    drafts = [await admin.post("/admin/billing/invoices/manual", _manual(admin.id)) for _ in range(3)]
    invoices = [one["id"] for one in (await admin.get("/admin/billing/invoices?limit=100"))["items"]]
    own = [invoice["id"] for invoice in await admin.invoices(subscriptions[0])]
    others = [one for one in invoices if one not in own and one not in [draft["id"] for draft in drafts]]
    for invoice in (own[0], others[0]):
        await admin.voids(invoice)
    run = await admin.bills_now()
    now = await admin.move_to((datetime.now(UTC) + timedelta(85)).isoformat())
    return {
        "userId": [customer.id for customer in customers],
        "serviceTypeId": types,
        "provider": ["none", "hetzner"],
        "planId": plans,
        "subscriptionId": subscriptions,
        "invoiceRefId": [*(draft["id"] for draft in drafts), *(one for one in invoices if one not in own[1:])],
        "ownInvoiceRefId": own,
        "requestId": [run["requestId"]],
        # The administrator's stays complete, so that things can be ordered.
        "profileId": [profile["id"] for profile in profiles if profile["userId"] != admin.id],
        "periodStart": [(datetime.fromisoformat(now) - timedelta(1)).isoformat()],
        "periodEnd": [now],
        "at": [(datetime.fromisoformat(now) + timedelta(40)).isoformat()],
    }


async def _deployed(admin: Admin, hetzner: FakeHetzner) -> dict[str, list[str]]:
    """Sells a server, and more where there is no room for them."""
    await admin.fills_in_profile()
    hetzner.sold_out.add(("cx23", "nbg1"))
    sold = {"key": "server", "name": "Server", "provider": "hetzner", "configSchema": SCHEMA}
    kind = (await admin.post("/service-types", sold))["id"]
    anywhere = {"providerConfigDefaults": DEFAULTS, "allowCustomerLocationSelection": True}
    plan = await admin.plan("Server", serviceTypeId=kind, **anywhere)
    running = await admin.orders(plan)

    async def item() -> Any:
        (item,) = await admin.get(f"/subscriptions/{running}/items")
        return item

    deployed = await until(item, lambda item: item["provisioningStatus"] == "active", START_SECONDS)
    waiting = {"planId": plan, "requestedConfig": {"location": "nbg1"}, "autoBackorder": True}
    for _ in range(3):
        await admin.post("/subscriptions", waiting)
    return {
        "serviceTypeId": [kind],
        "planId": [plan],
        "serverSubscriptionId": [running],
        "itemId": [deployed["id"]],
        "backorderId": [one["id"] for one in await admin.get("/backorders")],
        "providerId": ["hetzner"],
        "serverType": ["cx23", "cx33"],
        "region": ["fsn1", "nbg1", "hel1"],
    }


async def _spare(admin: Admin) -> dict[str, list[str]]:
    """Two of each that nothing hangs on."""
    users = [await admin.customer(f"spare{number}") for number in range(4)]
    profiles = (await admin.get("/admin/billing/customer-profiles?limit=2"))["items"]
    drafts = [await admin.post("/admin/billing/invoices/manual", _manual(admin.id)) for _ in range(2)]
    return {
        "userId": [user.id for user in users[:2]],
        "serviceTypeId": [(await admin.post("/service-types", _type(number)))["id"] for number in (8, 9)],
        "planId": [await admin.plan("Spare") for _ in range(2)],
        "profileId": [profile["id"] for profile in profiles],
        "invoiceRefId": [draft["id"] for draft in drafts],
    }


def _type(number: int) -> dict[str, Any]:
    return {"key": f"hosting-{number}", "name": "Hosting", "provider": "none"}


def _manual(user_id: str) -> dict[str, Any]:
    return {"userId": user_id, "lineItems": [{"description": "Help", "quantity": 1.5, "unitPriceNet": 80}]}
