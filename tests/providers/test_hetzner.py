"""Hetzner Cloud over its wire: what is ordered, what a failure is called, what is tried again, what never is."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from decabilld.actors.provider import CapacityGone, OverBudget, Power, ProviderAway, ProviderRefused, ServerOrder
from decabilld.gateways.budget import RequestBudget
from decabilld.gateways.hetzner import hetzner as factory
from decabilld.gateways.hetzner.client import HetznerCloud
from tests.providers.fake_api import Fault
from tests.providers.fake_hetzner import FakeHetzner, coded

ITEM = "0190c6a4-7f3e-7cc3-98c8-b1f0a6f3c111"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGEsXcXjMpQ0wXwYgkQ0N8V6L8l8Z0o3VZC9i8dN0f4k"
LABELS = {"decabilld-item": ITEM}


@pytest.fixture
async def fake() -> AsyncIterator[FakeHetzner]:
    async with FakeHetzner() as fake:
        yield fake


@pytest.fixture
async def cloud(fake: FakeHetzner) -> AsyncIterator[HetznerCloud]:
    """Impatient: pauses of milliseconds, five seconds in all."""
    cloud = HetznerCloud(fake.token, fake.base, call_seconds=5.0, first_pause_seconds=0.01)
    yield cloud
    await cloud.close()


def order(**changes: str) -> ServerOrder:
    wanted = {
        "item_id": ITEM,
        "name": "brave-otter-k2m4p",
        "server_type": "cx23",
        "region": "fsn1",
        "image": "ubuntu-24.04",
        "user_data": "#cloud-config\n",
        "ssh_public_key": KEY,
    }
    return ServerOrder(**{**wanted, **changes})


async def test_a_server_from_order_to_end(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    fake.address_seconds = fake.boot_seconds = 0.05
    made = await cloud.create_server(order())
    assert (made.item_id, made.status, made.public_ip) == (ITEM, "starting", None)
    [there] = fake.of_item(ITEM)
    assert (there["name"], there["kind"], there["place"]) == ("brave-otter-k2m4p", "cx23", "fsn1")
    assert there["user_data"] == "#cloud-config\n"
    assert there["key_ids"] == list(fake.ssh_keys)

    await asyncio.sleep(0.06)
    [seen] = await cloud.servers_of(ITEM)
    assert (seen.id, seen.status, seen.public_ip, seen.region) == (made.id, "running", there["ip"], "fsn1")
    assert seen.metadata["serverType"] == "cx23"
    assert await cloud.servers() == [seen]
    powers: list[tuple[Power, str]] = [("stop", "off"), ("stop", "off"), ("start", "running"), ("start", "running")]
    for power, status in [*powers, ("restart", "running")]:
        await cloud.switch(made.id, power)
        assert there["status"] == status
    assert fake.count(f"POST /servers/{made.id}/actions/poweroff") == 0

    await cloud.delete_server(made.id)
    await cloud.delete_ssh_key(ITEM)
    assert (fake.servers, fake.ssh_keys) == ({}, {})
    await cloud.delete_server(made.id)
    await cloud.delete_ssh_key(ITEM)
    with pytest.raises(ProviderRefused, match="not_found"):
        await cloud.switch(made.id, "start")


async def test_restarting_a_stopped_server_starts_it(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    server = fake.add_server("one", LABELS)
    server["status"] = "off"
    await cloud.switch(str(server["id"]), "restart")
    assert server["status"] == "running"


async def test_a_hundred_and_twenty_servers_on_three_pages(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    for number in range(120):
        fake.add_server(f"server-{number}", {"decabilld-item": f"item-{number}"})
    fake.add_server("somebody-elses")
    assert {server.item_id for server in await cloud.servers()} == {f"item-{number}" for number in range(120)}
    assert fake.count("GET /servers") == 3


async def test_a_list_that_changes_while_it_is_read_is_read_again(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    for number in range(60):
        fake.add_server(f"server-{number}", {"decabilld-item": f"item-{number}"})
    fake.faults = [Fault("GET /servers"), Fault("GET /servers", delay_seconds=0.2)]
    listing = asyncio.create_task(cloud.servers())
    await asyncio.sleep(0.1)
    del fake.servers[min(fake.servers)]  # the first of page 1 goes: what began page 2 is on page 1 now
    assert {server.item_id for server in await listing} == {f"item-{number}" for number in range(1, 60)}


async def test_what_can_be_ordered(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    fake.server_types["cx33"]["locations"][0]["available"] = False
    fake.server_types["cpx22"]["locations"][-1]["deprecation"] = {"announced": "2026-01-01"}
    types = {kind.id: kind for kind in await cloud.server_types()}
    small = types["cx23"]
    assert (small.cores, small.memory, small.disk, small.deprecated) == (2, 4, 40, False)
    assert (small.price_monthly, small.price_hourly) == (Decimal("2.99"), Decimal("0.0041527778"))
    assert small.regions == ("fsn1", "nbg1", "hel1")
    assert types["cx33"].regions == ("nbg1", "hel1")
    assert (types["cx11"].deprecated, types["cx11"].regions) == (True, ())
    assert (types["cpx22"].deprecated, "sin" in types["cpx22"].regions) == (False, False)
    assert types["ccx13"].price_monthly == Decimal("21.49"), "the dearest place where it may be ordered"
    assert types["cpx22"].price_monthly == Decimal("5.99"), "not where it can't"


async def test_types_as_hetzner_told_them_before_locations(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    for kind in fake.server_types.values():
        del kind["locations"]
    types = {kind.id: kind for kind in await cloud.server_types()}
    assert types["cx23"].regions == ("fsn1", "nbg1", "hel1")
    assert types["cx11"].deprecated


# No room


@pytest.mark.parametrize("code", ["resource_unavailable", "placement_error", "resource_limit_exceeded"])
async def test_capacity_that_is_gone_is_called_so(fake: FakeHetzner, cloud: HetznerCloud, code: str) -> None:
    fake.faults.append(coded("POST /servers", code))
    with pytest.raises(CapacityGone, match=code):
        await cloud.create_server(order())
    assert fake.count("POST /servers") == 1


async def test_sold_out_elsewhere_or_at_the_projects_limit(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    fake.sold_out.add(("cx23", "fsn1"))
    with pytest.raises(CapacityGone):
        await cloud.create_server(order())
    with pytest.raises(CapacityGone, match="unsupported location"):
        await cloud.create_server(order(region="ash"))
    assert (await cloud.create_server(order(region="nbg1"))).region == "nbg1"
    fake.server_limit = 1
    assert await cloud.limit_reached() is None
    with pytest.raises(CapacityGone, match="limit"):
        await cloud.create_server(
            order(item_id="another", name="b", region="nbg1", ssh_public_key=KEY.replace("4k", "5k"))
        )
    assert "limit" in (await cloud.limit_reached() or "")
    await cloud.delete_server(str(fake.of_item(ITEM)[0]["id"]))
    assert await cloud.limit_reached() is None


@pytest.mark.parametrize(
    "change", [{"server_type": "cx99"}, {"server_type": "cx11"}, {"image": "windows"}, {"name": "-"}]
)
async def test_what_is_refused_for_good(fake: FakeHetzner, cloud: HetznerCloud, change: dict[str, str]) -> None:
    with pytest.raises(ProviderRefused):
        await cloud.create_server(order(**change))
    assert fake.count("POST /servers") == 1


# Trying again


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "server_error", "bad_gateway", "unavailable", "conflict"])
async def test_questions_are_asked_again(fake: FakeHetzner, cloud: HetznerCloud, code: str) -> None:
    fake.add_server("one", LABELS)
    fake.faults = [coded("GET /servers", code)] * 3
    assert len(await cloud.servers_of(ITEM)) == 1
    assert fake.count("GET /servers") == 4


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_broken_connection_is_tried_again(fake: FakeHetzner, cloud: HetznerCloud, lost: Any) -> None:
    server = fake.add_server("one", LABELS)
    fake.faults = [Fault("DELETE /servers", lost=lost), Fault("GET /servers", lost=lost)]
    await cloud.delete_server(str(server["id"]))
    assert await cloud.servers() == []


async def test_four_tries_then_away(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    fake.faults = [coded("GET /servers", "server_error")] * 9
    with pytest.raises(ProviderAway, match="server_error"):
        await cloud.servers_of(ITEM)
    assert fake.count("GET /servers") == 4


async def test_a_locked_server_is_asked_again_until_it_is_free(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    fake.faults = [coded("DELETE /servers", "locked")] * 2
    server = fake.add_server("one", LABELS)
    await cloud.delete_server(str(server["id"]))
    assert (fake.servers, fake.count("DELETE /servers")) == ({}, 3)


async def test_told_to_wait_it_waits(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    fake.faults = [coded("GET /server_types", "rate_limit_exceeded", {"Retry-After": "1"})]
    began = time.monotonic()
    assert await cloud.server_types()
    assert time.monotonic() - began >= 1.0


async def test_a_second_reboot_is_not_asked_for_in_doubt(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    server = fake.add_server("one", LABELS)
    fake.faults = [Fault(f"POST /servers/{server['id']}/actions", lost="after")]
    with pytest.raises(ProviderAway):
        await cloud.switch(str(server["id"]), "restart")
    assert fake.count("POST /servers") == 1
    await cloud.switch(str(server["id"]), "start")


async def test_a_provider_too_slow_is_away_within_the_deadline(fake: FakeHetzner) -> None:
    cloud = HetznerCloud(fake.token, fake.base, call_seconds=0.3, first_pause_seconds=0.01)
    fake.faults = [Fault(delay_seconds=600)] * 9
    calls: list[Callable[[], Awaitable[Any]]] = [
        cloud.servers,
        cloud.server_types,
        lambda: cloud.create_server(order()),
        lambda: cloud.delete_server("1"),
        lambda: cloud.switch("1", "stop"),
    ]
    async with asyncio.timeout(60):
        for call in calls:
            with pytest.raises(ProviderAway, match="in time"):
                await call()
    await cloud.close()


async def test_nobody_there(fake: FakeHetzner) -> None:
    cloud = HetznerCloud("t", "http://127.0.0.1:1/v1", call_seconds=2.0, first_pause_seconds=0.01)
    with pytest.raises(ProviderAway, match="can't be reached"):
        await cloud.create_server(order())
    await cloud.close()


@pytest.mark.parametrize(
    "fault",
    [Fault("GET /servers", page="<html>Bad"), Fault("GET /servers", status=200, body={"servers": [{"id": "x"}]})],
)
async def test_an_answer_that_is_not_hetzners(fake: FakeHetzner, cloud: HetznerCloud, fault: Fault) -> None:
    fake.faults = [fault] * 4
    with pytest.raises(ProviderAway):
        await cloud.servers()


# Never two


@pytest.mark.parametrize("fault", [Fault("POST /servers", lost="after"), Fault("POST /servers", lost="before")])
async def test_a_lost_answer_is_no_second_server(fake: FakeHetzner, cloud: HetznerCloud, fault: Fault) -> None:
    fake.faults.append(fault)
    with pytest.raises(ProviderAway):
        await cloud.create_server(order())
    assert fake.count("POST /servers") == 1
    made = fault.lost == "after"
    assert len(await cloud.servers_of(ITEM)) == made
    again = await cloud.create_server(order())  # even by one who doesn't look first
    assert [str(server["id"]) for server in fake.of_item(ITEM)] == [again.id]
    assert len(fake.ssh_keys) == 1


async def test_a_5xx_in_creating_is_not_tried_again(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    fake.faults.append(coded("POST /servers", "timeout"))
    with pytest.raises(ProviderAway):
        await cloud.create_server(order())
    assert fake.count("POST /servers") == 1


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "locked", "conflict"])
async def test_creating_is_tried_again_where_it_surely_was_not_taken(
    fake: FakeHetzner, cloud: HetznerCloud, code: str
) -> None:
    fake.faults.append(coded("POST /servers", code))
    await cloud.create_server(order())
    assert (fake.count("POST /servers"), len(fake.servers)) == (2, 1)


async def test_anothers_name_is_not_taken_over(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    fake.add_server("brave-otter-k2m4p", {"decabilld-item": "another"})
    with pytest.raises(ProviderRefused, match="uniqueness_error"):
        await cloud.create_server(order())


async def test_a_lost_answer_about_a_key_makes_no_second_one(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    fake.faults.append(Fault("POST /ssh_keys", lost="after"))
    await cloud.create_server(order())
    assert (len(fake.ssh_keys), len(fake.servers)) == (1, 1)


async def test_the_key_of_another_item_is_refused(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    await cloud.create_server(order())
    with pytest.raises(ProviderRefused, match="registered otherwise"):
        await cloud.create_server(order(item_id="another", name="other"))


async def test_another_key_of_the_items_name_is_not_put_on_its_server(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    await cloud.create_server(order())
    with pytest.raises(ProviderRefused, match="registered otherwise"):
        await cloud.create_server(order(name="other", ssh_public_key=KEY.replace("4k", "5k")))
    assert len(fake.servers) == 1


async def test_twins_made_by_whomever_are_both_seen_the_oldest_first(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    older, newer = fake.add_server("b", LABELS), fake.add_server("a", LABELS)
    older["created"], newer["created"] = "2026-11-01T00:00:00+00:00", "2026-11-02T00:00:00+00:00"
    assert [server.id for server in await cloud.servers_of(ITEM)] == [str(older["id"]), str(newer["id"])]


# Secrets, settings, budget


async def test_the_token_is_in_no_error_and_no_log(fake: FakeHetzner, caplog: pytest.LogCaptureFixture) -> None:
    cloud = HetznerCloud("s3cret-token", fake.base, call_seconds=1.0, first_pause_seconds=0.01)
    fake.faults = [Fault("GET /servers", lost="before")] * 2
    with caplog.at_level(logging.DEBUG), capture_logs() as logs:
        with pytest.raises(ProviderAway, match="unauthorized") as away:
            await cloud.servers()
        with pytest.raises(ProviderRefused) as refused:
            await cloud.create_server(order())
    assert "s3cret" not in repr((away.value, refused.value, logs, caplog.text))
    assert [line["event"] for line in logs] == ["call_failed"] * len(logs) != []
    await cloud.close()


def test_variables() -> None:
    assert not factory({}).configured
    assert not factory({"HETZNER_API_TOKEN": " "}).configured
    assert factory({"HETZNER_API_TOKEN": "abc"}).configured
    for bad in ({"HETZNER_API_TOKEN": "two words"}, {"HETZNER_API_BASE": "api.hetzner.cloud"}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            factory(bad)


async def test_listings_yield_first(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    """Somebody else has used up nearly all of the project's requests: orders still go through."""
    fake.remaining = 150
    await cloud.create_server(order())
    with pytest.raises(OverBudget):
        await cloud.servers()
    assert fake.count("GET /servers") == 0
    (server,) = await cloud.servers_of(ITEM)
    with pytest.raises(OverBudget):
        cloud.make_way()
    await cloud.switch(server.id, "stop")
    fake.remaining = 90
    for _ in range(2):
        await cloud.servers_of(ITEM)
    with pytest.raises(OverBudget):
        await cloud.switch(server.id, "start")
    await cloud.delete_server(server.id)


async def test_with_nothing_left_requests_take_turns(fake: FakeHetzner) -> None:
    budget = RequestBudget(burst=3, per_hour=36_000, kept_for_orders=0)
    cloud = HetznerCloud(fake.token, fake.base, budget)
    began = time.monotonic()
    await asyncio.gather(*(cloud.servers_of(str(number)) for number in range(8)))
    assert time.monotonic() - began > 0.4, "five of them waited, a tenth of a second each"
    await cloud.close()


async def test_used_up_by_others_it_waits_or_says_so_and_asks_nothing(fake: FakeHetzner, cloud: HetznerCloud) -> None:
    fake.remaining = 1
    assert await cloud.servers_of(ITEM) == []
    assert fake.remaining < 1
    await cloud.servers_of(ITEM)
    assert fake.count("GET /servers") == 2, "the second one came when there was one again"
