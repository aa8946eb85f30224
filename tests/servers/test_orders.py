"""From the order of a server to the server, and from the end to nothing left; what it costs, and from when."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from tests.harness.people import cents
from tests.providers.fake_api import Fault, Request
from tests.providers.fake_cloudflare import FakeCloudflare
from tests.providers.fake_hetzner import FakeHetzner
from tests.servers.conftest import StartDaemon
from tests.servers.shop import DEFAULTS, ServerShop, deploying_at, opened_shop, until


async def test_an_order_makes_a_server_appear_and_its_end_takes_it_away(shop: ServerShop) -> None:
    await shop.admin.move_to("2024-01-10 12:00")
    anna = await shop.customer("anna")
    subscription = await shop.order(anna)
    assert (await anna.subscription(subscription))["status"] == "active"
    item = await shop.until_item(anna, subscription, "active")
    (server,) = shop.hetzner.servers.values()
    assert server["name"] == item["hostname"]
    assert server["labels"] == {"decabilld-item": item["id"]}
    (record,) = shop.cloudflare.records.values()
    assert (record["name"], record["content"]) == (f"{item['hostname']}.{shop.cloudflare.domain}", server["ip"])
    info = await anna.get(f"/subscriptions/{subscription}/items/{item['id']}/server-info")
    assert (info["publicIp"], info["status"], info["hostnameFqdn"]) == (server["ip"], "running", record["name"])

    await shop.admin.move_to("2024-01-25 12:00")
    await anna.cancels(subscription)
    await shop.until_nothing_left()
    assert await anna.charges(subscription) == [("2024-01-10 12:00", "2024-01-25 12:00", "4.84")]
    await until(lambda: anna.get(f"/subscriptions/{subscription}/items"), lambda items: len(items) == 1, 5)
    refused = await anna.refused("GET", f"/subscriptions/{subscription}/items/{item['id']}/server-info")
    assert refused.status == 400


async def test_a_dns_that_is_away_keeps_no_server_running(shop: ServerShop) -> None:
    anna = await shop.customer("anna")
    subscription = await shop.order(anna)
    await shop.until_item(anna, subscription, "active")
    shop.cloudflare.faults += [Fault("GET /zones", status=403) for _ in range(50)]
    await anna.cancels(subscription)
    await until(lambda: _servers(shop), lambda count: count == 0, 10)
    assert len(shop.cloudflare.records) == 1
    shop.cloudflare.faults.clear()
    await shop.until_nothing_left()


@pytest.mark.heavy
async def test_a_dns_that_is_away_keeps_no_server_running_that_was_not_ready_yet(shop: ServerShop) -> None:
    anna = await shop.customer("anna")
    shop.cloudflare.faults += [Fault("GET /zones", status=503) for _ in range(500)]
    subscription = await shop.order(anna)
    await until(lambda: _names_asked(shop), bool, 10)
    await anna.cancels(subscription)
    await until(lambda: _servers(shop), lambda count: count == 0, 30)
    shop.cloudflare.faults.clear()
    assert shop.cloudflare.records == {}
    assert shop.cloudflare.count("POST /zones") == 0


async def test_nothing_is_charged_before_the_server_is_there_and_everything_since_the_order_then(
    shop: ServerShop,
) -> None:
    await shop.admin.move_to("2024-01-31 10:00")
    anna = await shop.customer("anna")
    shop.hetzner.address_seconds = 3_600.0
    hourly = await shop.admin.plan(
        "Hourly", "0.10", "hour", serviceTypeId=shop.service_type, providerConfigDefaults=DEFAULTS
    )
    subscription = await shop.order(anna, hourly)
    await until(lambda: _servers(shop), lambda count: count == 1, 10)
    await shop.admin.move_to("2024-01-31 13:30")
    assert await anna.charges(subscription) == []
    shop.hetzner.address_seconds = 0.0
    await shop.until_item(anna, subscription, "active", 30)
    assert [net for *_, net in await anna.charges(subscription)] == ["0.10"] * 3


async def test_switching(shop: ServerShop) -> None:
    anna = await shop.customer("anna")
    subscription = await shop.order(anna)
    item = await shop.item(anna, subscription)
    path = f"/subscriptions/{subscription}/items/{item['id']}"
    await shop.until_item(anna, subscription, "active")
    (server,) = shop.hetzner.servers.values()
    assert await anna.post(f"{path}/actions/stop") == {"success": True}
    assert server["status"] == "off"
    assert (await anna.get(f"{path}/server-info"))["status"] == "stopped"
    assert await anna.post(f"{path}/actions/start") == {"success": True}
    assert server["status"] == "running"
    ben = await shop.customer("ben")
    assert (await ben.refused("POST", f"{path}/actions/stop")).status == 404
    shop.hetzner.faults += [Fault("POST /servers", status=403)]
    refused = await anna.refused("POST", f"{path}/actions/restart")
    assert (refused.status, refused.answer["code"]) == (502, "SERVER_PROVIDER_FAILED")


async def test_a_server_is_switched_once_at_a_time(shop: ServerShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever presses a hundred times takes no place from others' orders; an end waits for the switch."""
    anna = await shop.customer("anna")
    subscription = await shop.order(anna)
    item = await shop.until_item(anna, subscription, "active")
    asked, go_on, answer = asyncio.Event(), asyncio.Event(), shop.hetzner._answer

    async def held(request: web.Request, question: Request, *more: Any) -> web.Response:
        if question.line.startswith("GET /servers/"):
            asked.set()
            await go_on.wait()
        return await answer(request, question, *more)

    monkeypatch.setattr(shop.hetzner, "_answer", held)
    path = f"/subscriptions/{subscription}/items/{item['id']}/actions"
    first = asyncio.create_task(anna.post(f"{path}/restart"))
    await asked.wait()
    for power in ("restart", "stop"):
        assert (await anna.refused("POST", f"{path}/{power}")).status == 409
    await anna.cancels(subscription)
    assert await _servers(shop) == 1
    go_on.set()
    assert await first == {"success": True}
    await shop.until_nothing_left()


async def test_capacity_that_is_gone_when_the_server_is_made_ends_the_order_unbilled(shop: ServerShop) -> None:
    anna = await shop.customer("anna")
    await shop.admin.get("/service-types/providers/hetzner/server-types")  # what is sold is known now
    shop.hetzner.sold_out.add(("cx23", "fsn1"))
    subscription = await shop.order(anna)
    await until(lambda: anna.subscription(subscription), lambda one: one["status"] == "canceled", 10)
    await shop.until_nothing_left()
    assert await anna.positions(subscription) == []


async def test_no_capacity_is_refused_or_waits_and_is_fulfilled_by_itself(shop: ServerShop) -> None:
    await shop.admin.move_to("2024-02-01 12:00")
    anna = await shop.customer("anna")
    shop.hetzner.sold_out.add(("cx23", "fsn1"))
    order = {"planId": shop.plan}
    refused = await anna.refused("POST", "/subscriptions", order)
    assert (refused.status, refused.answer["code"]) == (400, "NO_CAPACITY")
    assert await anna.get("/subscriptions") == []

    subscription = await shop.order(anna, autoBackorder=True)
    assert (await anna.subscription(subscription))["status"] == "pending_backorder"
    (backorder,) = await anna.get("/backorders")
    assert (backorder["status"], backorder["planId"]) == ("pending", shop.plan)
    await shop.admin.move_to("2024-02-01 12:02")
    tried = await until(lambda: anna.get("/backorders"), lambda found: found[0]["status"] == "pending", 10)
    assert tried[0]["retryAfter"] > backorder["retryAfter"]

    shop.hetzner.sold_out.clear()
    await shop.admin.move_to("2024-02-03 08:00")
    await until(lambda: anna.get("/backorders"), lambda found: found[0]["status"] == "fulfilled", 10)
    begun = await anna.subscription(subscription)
    assert (begun["status"], begun["currentPeriodStart"][:16]) == ("active", "2024-02-03T08:00")
    await shop.admin.move_to("2024-03-03 08:00")
    assert [cents(p.net_minor) for p in await anna.positions(subscription)] == ["10.00"]


async def test_a_backorder_is_fulfilled_by_itself_in_real_time(
    start_daemon: StartDaemon, hetzner: FakeHetzner, cloudflare: FakeCloudflare
) -> None:
    daemon = await start_daemon(
        test_clock=False, backorder_retry_interval_ms=1_000, **deploying_at(hetzner, cloudflare)
    )
    shop = await opened_shop(daemon, hetzner, cloudflare)
    anna = await shop.customer("anna")
    hetzner.sold_out.add(("cx23", "fsn1"))
    subscription = await shop.order(anna, autoBackorder=True)
    hetzner.sold_out.clear()
    await shop.until_item(anna, subscription, "active")
    assert (await anna.subscription(subscription))["status"] == "active"


async def test_a_backorder_is_retried_with_other_wishes_or_cancelled(shop: ServerShop) -> None:
    anna = await shop.customer("anna")
    shop.hetzner.sold_out.add(("cx23", "fsn1"))
    anywhere = await shop.admin.plan(
        "Anywhere", serviceTypeId=shop.service_type, providerConfigDefaults=DEFAULTS,
        allowCustomerLocationSelection=True,
    )  # fmt: skip
    wishes = {"requestedConfig": {"location": "fsn1", "staticApiKey": "hush"}, "autoBackorder": True}
    first, second = [await shop.order(anna, anywhere, **wishes) for _ in range(2)]
    newer, older = await anna.get("/backorders")
    assert older["requestedConfigSnapshot"] == {"location": "fsn1", "staticApiKey": "***"}
    assert (await anna.refused("POST", f"/backorders/{older['id']}/retry", {"overrideConfig": {"location": "mars"}})
            ).status == 400  # fmt: skip
    await anna.post(f"/backorders/{older['id']}/retry", {"overrideConfig": {"region": "nbg1"}})
    await shop.until_item(anna, first, "active")
    (server,) = shop.hetzner.servers.values()
    assert server["place"] == "nbg1"
    assert "hush" in server["user_data"]
    cancelled = await anna.post(f"/backorders/{newer['id']}/cancel", {"reason": "no"})
    assert cancelled["status"] == "cancelled"
    assert (await anna.subscription(second))["status"] == "canceled"
    assert (await anna.refused("POST", f"/backorders/{newer['id']}/cancel")).status == 400
    ben = await shop.customer("ben")
    assert (await ben.refused("POST", f"/backorders/{older['id']}/retry")).status == 404


async def test_backorders_that_are_tried_keep_no_order_waiting(
    shop: ServerShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await shop.customer("anna")
    await shop.admin.move_to("2024-02-01 12:00")
    shop.hetzner.sold_out.add(("cx23", "fsn1"))
    for _ in range(20):
        await shop.order(anna, autoBackorder=True)
    tried, go_on, answer = asyncio.Event(), asyncio.Event(), shop.hetzner._answer

    async def held(request: web.Request, question: Request, *more: Any) -> web.Response:
        if question.line == "POST /servers" and question.body["server_type"] == "cx23":
            tried.set()
            await go_on.wait()
        return await answer(request, question, *more)

    monkeypatch.setattr(shop.hetzner, "_answer", held)
    await shop.admin.move_to("2024-02-01 12:10")
    await tried.wait()
    larger = {**DEFAULTS, "serverType": "cx33"}
    plan = await shop.admin.plan("Manager L", serviceTypeId=shop.service_type, providerConfigDefaults=larger)
    await shop.until_item(anna, await shop.order(anna, plan), "active")
    go_on.set()
    await until(lambda: anna.get("/backorders?limit=50"), lambda all: {one["status"] for one in all} == {"pending"}, 20)


async def _names_asked(shop: ServerShop) -> int:
    return shop.cloudflare.count("GET /zones")


async def _servers(shop: ServerShop) -> int:
    return len(shop.hetzner.servers)
