"""What the port promises, held to by every built-in provider alike: one test for all, each against its own fake.

Walks (hypothesis) make, lose, find, switch and delete servers in any order; after each step the account is compared
with what was asked of it.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decabilld.actors.provider import CapacityGone, Power, Provider, ProviderAway, ProviderRefused, ServerOrder
from decabilld.gateways.digitalocean.client import DigitalOcean
from decabilld.gateways.hetzner.client import HetznerCloud
from tests.providers.fake_api import FakeApi, Fault
from tests.providers.fake_digitalocean import FakeDigitalOcean
from tests.providers.fake_hetzner import FakeHetzner
from tests.providers.test_digitalocean import public_key

IMPATIENT = {"call_seconds": 10.0, "first_pause_seconds": 0.001}
POWERS: list[Power] = ["start", "stop", "restart"]
AFTER = {"start": "running", "stop": "stopped", "restart": "running"}


@dataclass(frozen=True)
class Case:
    """A built-in provider: its fake, and what differs on the wire."""

    fake: Callable[[], FakeApi]
    provider: Callable[[Any], Provider]
    servers: str
    keys: str
    server_type: str
    region: str
    held: Callable[[Any], tuple[int, int]]
    """How many servers and keys the account holds."""
    fill: Callable[[Any], None]


def _fill_hetzner(fake: FakeHetzner) -> None:
    fake.server_limit = 0


def _fill_digitalocean(fake: FakeDigitalOcean) -> None:
    fake.droplet_limit = 0


CASES = {
    "hetzner": Case(
        fake=FakeHetzner,
        provider=lambda fake: HetznerCloud(fake.token, fake.base, **IMPATIENT),
        servers="/servers",
        keys="/ssh_keys",
        server_type="cx23",
        region="fsn1",
        held=lambda fake: (len(fake.servers), len(fake.ssh_keys)),
        fill=_fill_hetzner,
    ),
    "digital-ocean": Case(
        fake=FakeDigitalOcean,
        provider=lambda fake: DigitalOcean(fake.token, fake.base, **IMPATIENT),
        servers="/droplets",
        keys="/account/keys",
        server_type="s-2vcpu-4gb",
        region="fra1",
        held=lambda fake: (len(fake.droplets), len(fake.keys)),
        fill=_fill_digitalocean,
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@asynccontextmanager
async def account_of(case: Case) -> AsyncIterator[tuple[Any, Provider]]:
    async with case.fake() as fake:
        provider = case.provider(fake)
        try:
            yield fake, provider
        finally:
            await provider.close()


def order(case: Case, item_id: str = "7", key: str | None = None) -> ServerOrder:
    return ServerOrder(
        item_id=item_id,
        name=f"calm-otter-{item_id}",
        server_type=case.server_type,
        region=case.region,
        image=case.provider(case.fake()).default_image,
        user_data="#cloud-config\n",
        ssh_public_key=key or public_key(),
    )


async def test_from_the_order_to_the_end(case: Case) -> None:
    async with account_of(case) as (fake, provider):
        made = await provider.create_server(order(case))
        (found,) = await provider.servers_of("7")
        (listed,) = await provider.servers()
        assert (found.id, found.item_id, found.name) == (made.id, "7", "calm-otter-7")
        assert found == listed
        assert (found.server_type, found.region, found.status) == (case.server_type, case.region, "running")
        assert found.public_ip
        assert found.created_at
        for power in (*POWERS, *POWERS, "stop", "restart"):
            await provider.switch(made.id, power)
            (found,) = await provider.servers_of("7")
            assert found.status == AFTER[power], power
        for _ in range(2):
            await provider.delete_server(made.id)
            await provider.delete_ssh_key("7")
        assert case.held(fake) == (0, 0)
        assert list(await provider.servers()) == []
        with pytest.raises(ProviderRefused):
            await provider.switch(made.id, "start")


async def test_what_is_offered_can_be_ordered(case: Case) -> None:
    async with account_of(case) as (fake, provider):
        offered = {kind.id: kind for kind in await provider.server_types()}
        assert case.region in offered[case.server_type].regions
        await provider.create_server(order(case))
        schema = provider.config_schema
        assert schema["basePriceFromField"] == "serverType"
        places = schema["properties"].get("region") or schema["properties"]["location"]
        assert case.region in places["enum"]
        assert schema["properties"]["image"]["default"] == provider.default_image
        assert case.held(fake) == (1, 1)


@pytest.mark.parametrize("step", ["keys", "servers"])
@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_lost_answer_makes_no_twin(case: Case, step: str, lost: Any) -> None:
    """The caller does as the port says: it looks for the label, and only then asks again."""
    async with account_of(case) as (fake, provider):
        wanted = order(case)
        fake.faults = [Fault(on=f"POST {getattr(case, step)}", lost=lost)]
        if step == "servers":
            with pytest.raises(ProviderAway):
                await provider.create_server(wanted)
            assert len(await provider.servers_of("7")) == (1 if lost == "after" else 0)
        made = await provider.create_server(wanted)
        (found,) = await provider.servers_of("7")
        assert found.id == made.id
        assert case.held(fake) == (1, 1)


async def test_no_room_is_told_apart_from_a_bad_order(case: Case) -> None:
    async with account_of(case) as (fake, provider):
        with pytest.raises(ProviderRefused):
            await provider.create_server(ServerOrder(**{**_fields(order(case)), "image": "windows-95"}))
        with pytest.raises(ProviderRefused):
            await provider.create_server(ServerOrder(**{**_fields(order(case, "8")), "ssh_public_key": "none"}))
        case.fill(fake)
        with pytest.raises(CapacityGone):
            await provider.create_server(order(case, "9"))
        assert "limit" in (await provider.limit_reached() or "")
        assert case.held(fake)[0] == 0


@pytest.mark.parametrize(
    "fault",
    [Fault(status=500), Fault(status=503), Fault(status=429), Fault(lost="before"), Fault(page="<html>Hotel</html>")],
)
async def test_away_is_what_it_is_called_whatever_is_asked(case: Case, fault: Fault) -> None:
    async with account_of(case) as (fake, provider):
        made = await provider.create_server(order(case))
        calls: list[Callable[[], Any]] = [
            provider.server_types,
            provider.servers,
            lambda: provider.servers_of("7"),
            lambda: provider.create_server(order(case, "8")),
            lambda: provider.switch(made.id, "stop"),
            lambda: provider.switch(made.id, "start"),
            lambda: provider.delete_server(made.id),
            lambda: provider.delete_ssh_key("7"),
        ]
        for call in calls:
            fake.faults = [fault] * 100
            with pytest.raises(ProviderAway):
                await call()
            fake.faults = []


async def test_only_questions_never_refuse(case: Case) -> None:
    """With a token that is taken back, what is asked may be answered with the next one."""
    async with account_of(case) as (fake, provider):
        fake.token = "another"
        for ask in (provider.server_types, provider.servers, lambda: provider.servers_of("7")):
            with pytest.raises(ProviderAway):
                await ask()  # type: ignore[operator]
        with pytest.raises(ProviderRefused):
            await provider.create_server(order(case))
        with pytest.raises(ProviderRefused):
            await provider.delete_server("1")


def _fields(wanted: ServerOrder) -> dict[str, str]:
    return {name: getattr(wanted, name) for name in ServerOrder.__struct_fields__}


ITEMS = st.sampled_from(["1", "2", "3"])
REQUESTS = ["GET", "POST {keys}", "POST {servers}", "DELETE"]
LOST = st.none() | st.builds(Fault, on=st.sampled_from(REQUESTS), lost=st.sampled_from(["before", "after"]))
STEPS = st.tuples(st.just("make") | st.sampled_from(["delete", "delete_key", *POWERS]), ITEMS, LOST)
KEYS = {item: public_key() for item in ("1", "2", "3")}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=4, max_size=14))
async def test_a_walk_leaves_what_was_asked_for(case: Case, steps: list[tuple[str, str, Fault | None]]) -> None:
    """As the caller does it: look by label first, ask again after ProviderAway. One answer of each step may be lost."""
    async with account_of(case) as (fake, provider):
        servers: set[str] = set()
        keys: set[str] = set()
        for step, item, lost in steps:
            on = lost.on.format(keys=case.keys, servers=case.servers) if lost else ""
            fake.faults = [replace(lost, on=on)] if lost else []
            for _ in range(2):
                try:
                    await _take(provider, case, step, item)
                    break
                except ProviderAway:
                    continue
            else:
                pytest.fail(f"{step} {item} failed twice, though one answer was lost")
            fake.faults = []
            if step == "make":
                servers.add(item)
                # Found by its label, it isn't made again, nor is its key.
                keys.add(item)
            elif step == "delete":
                servers.discard(item)
            elif step == "delete_key" and item not in servers:
                keys.discard(item)
            assert {server.item_id for server in await provider.servers()} == servers
            assert case.held(fake) == (len(servers), len(keys))


async def _take(provider: Provider, case: Case, step: str, item: str) -> None:
    there = await provider.servers_of(item)
    if step == "make" and not there:
        await provider.create_server(order(case, item, KEYS[item]))
    elif step == "delete":
        for server in there:
            await provider.delete_server(server.id)
    elif step == "delete_key" and not there:
        await provider.delete_ssh_key(item)
    elif step in POWERS:
        for server in there:
            await provider.switch(server.id, step)  # type: ignore[arg-type]
