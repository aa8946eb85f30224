"""Tries that were cut off: what they had asked for may come late, and is neither made twice nor forgotten."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from decabilld.actors.provider import OverBudget, ProviderAway
from decabilld.domain.entities import Id, SubscriptionItem
from decabilld.gateways import servers
from decabilld.gateways.cloudinit import StackImages
from decabilld.gateways.providers import Providers
from decabilld.gateways.servers import InDoubt, NoAddressYet, Sealed, ServerEffects
from decabilld.gateways.ssh import new_key_pair
from decabilld.ids import new_id
from decabilld.messages.commands import ConfirmServerAddress, ConfirmServerCreated, ConfirmServerRefused
from decabilld.messages.secrets import ItemSecrets
from decabilld.messages.server_effects import AwaitAddress, CreateForBackorder, CreateServer, ServerEffect
from decabilld.sealing import Keyring
from tests.providers.fake_api import Fault
from tests.providers.fake_digitalocean import FakeDigitalOcean
from tests.providers.fake_hetzner import FakeHetzner
from tests.store import samples

E = TypeVar("E", bound=ServerEffect)
DOUBT, LATE = 1.0, 0.5
RING = Keyring(b"k" * 32)


class Desk:
    """An item at a provider, and the effects of one process after another."""

    def __init__(self, fake: FakeHetzner | FakeDigitalOcean, item: SubscriptionItem, variables: dict[str, str]) -> None:
        self.fake, self.item, self._variables = fake, item, variables
        self.accounts: list[Providers] = []

    def effect(self, kind: type[E]) -> E:
        """A fresh one, of the item."""
        return kind(id=new_id(), item_id=self.item.id, subscription_id=self.item.subscription_id, user_id="u")

    async def process(self) -> ServerEffects:
        """One that has just been started."""

        async def found(tenant: str, item_id: Id) -> SubscriptionItem:
            return self.item

        self.accounts.append(Providers(self._variables))
        await asyncio.sleep(0.002)  # ids count milliseconds: what is made before and after differs
        process = ServerEffects(
            found, self.accounts[-1], None, Sealed(open=RING.open), domain=None,
            images=StackImages(controller="c:1", manager="m:1", database="postgres:17"),
        )  # fmt: skip
        await asyncio.sleep(0.002)
        return process

    async def killed_while_creating(self) -> CreateServer:
        """The effect whose request has left, and will be taken `LATE` seconds later."""
        self.fake.faults.append(Fault(self.post, delay_seconds=LATE))
        process, create = await self.process(), self.effect(CreateServer)
        task = asyncio.create_task(process.create_server("t", create))
        async with asyncio.timeout(5):
            while not self.fake.count(self.post):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return create

    async def tried_again(self, create: CreateServer) -> Any:
        """What becomes of it in the next process, as the outbox runs it."""
        process = await self.process()
        async with asyncio.timeout(5):
            while True:
                try:
                    return await process.create_server("t", create)
                except InDoubt:
                    await asyncio.sleep(0.1)

    @property
    def post(self) -> str:
        return "POST /servers" if isinstance(self.fake, FakeHetzner) else "POST /droplets"

    @property
    def made(self) -> list[Any]:
        return list((self.fake.servers if isinstance(self.fake, FakeHetzner) else self.fake.droplets).values())


@pytest.fixture(params=["hetzner", "digital-ocean"])
async def desk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(servers, "DOUBT_SECONDS", DOUBT)
    monkeypatch.setattr(servers, "DOUBT_WAITED_SECONDS", DOUBT / 4)
    async with FakeHetzner() as hetzner, FakeDigitalOcean() as ocean:
        if request.param == "hetzner":
            item = new_item(provider="hetzner", server_type="cx23", location="fsn1")
            desk = Desk(hetzner, item, {"HETZNER_API_TOKEN": hetzner.token, "HETZNER_API_BASE": hetzner.base})
        else:
            item = new_item(provider="digital-ocean", server_type="s-2vcpu-4gb", location="fra1")
            desk = Desk(ocean, item, {"DIGITALOCEAN_API_TOKEN": ocean.token, "DIGITALOCEAN_API_BASE": ocean.base})
        yield desk
        for account in desk.accounts:
            await account.close()


def new_item(**fields: str) -> SubscriptionItem:
    user, host = new_key_pair(), new_key_pair()
    secrets = ItemSecrets(
        config={"authenticationMethod": "api-key"}, ssh_private_key=user.private, host_private_key=host.private
    )
    return samples.item(
        samples.subscription(samples.user(), samples.plan()), hostname="calm-heron-x2345", step="create",
        provisioning_status="pending", server_id=None, public_ip=None, image=None, config_defaults={},
        ssh_public_key=user.public, host_public_key=host.public,
        sealed_secrets=RING.seal(secrets.text(), "t", SubscriptionItem.SEALED_SECRETS), **fields,
    )  # fmt: skip


async def test_what_a_killed_process_asked_for_is_waited_for_and_not_made_twice(desk: Desk) -> None:
    outcome = await desk.tried_again(await desk.killed_while_creating())
    assert isinstance(outcome, ConfirmServerCreated)
    await asyncio.sleep(LATE)
    assert [str(one["id"]) for one in desk.made] == [outcome.server_id]


async def test_what_nobody_wants_any_more_is_not_said_to_be_absent_while_it_may_come(desk: Desk) -> None:
    create = await desk.killed_while_creating()
    desk.item = replace(desk.item, unwanted_since=samples.NOW)
    assert isinstance(await desk.tried_again(create), ConfirmServerCreated)


async def test_a_try_that_ended_in_doubt_is_repeated_after_the_doubt_only(desk: Desk) -> None:
    process, create = await desk.process(), desk.effect(CreateServer)
    desk.fake.faults.append(Fault(desk.post, lost="before"))
    with pytest.raises(ProviderAway):
        await process.create_server("t", create)
    with pytest.raises(InDoubt):
        await process.create_server("t", create)
    await asyncio.sleep(DOUBT)
    assert isinstance(await process.create_server("t", create), ConfirmServerCreated)


async def test_without_a_doubt_nobody_waits(desk: Desk) -> None:
    process = await desk.process()
    desk.item = replace(desk.item, unwanted_since=samples.NOW)
    assert isinstance(await process.create_server("t", desk.effect(CreateServer)), ConfirmServerRefused)
    assert desk.made == []


async def test_a_server_that_is_not_listed_yet_is_not_gone(desk: Desk) -> None:
    process, waiting = await desk.process(), desk.effect(AwaitAddress)
    with pytest.raises(NoAddressYet):
        await process.await_address("t", waiting)
    await asyncio.sleep(DOUBT)
    gone = await process.await_address("t", waiting)
    assert isinstance(gone, ConfirmServerRefused)
    assert gone.no_capacity


async def test_a_backorder_asks_nothing_while_requests_are_short(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    process = await desk.process()
    provider = desk.accounts[-1].get(desk.item.provider)
    monkeypatch.setattr(provider._budget, "_kept_for_orders", 1_000_000)  # type: ignore[attr-defined]
    with pytest.raises(OverBudget):
        await process.create_server("t", desk.effect(CreateForBackorder))
    assert desk.fake.requests == []
    assert isinstance(await process.create_server("t", desk.effect(CreateServer)), ConfirmServerCreated)
    desk.item = replace(desk.item, unwanted_since=desk.item.created_at)
    left = await process.create_server("t", desk.effect(CreateForBackorder))
    assert isinstance(left, ConfirmServerCreated), "the end of one can't wait"


async def test_of_two_servers_the_older_one_becomes_the_items(desk: Desk) -> None:
    process = await desk.process()
    first = await process.create_server("t", desk.effect(CreateServer))
    assert isinstance(first, ConfirmServerCreated)
    desk.item = replace(desk.item, server_id="the-younger")
    if isinstance(desk.fake, FakeHetzner):
        desk.fake.add_server("a-twin", {"decabilld-item": desk.item.id})
    else:
        desk.fake.add_droplet("a-twin", "decabilld", f"decabilld-item:{desk.item.id}")
    reached = await process.await_address("t", desk.effect(AwaitAddress))
    assert isinstance(reached, ConfirmServerAddress)
    assert [str(one["id"]) for one in desk.made] == [reached.server_id] == [first.server_id]
