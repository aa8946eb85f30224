"""Stories of two sellers in one daemon, who never learn of one another."""

import asyncio

import pytest

from decabilld.store.pool import connect
from tests.harness.people import Admin, Person
from tests.stories.conftest import StartDaemon


@pytest.fixture
async def sellers(start_daemon: StartDaemon) -> tuple[Admin, Admin]:
    daemon = await start_daemon(tenants=("red", "blue"))
    return await daemon.admin("red"), await daemon.admin("blue")


async def test_the_same_address_is_two_people_in_two_tenants(sellers: tuple[Admin, Admin]) -> None:
    red, blue = sellers
    await red.move_to("2024-01-10 00:00")
    await blue.move_to("2024-03-20 00:00")
    anna, her_twin = await red.customer("anna"), await blue.customer("anna")
    assert anna.email == her_twin.email
    assert anna.id != her_twin.id
    bought = await anna.orders(await red.plan(price="10.00"))
    sold_there = await her_twin.orders(await blue.plan(price="20.00"))
    await asyncio.gather(red.move_to("2024-05-10 00:00"), blue.move_to("2024-05-21 00:00"))
    assert [one["invoiceNumber"] for one in await anna.invoices(bought)] == [f"INV-2024-0000{n}" for n in (1, 2, 3)]
    assert [one["invoiceNumber"] for one in await her_twin.invoices(sold_there)] == [
        "INV-2024-00001",
        "INV-2024-00002",
    ]
    assert (await anna.subscription(bought))["number"] == (await her_twin.subscription(sold_there))["number"]


async def test_what_is_anothers_is_not_found(sellers: tuple[Admin, Admin]) -> None:
    red, blue = sellers
    await red.move_to("2024-01-10 00:00")
    await blue.move_to("2024-01-10 00:00")
    anna, bert, carl = await red.customer("anna"), await red.customer("bert"), await blue.customer("carl")
    plan = await red.plan()
    subscription = await anna.orders(plan)
    await red.move_to("2024-02-11 00:00")
    (invoice,) = await anna.invoices(subscription)
    hers = f"/invoices/ref/{invoice['id']}"
    for stranger in (bert, carl):
        for method, path in (
            ("GET", f"/subscriptions/{subscription}"),
            ("GET", f"/subscriptions/{subscription}/items"),
            ("POST", f"/subscriptions/{subscription}/cancel"),
            ("POST", f"/subscriptions/{subscription}/resume"),
            ("GET", f"/invoices/{subscription}"),
            ("GET", hers),
            ("GET", f"{hers}/pdf"),
            ("POST", f"{hers}/pay"),
            ("GET", f"/usage/summary/{subscription}"),
        ):
            assert (await stranger.refused(method, path)).status == 404, path
        assert (await stranger.owes())["openOverdueCount"] == 0
    for path in (f"/admin/billing/invoices/{invoice['id']}", f"/service-plans/{plan}", f"/users/{anna.id}"):
        assert (await blue.refused("GET", path)).status == 404, path
    assert (await carl.refused("POST", "/subscriptions", {"planId": plan})).status == 404
    assert (await blue.refused("POST", f"/admin/billing/invoices/{invoice['id']}/void")).status == 404
    assert (await blue.refused("POST", "/admin/billing/bill-now", {"userId": anna.id})).status == 404
    assert (await blue.get("/admin/billing/invoices"))["total"] == 0
    usage = {"subscriptionId": subscription, "periodStart": "2024-01-01T00:00:00Z",
             "periodEnd": "2024-01-01T00:00:00Z", "usagePayload": {"totalCost": 1}}  # fmt: skip
    assert (await blue.refused("POST", "/usage/record", usage)).status == 404


async def test_a_token_opens_its_own_tenant_only(sellers: tuple[Admin, Admin]) -> None:
    red, blue = sellers
    stolen = Person(blue.http, blue.url, "blue", blue.zone, None)
    stolen.token = red.token
    assert (await stolen.refused("GET", "/subscriptions")).status == 401
    stolen.tenant = "green"
    assert (await stolen.refused("GET", "/subscriptions")).status == 400


async def test_nobody_waits_for_another_tenants_turn(sellers: tuple[Admin, Admin], database: str) -> None:
    """The database holds up a commit of red's; blue reads and writes on, and red's write is done once it may."""
    red, blue = sellers
    anna, carl = await red.customer("anna"), await blue.customer("carl")
    holder = await connect(database, statement_timeout_ms=10_000)
    try:
        await holder.execute("BEGIN; SELECT 1 FROM tenant_heads WHERE tenant_id = 'red' FOR UPDATE")
        held = asyncio.create_task(anna.fills_in_profile(city="Ulm"))
        async with asyncio.timeout(3):
            for city in ("Bonn", "Köln", "Trier"):
                await carl.fills_in_profile(city=city)
                assert (await carl.get("/customer-profile"))["city"] == city
            # Reads of red's own see what is durable, without waiting either.
            assert (await anna.get("/customer-profile"))["city"] != "Ulm"
        assert not held.done()
        await holder.execute("ROLLBACK")
        await held
    finally:
        await holder.close()
    assert (await anna.get("/customer-profile"))["city"] == "Ulm"
