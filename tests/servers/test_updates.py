"""The nightly update: each server once a night, over SSH with its own key, to its own host key; never in the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import asyncssh
import pytest

from decabilld import keys
from decabilld.actors.stack_updates import AT_A_TIME, StackUpdates, Update
from decabilld.domain.entities import SubscriptionItem
from decabilld.gateways.servers import Sealed
from decabilld.gateways.ssh import KeyPair, new_key_pair
from decabilld.gateways.ssh.update import update_command
from decabilld.server_setup import stack_update
from tests.harness.daemons import StoryClock
from tests.providers.fake_cloudflare import FakeCloudflare
from tests.providers.fake_hetzner import FakeHetzner
from tests.servers.conftest import StartDaemon
from tests.servers.shop import ServerShop, deploying_at, opened_shop, until
from tests.ssh.server import FakeServer, running

NIGHT = timedelta(hours=24)


class Here(FakeHetzner):
    """Its servers are on this machine."""

    def _new_server(self, *about: Any) -> dict[str, Any]:
        made = super()._new_server(*about)
        made["ip"] = "127.0.0.1"
        return made


@pytest.fixture
async def hetzner() -> AsyncIterator[FakeHetzner]:
    async with Here() as fake:
        yield fake


@pytest.fixture
def clock() -> StoryClock:
    return StoryClock()


@pytest.fixture
async def shop(
    start_daemon: StartDaemon, hetzner: FakeHetzner, cloudflare: FakeCloudflare, clock: StoryClock
) -> AsyncIterator[ServerShop]:
    daemon = await start_daemon(clock=clock, test_clock=False, **deploying_at(hetzner, cloudflare))
    yield await opened_shop(daemon, hetzner, cloudflare)
    await daemon.do_due_work()  # of the nights that were jumped over


def updates(shop: ServerShop, clock: StoryClock, update: Update) -> StackUpdates:
    return StackUpdates(shop.daemon.tenants, update, clock=clock, interval=NIGHT)


def over_ssh(shop: ServerShop, port: int) -> Update:
    return stack_update(keys.keyring(shop.daemon.settings), port)


async def sold(shop: ServerShop) -> SubscriptionItem:
    anna = await shop.customer("anna")
    subscription = await shop.order(anna)
    await shop.until_item(anna, subscription, "active")
    return kept(shop)


def kept(shop: ServerShop) -> SubscriptionItem:
    (item,) = shop.daemon.tenants.published("default").all(SubscriptionItem).values()
    return item


def server_of(shop: ServerShop, item: SubscriptionItem, status: int = 0) -> AbstractAsyncContextManager[FakeServer]:
    """The item's server, with the keys that cloud-init gave it."""

    async def exits(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.exit(status)

    secrets = Sealed(open=keys.keyring(shop.daemon.settings).open).secrets(item, "default")
    host = KeyPair(secrets.host_private_key, item.host_public_key)
    return running(exits, host=host, user=KeyPair(secrets.ssh_private_key, item.ssh_public_key))


async def told(shop: ServerShop) -> list[str]:
    kinds = await shop.admin.audit.journal_kinds("default")
    return [kind for kind in kinds if kind.startswith("server.stack")]


async def test_each_server_is_updated_once_a_night(shop: ServerShop, clock: StoryClock) -> None:
    item = await sold(shop)
    async with server_of(shop, item) as server:
        look = updates(shop, clock, over_ssh(shop, server.port)).look
        await look()
        assert server.asked == []  # it was made just now
        for nights in (1, 2):
            clock.jump_to(clock() + timedelta(hours=25))
            await look()
            await look()
            assert server.asked == [update_command("manager")] * nights
    assert await told(shop) == ["server.stack_updated"] * 2
    assert kept(shop).stack_updated_at is not None


async def test_one_that_fails_is_told_and_left_for_the_next_night(shop: ServerShop, clock: StoryClock) -> None:
    item = await sold(shop)
    clock.jump_to(clock() + timedelta(hours=25))
    async with server_of(shop, item, status=3) as server:
        look = updates(shop, clock, over_ssh(shop, server.port)).look
        await look()
        await look()
        assert len(server.asked) == 1
    assert await told(shop) == ["server.stack_update_failed"]


async def test_who_shows_another_host_key_is_asked_nothing(shop: ServerShop, clock: StoryClock) -> None:
    item = await sold(shop)
    clock.jump_to(clock() + timedelta(hours=25))

    async def anything(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.exit(0)

    known = KeyPair("", item.ssh_public_key)
    async with running(anything, host=new_key_pair(), user=known) as impostor:
        await updates(shop, clock, over_ssh(shop, impostor.port)).look()
        assert impostor.asked == []
    assert await told(shop) == ["server.stack_update_failed"]


async def test_only_some_are_updated_at_once_and_none_that_is_not_wanted_any_more(
    shop: ServerShop, clock: StoryClock
) -> None:
    anna = await shop.customer("anna")
    subscriptions = [await shop.order(anna) for _ in range(AT_A_TIME + 2)]
    for subscription in subscriptions:
        await shop.until_item(anna, subscription, "active")
    clock.jump_to(clock() + timedelta(hours=25))
    under_way: list[str] = []
    seen: list[str] = []
    most = 0
    go_on = asyncio.Event()

    async def slow(tenant: str, item: SubscriptionItem) -> None:
        nonlocal most
        under_way.append(item.id)
        seen.append(item.id)
        most = max(most, len(under_way))
        await go_on.wait()
        under_way.remove(item.id)

    looking = asyncio.create_task(updates(shop, clock, slow).look())
    await asyncio.sleep(0.2)
    assert len(under_way) == AT_A_TIME
    items = shop.daemon.tenants.published("default").all(SubscriptionItem).values()
    (leaving,) = [item for item in items if item.id not in seen][:1]
    await anna.cancels(leaving.subscription_id)
    go_on.set()
    await asyncio.wait_for(looking, 10)
    assert most == AT_A_TIME
    assert leaving.id not in seen
    assert len(seen) == AT_A_TIME + 1


async def test_the_daemon_does_it_by_itself(
    start_daemon: StartDaemon, hetzner: FakeHetzner, cloudflare: FakeCloudflare
) -> None:
    daemon = await start_daemon(subscription_update_scheduler_interval_ms=1_000, **deploying_at(hetzner, cloudflare))
    shop = await opened_shop(daemon, hetzner, cloudflare)
    await sold(shop)
    await until(lambda: told(shop), bool, 15)
