"""Which providers there are, what a broken one stops (nothing), and how often one is asked however many ask us."""

import asyncio
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from structlog.testing import capture_logs

from decabilld.actors.provider import ENTRY_POINTS, OverBudget, Provider, ProviderAway, ProviderRefused, Server
from decabilld.domain.provisioning.config import location_selectable
from decabilld.domain.provisioning.schema import check_schema
from decabilld.gateways.digitalocean import client as digitalocean_client
from decabilld.gateways.hetzner import client as hetzner_client
from decabilld.gateways.kept import Kept
from decabilld.gateways.providers import NoSuchProvider, Providers
from decabilld.settings import load
from tests.providers.acme import Acme
from tests.providers.fake_hetzner import FakeHetzner

VARIABLES = {"ACME_REGION": "north"}


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, ENTRY_POINTS)


def acme_alone() -> tuple[Providers, Acme]:
    providers = Providers(VARIABLES, [point("acme", "tests.providers.acme:Acme")])
    acme: Any = providers.get("acme")
    assert isinstance(acme, Acme)
    return providers, acme


def test_an_installed_one_is_found_beside_the_built_in_ones() -> None:
    built_in = Providers({})
    assert (built_in.ids, built_in.broken) == (("digital-ocean", "hetzner"), {})
    assert [provider.configured for provider in built_in.all()] == [False, False]
    for provider in built_in.all():
        schema = provider.config_schema
        assert schema["basePriceFromField"] == "serverType"
        assert set(schema["required"]) <= set(schema["properties"])
        check_schema(schema)
        assert location_selectable(schema)
        assert all(field["title"] and field["description"] for field in schema["properties"].values())
    configured = Providers({"HETZNER_API_TOKEN": "t"})
    assert configured.get("hetzner").configured
    assert not configured.get("digital-ocean").configured


async def test_a_broken_one_stops_nobody_else_and_says_why() -> None:
    with capture_logs() as logs:
        providers = Providers(
            VARIABLES,
            [
                point("lost", "no.such.module:provider"),
                point("particular", "tests.providers.acme:particular"),
                point("misnamed", "tests.providers.acme:misnamed"),
                point("acme", "tests.providers.acme:Acme"),
            ],
        )
    assert providers.ids == ("acme",)
    assert {line["provider"] for line in logs if line["event"] == "provider_broken"} == set(providers.broken)
    for broken, why in (
        ("lost", "No module named 'no'"),
        ("particular", "PARTICULAR_TOKEN must be set"),
        ("misnamed", "its id is acme"),
        ("nowhere", "no provider nowhere is installed"),
    ):
        with pytest.raises(NoSuchProvider, match=why) as refused:
            await providers.states(broken)
        assert broken in str(refused.value)
        assert isinstance(refused.value, KeyError)
    bad = Providers({"HETZNER_API_BASE": "nonsense"})
    assert bad.ids == ("digital-ocean",)
    with pytest.raises(KeyError, match="HETZNER_API_BASE must be"):
        bad.get("hetzner")


def test_a_package_cannot_take_the_place_of_a_built_in_one() -> None:
    providers = Providers(
        VARIABLES,
        [point("hetzner", "tests.providers.acme:Impostor"), point("hetzner", "decabilld.gateways.hetzner:hetzner")],
    )
    assert providers.get("hetzner").display_name == "Hetzner Cloud"


async def test_one_without_a_token_is_asked_nothing() -> None:
    async with FakeHetzner() as fake:
        providers = Providers({"HETZNER_API_BASE": fake.base})
        for asked in (providers.states, providers.server_types, providers.limit_reached):
            with pytest.raises(ProviderAway, match="hetzner has no token"):
                await asked("hetzner")
        with pytest.raises(ProviderAway, match="hetzner has no token"):
            await providers.switch("hetzner", "4711", "stop")
        assert fake.requests == []
        await providers.close()


async def test_closing_closes_all() -> None:
    providers, acme = acme_alone()
    await providers.close()
    assert acme.closed


async def test_however_many_ask_it_is_asked_once() -> None:
    providers, acme = acme_alone()
    acme.asks = asyncio.Event()
    asking = [asyncio.create_task(providers.states("acme")) for _ in range(500)]
    await asyncio.sleep(0.01)
    asking[0].cancel()  # who asked first is gone: the answer comes all the same
    await asyncio.sleep(0.01)
    acme.asks.set()
    answers = await asyncio.gather(*asking[1:])
    assert all(answer["a"].status == "running" for answer in answers)
    assert acme.listings == 1
    await providers.states("acme")
    assert acme.listings == 1


async def test_our_own_switch_makes_the_next_look_fresh() -> None:
    providers, acme = acme_alone()
    assert (await providers.states("acme"))["a"].status == "running"
    await providers.switch("acme", "1", "stop")
    assert (await providers.states("acme"))["a"].status == "stopped"
    acme.asks = asyncio.Event()
    providers.forget_states("acme")
    old = asyncio.create_task(providers.states("acme"))
    await asyncio.sleep(0.01)
    providers.forget_states("acme")  # while a listing is under way, which may be of before
    acme.asks.set()
    await old
    asked = acme.listings
    await providers.states("acme")
    assert acme.listings == asked + 1


async def test_a_switch_that_fails_makes_it_fresh_too() -> None:
    providers, acme = acme_alone()
    await providers.states("acme")
    acme.error = ProviderAway("slow")
    with pytest.raises(ProviderAway):
        await providers.switch("acme", "1", "stop")
    acme.error = None
    await providers.states("acme")
    assert acme.listings == 2


async def test_all_of_ours_are_known_of_twins_the_older_by_its_item_and_strangers_are_left_out() -> None:
    providers, acme = acme_alone()
    acme.there = [
        Server(id="2", item_id="a", name="a", status="running", created_at="2026-01-02"),
        Server(id="9", item_id="a", name="a", status="running", created_at="2026-01-01"),
        Server(id="3", item_id=None, name="x", status="running"),
    ]
    states = await providers.states("acme")
    assert {item: server.id for item, server in states.items()} == {"a": "9", "2": "2", "9": "9"}


@pytest.mark.parametrize("error", [ProviderAway("gone"), ProviderRefused("no rights"), RuntimeError("a bug of theirs")])
async def test_a_failure_is_remembered(error: Exception) -> None:
    providers, acme = acme_alone()
    acme.error = error
    for _ in range(3):
        with pytest.raises(ProviderAway, match=str(error)):
            await providers.states("acme")
    assert acme.listings == 1


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Source:
    def __init__(self) -> None:
        self.asked, self.error = 0, None

    error: Exception | None

    async def __call__(self) -> int:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.asked


async def test_fresh_then_stale_then_away() -> None:
    clock, source = Clock(), Source()
    kept = Kept("types", source, fresh_seconds=600, stale_seconds=3_600, now=clock)
    assert await kept.get() == 1
    clock.seconds += 599
    assert await kept.get() == 1
    clock.seconds += 2
    assert await kept.get() == 2
    source.error = ProviderAway("gone")
    clock.seconds += 3_599
    assert await kept.get() == 2
    clock.seconds += 2
    with pytest.raises(ProviderAway):
        await kept.get()
    asked = source.asked
    source.error = None
    with pytest.raises(ProviderAway):
        await kept.get()
    assert source.asked == asked, "not again within five seconds"
    clock.seconds += 5
    assert await kept.get() == asked + 1


async def test_short_of_requests_states_grow_as_old_as_the_longest_listing_takes_to_be_due_again() -> None:
    clock, source = Clock(), Source()
    kept = Kept("servers", source, fresh_seconds=5, now=clock)
    assert await kept.get() == 1
    source.error = OverBudget("listings wait")
    clock.seconds += 173
    source.error = ProviderAway("gone")
    with pytest.raises(ProviderAway, match="gone"):
        await kept.get()
    source.error = OverBudget("listings wait")
    clock.seconds += 6
    kept.forget()
    assert await kept.get() == 1
    clock.seconds += 2
    with pytest.raises(OverBudget):
        await kept.get()
    source.error = ProviderAway("gone")
    clock.seconds += 6
    with pytest.raises(ProviderAway):
        await kept.get()


async def test_nobody_waits_for_a_new_list_while_there_is_an_older_one() -> None:
    clock, source = Clock(), Source()
    gate = asyncio.Event()

    async def slowly() -> int:
        if source.asked:
            await gate.wait()
        return await source()

    kept = Kept("types", slowly, fresh_seconds=600, stale_seconds=3_600, now=clock)
    await kept.get()
    clock.seconds += 601
    first = asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    assert await asyncio.wait_for(kept.get(), 0.1) == 1
    gate.set()
    assert await first == 2


async def test_who_asks_shortly_before_the_end_waits_for_nothing_and_brings_the_next_answer() -> None:
    clock, source = Clock(), Source()

    async def in_a_second() -> int:
        clock.seconds += 1
        return await source()

    kept = Kept("servers", in_a_second, fresh_seconds=5, now=clock)
    assert await kept.get() == 1
    clock.seconds += 3.4
    assert await kept.get() == 1
    await asyncio.sleep(0)
    assert source.asked == 1
    clock.seconds += 0.2
    assert [await kept.get() for _ in range(3)] == [1, 1, 1]
    await asyncio.sleep(0)
    clock.seconds += 0.5
    assert await kept.get() == 2
    assert source.asked == 2


async def test_a_listing_that_takes_long_is_waited_for_only_after_a_change() -> None:
    clock, source, gate = Clock(), Source(), asyncio.Event()

    async def slowly() -> int:
        answer = await source()
        if answer > 1:
            await gate.wait()
        return answer

    kept = Kept("servers", slowly, fresh_seconds=5, now=clock)
    await kept.get()
    clock.seconds += 6
    asking = asyncio.create_task(kept.get())
    await asyncio.sleep(0.01)
    assert await kept.get() == 1
    kept.forget()
    changed = asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    assert not changed.done()
    gate.set()
    assert (await asking, await changed) == (2, 3)


async def test_short_of_requests_nobody_waits_for_a_listing_either() -> None:
    clock, source, gate = Clock(), Source(), asyncio.Event()

    async def slowly() -> int:
        answer = await source()
        if answer > 1:
            await gate.wait()
        return answer

    kept = Kept("servers", slowly, fresh_seconds=5, now=clock)
    await kept.get()
    clock.seconds += 6
    source.error = OverBudget("listings wait")
    assert await kept.get() == 1
    clock.seconds += 6
    source.error = None
    asking = asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    assert await asyncio.wait_for(kept.get(), 0.1) == 1
    gate.set()
    assert await asking == 3


def test_one_default_for_each_address() -> None:
    settings = load({})
    assert settings.hetzner_api_base == hetzner_client.API_BASE
    assert settings.digitalocean_api_base == digitalocean_client.API_BASE


def is_a_provider(acme: Acme) -> Provider:
    return acme  # for the type checker
