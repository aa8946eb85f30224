"""Providers, names and sealing put together: what the HTTP edge and the effects need of servers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from decabilld.actors.provider import Names, Provider, Server, ServerType, server_of
from decabilld.domain.entities import Id, SubscriptionItem
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Invalid
from decabilld.gateways.cloudflare import CloudflareNames
from decabilld.gateways.cloudinit import StackImages
from decabilld.gateways.providers import Providers
from decabilld.gateways.servers import FindItem, Sealed, ServerEffects
from decabilld.gateways.ssh import ServerAway, ServerRefused, new_key_pair, update_stack
from decabilld.messages.commands import NewSecrets
from decabilld.messages.secrets import ItemSecrets
from decabilld.realtime.ports import LookUp
from decabilld.sealing import Keyring, NotOpened
from decabilld.settings import Settings

SSH_PORT = 22
_log = structlog.get_logger("servers")


class SeenServer(Struct, frozen=True, kw_only=True):
    """A server on the dashboard."""

    item_id: Id
    name: str
    public_ip: str
    private_ip: str | None
    status: str
    metadata: dict[str, Any] | None


class Servers:
    """For the HTTP edge: providers, and the secrets of items."""

    def __init__(self, providers: Providers, keyring: Keyring) -> None:
        self._providers = providers
        self._seal = partial(keyring.seal, field=SubscriptionItem.SEALED_SECRETS)
        self._sealed = Sealed(open=keyring.open)

    def providers(self) -> Sequence[Provider]:
        return self._providers.all()

    async def server_types(self, provider_id: str) -> Sequence[ServerType]:
        return await self._providers.server_types(provider_id)

    async def states(self, provider_id: str) -> Mapping[str, Server]:
        return await self._providers.states(provider_id)

    async def limit_reached(self, provider_id: str) -> str | None:
        return await self._providers.limit_reached(provider_id)

    def new_secrets(self, tenant_id: str, config: dict[str, Any]) -> NewSecrets:
        user, host = new_key_pair(), new_key_pair()
        secrets = ItemSecrets(config=config, ssh_private_key=user.private, host_private_key=host.private)
        sealed = self._seal(secrets.text(), tenant_id)
        return NewSecrets(sealed=sealed, ssh_public_key=user.public, host_public_key=host.public)

    def wishes(self, tenant_id: str, item: SubscriptionItem) -> dict[str, Any]:
        """What was asked of an item; empty once its secrets are gone, or can't be opened with the keys that we have."""
        if item.sealed_secrets is None:
            return {}
        try:
            return self._sealed.secrets(item, tenant_id).config
        except NotOpened as shut:
            # Its order can still be looked at and cancelled.
            _log.error("secrets_not_opened", tenant=tenant_id, item=item.id, reason=str(shut))
            return {}

    def resealed(self, tenant_id: str, item: SubscriptionItem, config: dict[str, Any]) -> str:
        """Raises Invalid for what can't be opened with the keys that we have."""
        try:
            secrets = replace(self._sealed.secrets(item, tenant_id), config=config)
        except NotOpened:
            raise Invalid("What was ordered can't be opened any more; cancel it and order anew") from None
        return self._seal(secrets.text(), tenant_id)


def names_of(settings: Settings) -> Names | None:
    """Where hostnames are published; None while that is not configured."""
    if settings.cloudflare_api_token is None or settings.dns_base_domain is None or settings.cloudflare_zone_id is None:
        return None
    return CloudflareNames(
        settings.cloudflare_api_token,
        settings.cloudflare_api_base,
        settings.cloudflare_zone_id,
        settings.dns_base_domain,
    )


def server_effects(
    settings: Settings, find_item: FindItem, providers: Providers, names: Names | None, keyring: Keyring
) -> ServerEffects:
    return ServerEffects(
        find_item,
        providers,
        names,
        Sealed(open=keyring.open),
        images=StackImages(
            controller=settings.controller_image,
            manager=settings.manager_image,
            database=settings.stack_database_image,
        ),
        domain=settings.dns_base_domain,
    )


def with_providers(policy: BillingPolicy, providers: Providers) -> BillingPolicy:
    """The seller's rules, with who can deploy servers."""
    ready = frozenset(provider.id for provider in providers.all() if provider.configured)
    return replace(policy, providers=frozenset(providers.ids), providers_ready=ready)


def stack_update(keyring: Keyring, port: int = SSH_PORT) -> Callable[[str, SubscriptionItem], Awaitable[str | None]]:
    """Updates an item's server over SSH, with a key that is opened for just that; why it failed, or None."""
    sealed = Sealed(open=keyring.open)

    async def update(tenant_id: str, item: SubscriptionItem) -> str | None:
        assert item.public_ip is not None, "only what runs is updated"
        try:
            key = sealed.secrets(item, tenant_id).ssh_private_key
            await update_stack(item.public_ip, port, key, item.host_public_key, item.service or "")
        except (ServerAway, ServerRefused, NotOpened) as failed:
            return str(failed)
        return None

    return update


def look_ups(providers: Providers) -> dict[str, LookUp]:
    """For the dashboard, by provider: all its sockets share one listing of the account."""
    return {provider.id: partial(_look_up, providers, provider.id) for provider in providers.all()}


async def _look_up(
    providers: Providers, provider_id: str, tenant_id: str, items: Sequence[SubscriptionItem]
) -> list[SeenServer]:
    states = await providers.states(provider_id)
    return [
        SeenServer(
            item_id=item.id,
            name=server.name,
            public_ip=server.public_ip or item.public_ip or "",
            private_ip=server.private_ip,
            status=server.status,
            metadata=server.metadata or None,
        )
        for item in items
        if (server := server_of(item, states)) is not None
    ]
