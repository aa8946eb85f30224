"""The fake speaks Hetzner's protocol: their own client, `hcloud`, gets along with it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import hcloud
import pytest
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from hcloud.servers import BoundServer
from hcloud.ssh_keys import SSHKey

from tests.providers.fake_hetzner import FakeHetzner

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGEsXcXjMpQ0wXwYgkQ0N8V6L8l8Z0o3VZC9i8dN0f4k test"
Ask = Callable[[Callable[[hcloud.Client], Any]], Any]


@pytest.fixture
async def hetzner() -> AsyncIterator[FakeHetzner]:
    async with FakeHetzner() as fake:
        yield fake


@pytest.fixture
def ask(hetzner: FakeHetzner) -> Ask:
    """Their client blocks: each question has a thread to itself."""
    client = hcloud.Client(token=hetzner.token, api_endpoint=hetzner.base, poll_interval=0.05, timeout=5)
    return lambda question: asyncio.to_thread(question, client)


def _create(client: hcloud.Client, **fields: Any) -> Any:
    return client.servers.create(
        name=fields.pop("name", "brave-otter"),
        server_type=ServerType(name=fields.pop("type", "cx23")),
        image=Image(name="ubuntu-24.04"),
        location=Location(name=fields.pop("location", "fsn1")),
        **fields,
    )


async def test_a_servers_life(hetzner: FakeHetzner, ask: Ask) -> None:
    hetzner.boot_seconds = hetzner.action_seconds = 0.1
    key = await ask(lambda client: client.ssh_keys.create("mine", KEY, labels={"decabilld-item": "a"}))
    assert [one.id for one in await ask(lambda client: client.ssh_keys.get_all(label_selector="decabilld-item=a"))] == [
        key.id
    ]
    made = await ask(
        lambda client: _create(
            client, ssh_keys=[SSHKey(id=key.id)], user_data="#cloud-config", labels={"decabilld-item": "a"}
        )
    )
    assert (made.server.status, made.action.status, made.root_password) == ("initializing", "running", None)
    await asyncio.to_thread(made.action.wait_until_finished)

    server: BoundServer = await ask(lambda client: client.servers.get_by_id(made.server.id))
    assert (server.status, server.name, server.location.name) == ("running", "brave-otter", "fsn1")
    assert server.public_net.ipv4.ip.startswith("203.0.")
    assert (server.server_type.name, server.image.name) == ("cx23", "ubuntu-24.04")
    for act, status in (("shutdown", "off"), ("power_on", "running"), ("reboot", "running")):
        await asyncio.to_thread(lambda act=act: getattr(server, act)().wait_until_finished())
        assert (await ask(lambda client: client.servers.get_by_id(server.id))).status == status

    await asyncio.to_thread(server.delete)
    assert await asyncio.to_thread(key.delete)
    assert (hetzner.servers, hetzner.ssh_keys) == ({}, {})
    with pytest.raises(hcloud.APIException) as gone:
        await ask(lambda client: client.servers.get_by_id(server.id))
    assert gone.value.code == "not_found"


async def test_pages_and_labels(hetzner: FakeHetzner, ask: Ask) -> None:
    for number in range(120):
        hetzner.add_server(f"server-{number}", {"decabilld-item": str(number)} if number % 2 else {})
    assert len(await ask(lambda client: client.servers.get_all())) == 120
    assert hetzner.count("GET /servers") == 3
    for selector, names in (
        ("decabilld-item=7", {"server-7"}),
        ("decabilld-item==7", {"server-7"}),
        ("decabilld-item=8", set()),
        ("decabilld-item,decabilld-item!=7", {f"server-{n}" for n in range(1, 120, 2) if n != 7}),
        ("!decabilld-item", {f"server-{n}" for n in range(0, 120, 2)}),
    ):
        found = await ask(lambda client, selector=selector: client.servers.get_all(label_selector=selector))
        assert {server.name for server in found} == names


async def test_the_catalogue(ask: Ask) -> None:
    types = {kind.name: kind for kind in await ask(lambda client: client.server_types.get_all())}
    assert types["cx23"].prices[0]["price_monthly"]["net"] == "2.9900000000"
    assert [place.available for place in types["cx23"].locations] == [True, True, True]
    assert all(place.deprecation.unavailable_after for place in types["cx11"].locations)
    assert {place.name for place in await ask(lambda client: client.locations.get_all())} >= {"fsn1", "ash", "sin"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "taken"}, "uniqueness_error"),
        ({"name": "not a hostname"}, "invalid_input"),
        ({"type": "cx99"}, "invalid_input"),
        ({"type": "cx11"}, "invalid_server_type"),
        ({"location": "ash"}, "invalid_input"),
        ({"location": "hel1"}, "resource_unavailable"),
        ({"user_data": "x" * 33_000}, "invalid_input"),
        ({"ssh_keys": [SSHKey(id=1)]}, "not_found"),
    ],
)
async def test_what_it_refuses(hetzner: FakeHetzner, ask: Ask, fields: dict[str, Any], code: str) -> None:
    hetzner.add_server("taken")
    hetzner.sold_out.add(("cx23", "hel1"))
    with pytest.raises(hcloud.APIException) as refused:
        await ask(lambda client: _create(client, **fields))
    assert refused.value.code == code
    assert len(hetzner.servers) == 1


async def test_a_wrong_token_and_a_second_key_of_that_name(hetzner: FakeHetzner, ask: Ask) -> None:
    await ask(lambda client: client.ssh_keys.create("mine", KEY))
    with pytest.raises(hcloud.APIException, match="already exists"):
        await ask(lambda client: client.ssh_keys.create("other", KEY))
    hetzner.token = "another"
    with pytest.raises(hcloud.APIException) as refused:
        await ask(lambda client: client.servers.get_all())
    assert refused.value.code == "unauthorized"


async def test_a_locked_server_waits(hetzner: FakeHetzner, ask: Ask) -> None:
    hetzner.action_seconds = 30
    server = (await ask(_create)).server
    with pytest.raises(hcloud.APIException) as refused:
        await asyncio.to_thread(server.delete)
    assert refused.value.code == "locked"
