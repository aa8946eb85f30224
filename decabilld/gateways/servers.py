"""What a server's steps do outside: one function an effect, from the effect to the command that says what came of it.

Each may run again after a crash, so each looks for what it did before: a server is found by its label before one is
made, and of two with the same label only the older stays. Not finding it proves nothing while a request of an earlier
try may still be under way, with a process that was killed: nothing is made anew, and nothing taken for gone, before
that doubt is over.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from msgspec import Struct

from decabilld.actors.ports import Runners
from decabilld.actors.provider import (
    CapacityGone,
    Names,
    Provider,
    ProviderAway,
    ProviderRefused,
    Server,
    ServerOrder,
)
from decabilld.domain.entities import Id, SubscriptionItem
from decabilld.domain.provisioning import effective_config
from decabilld.gateways.cloudinit import StackImages, user_data
from decabilld.gateways.providers import NoSuchProvider, Providers
from decabilld.ids import made_at
from decabilld.messages.commands import (
    ConfirmNamePublished,
    ConfirmServerAddress,
    ConfirmServerCreated,
    ConfirmServerRefused,
    ConfirmServerRemoved,
    ConfirmSwitched,
)
from decabilld.messages.decision import Command, Effect
from decabilld.messages.secrets import ItemSecrets
from decabilld.messages.server_effects import (
    AwaitAddress,
    CreateForBackorder,
    CreateServer,
    PublishName,
    RemoveServer,
    ServerEffect,
    SwitchServer,
)
from decabilld.sealing import NotOpened

_log = structlog.get_logger("servers")
DOUBT_SECONDS = 30.0
"""How long after its sender is gone a request may still be taken, or what it made be missing in a provider's lists."""
DOUBT_WAITED_SECONDS = 10.0
SWITCHED_WITHIN_SECONDS = 60.0
FindItem = Callable[[str, Id], Awaitable[SubscriptionItem | None]]


class NoAddressYet(Exception):
    """The server is there, its address is not."""


class InDoubt(Exception):
    """A request of an earlier try may be taken yet: it is too early to say that there is nothing."""


class Sealed(Struct, frozen=True, kw_only=True):
    """Opens what is sealed: `(sealed text, tenant id, field)`. Raises NotOpened."""

    open: Callable[[str, str, str], str]

    def secrets(self, item: SubscriptionItem, tenant_id: str) -> ItemSecrets:
        """Raises NotOpened, also for an item whose secrets are gone."""
        if item.sealed_secrets is None:
            raise NotOpened("its secrets are gone")
        return ItemSecrets.of(self.open(item.sealed_secrets, tenant_id, SubscriptionItem.SEALED_SECRETS))


class ServerEffects:
    """`names` is None while no DNS is configured; `domain` is what hostnames are published under."""

    def __init__(
        self,
        find_item: FindItem,
        providers: Providers,
        names: Names | None,
        sealed: Sealed,
        *,
        images: StackImages,
        domain: str | None,
    ) -> None:
        self._find_item, self._providers, self._names, self._sealed = find_item, providers, names, sealed
        self._images, self._domain = images, domain
        self._started = time.time()
        self._doubtful: dict[Id, float] = {}
        """Effects whose last try has ended with nobody knowing how, and until when that matters."""

    @property
    def runners(self) -> Runners:
        return {
            CreateServer: self.create_server,
            CreateForBackorder: self.create_server,
            AwaitAddress: self.await_address,
            PublishName: self.publish_name,
            RemoveServer: self.remove_server,
            SwitchServer: self.switch_server,
        }

    async def create_server(self, tenant_id: str, effect: Effect) -> Command:
        assert isinstance(effect, CreateServer)
        item = await self._item(tenant_id, effect)
        provider = self._provider(item)
        if isinstance(effect, CreateForBackorder) and item.unwanted_since is None:
            provider.make_way()
        try:
            server = await _only(provider, await provider.servers_of(item.id))
            if server is None and await self._outlived_doubt(effect):
                server = await _only(provider, await provider.servers_of(item.id))
            if server is None:
                if item.unwanted_since is not None:
                    return _refused(effect, "the subscription has ended", no_capacity=False)
                server = await self._created(effect, provider, self._order(provider, item, tenant_id))
        except CapacityGone as gone:
            return _refused(effect, str(gone), no_capacity=True)
        except ProviderRefused as refused:
            return _refused(effect, str(refused), no_capacity=False)
        finally:
            self._forget(item)
        return ConfirmServerCreated(
            item_id=item.id, subscription_id=item.subscription_id, server_id=server.id, public_ip=server.public_ip
        )

    async def await_address(self, tenant_id: str, effect: Effect) -> Command:
        """Also where a twin is found: one whose making was under way when its predecessor was looked for."""
        assert isinstance(effect, AwaitAddress)
        item = await self._item(tenant_id, effect)
        provider = self._provider(item)
        server = await _only(provider, await provider.servers_of(item.id))
        if server is None:
            if time.time() < made_at(effect.id) + DOUBT_SECONDS:
                raise NoAddressYet(f"{item.hostname} is not listed yet")
            return _refused(effect, "the server is gone again", no_capacity=True)
        if server.public_ip is None:
            raise NoAddressYet(f"{item.hostname} has no address yet")
        return ConfirmServerAddress(
            item_id=item.id, subscription_id=item.subscription_id, server_id=server.id, public_ip=server.public_ip
        )

    async def publish_name(self, tenant_id: str, effect: Effect) -> Command:
        assert isinstance(effect, PublishName)
        item = await self._item(tenant_id, effect)
        failure = None
        if item.unwanted_since is not None:
            await self._outlived_doubt(effect)  # what a killed process asked for must not come after its removal
            failure = "the subscription has ended"  # its removal waits for us: with a DNS that is away for hours
        elif self._names is None:
            failure = "DNS is not configured any more"
        elif item.public_ip is not None:
            try:
                await self._names.publish(item.hostname, item.public_ip, item.id)
            except ProviderRefused as refused:
                failure = str(refused)
        return ConfirmNamePublished(item_id=item.id, subscription_id=item.subscription_id, failure=failure)

    async def remove_server(self, tenant_id: str, effect: Effect) -> Command:
        """DNS record, server, SSH key, in that order; again until nothing is left.

        A DNS that is away keeps no server running that nobody pays for: the rest goes, and the record when it can.
        """
        assert isinstance(effect, RemoveServer)
        item = await self._item(tenant_id, effect)
        name_left = await self._remove_name(item)
        provider = self._provider(item)
        servers = {server.id for server in await provider.servers_of(item.id)}
        if item.server_id is not None:
            servers.add(item.server_id)
        for server_id in sorted(servers):
            await provider.delete_server(server_id)
        await provider.delete_ssh_key(item.id)
        self._forget(item)
        if name_left is not None:
            raise name_left
        return ConfirmServerRemoved(item_id=item.id, subscription_id=item.subscription_id)

    async def switch_server(self, tenant_id: str, effect: Effect) -> Command:
        """Failures are outcomes, told at once to whoever waits. After an outage it is too late."""
        assert isinstance(effect, SwitchServer)
        item = await self._item(tenant_id, effect)
        failure = None
        try:
            if time.time() > made_at(effect.id) + SWITCHED_WITHIN_SECONDS:
                raise ProviderAway("it could not be done in time; nobody waits for it any more")
            await self._providers.switch(item.provider, item.server_id or "", effect.power)
        except (ProviderAway, ProviderRefused, NoSuchProvider) as failed:
            failure = str(failed)
        return ConfirmSwitched(
            item_id=item.id, subscription_id=item.subscription_id, power=effect.power, failure=failure
        )

    async def _created(self, effect: CreateServer, provider: Provider, order: ServerOrder) -> Server:
        """As the provider's own; a try of which nobody knows how it ended is remembered as doubtful."""
        try:
            return await provider.create_server(order)
        except (CapacityGone, ProviderRefused):
            raise
        except BaseException:
            now = time.time()
            self._doubtful = {key: until for key, until in self._doubtful.items() if until > now}
            self._doubtful[effect.id] = now + DOUBT_SECONDS
            raise

    async def _outlived_doubt(self, effect: ServerEffect) -> bool:
        """Whether there was one: an earlier try, or one of the process before us, may have had something under way.

        Its last seconds are waited for here; raises InDoubt while there are more.
        """
        by_others = self._started + DOUBT_SECONDS if made_at(effect.id) < self._started else 0.0
        left = max(self._doubtful.get(effect.id, 0.0), by_others) - time.time()
        if left > DOUBT_WAITED_SECONDS:
            raise InDoubt(f"what was asked for before may come yet, for {left:.0f} s more")
        await asyncio.sleep(max(left, 0.0))
        return left > 0

    async def _remove_name(self, item: SubscriptionItem) -> ProviderAway | ProviderRefused | None:
        """Why it could not be removed."""
        if self._names is not None:
            try:
                await self._names.remove(item.hostname, item.id)
            except (ProviderAway, ProviderRefused) as failed:
                return failed
        return None

    def _order(self, provider: Provider, item: SubscriptionItem, tenant_id: str) -> ServerOrder:
        secrets = self._sealed.secrets(item, tenant_id)
        return ServerOrder(
            item_id=item.id,
            name=item.hostname,
            server_type=item.server_type,
            region=item.location,
            image=item.image or provider.default_image,
            ssh_public_key=item.ssh_public_key,
            user_data=user_data(
                _config(item, secrets.config),
                images=self._images,
                item_id=item.id,
                hostname=item.hostname,
                fqdn=None if self._domain is None else f"{item.hostname}.{self._domain}",
                ssh_public_key=item.ssh_public_key,
                host_private_key=secrets.host_private_key,
                host_public_key=item.host_public_key,
            ),
        )

    async def _item(self, tenant_id: str, effect: ServerEffect) -> SubscriptionItem:
        item = await self._find_item(tenant_id, effect.item_id)
        assert item is not None, "the effect was written with its item, which is never deleted"
        return item

    def _provider(self, item: SubscriptionItem) -> Provider:
        """Raises ProviderAway for one that isn't installed or has no token now: the operator can change that."""
        try:
            return self._providers.usable(item.provider)
        except NoSuchProvider as missing:
            raise ProviderAway(str(missing)) from None

    def _forget(self, item: SubscriptionItem) -> None:
        if item.provider in self._providers.ids:
            self._providers.forget_states(item.provider)


def _config(item: SubscriptionItem, requested: Mapping[str, Any]) -> dict[str, Any]:
    """What was decided when it was ordered; what a customer may choose was weighed then, and is on the item."""
    merged = effective_config(item.config_defaults, requested, allow_location=False, allow_server_type=False)
    return {**merged, "service": item.service, "location": item.location, "serverType": item.server_type}


async def _only(provider: Provider, servers: Sequence[Server]) -> Server | None:
    """The oldest of an item's servers; the others came of tries that overlapped, and go."""
    if not servers:
        return None
    first, *twins = servers
    for twin in twins:
        _log.warning("server_twin_deleted", provider=provider.id, server=twin.id, item=twin.item_id)
        await provider.delete_server(twin.id)
    return first


def _refused(effect: CreateServer | AwaitAddress, reason: str, *, no_capacity: bool) -> ConfirmServerRefused:
    return ConfirmServerRefused(
        item_id=effect.item_id,
        subscription_id=effect.subscription_id,
        step="create" if isinstance(effect, CreateServer) else "await_address",
        reason=reason,
        no_capacity=no_capacity,
    )
