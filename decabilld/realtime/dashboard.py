"""The dashboard's snapshot: which of a user's items are shown, and what their providers say of them.

Owns the choice, anew each time, from the published state. How a provider is asked, and how often at most, is its
gateway's affair; with no provider there is nothing to show.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from decabilld.actors.registry import Tenants
from decabilld.actors.tenant.indexes import ITEMS_OF_SUBSCRIPTION, SUBSCRIPTIONS_OF_USER
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Id, SubscriptionItem
from decabilld.realtime.ports import LookUp, NothingSeen, ServerStatus

LOOK_UP_SECONDS = 5.0
_log = structlog.get_logger("realtime")


class Dashboard:
    """`look_ups` are by provider, as items name it. `domain`: what hostnames lie under; None without DNS."""

    def __init__(self, tenants: Tenants, look_ups: Mapping[str, LookUp], domain: str | None = None) -> None:
        self._tenants, self._look_ups, self._domain = tenants, look_ups, domain
        self._silent: set[str] = set()
        """Providers of which it is told already that they don't answer: thousands of sockets ask."""

    async def snapshot(self, tenant_id: str, user_id: Id) -> list[dict[str, Any]]:
        """The user's servers. A provider that fails leaves out its own; raises NothingSeen if all do, Unavailable."""
        items = self._by_provider(self._tenants.published(tenant_id), user_id)
        answers = await asyncio.gather(*(self._ask(provider, tenant_id, asked) for provider, asked in items.items()))
        if answers and all(answer is None for answer in answers):
            raise NothingSeen
        item_of = {item.id: item for asked in items.values() for item in asked}
        return [
            self._shown(item_of[server.item_id], server)
            for answer in answers
            for server in answer or ()
            if server.item_id in item_of
        ]

    def _by_provider(self, state: TenantState, user_id: Id) -> dict[str, list[SubscriptionItem]]:
        found: dict[str, list[SubscriptionItem]] = {}
        for item in provisioned_items(state, user_id):
            if item.provider in self._look_ups:
                found.setdefault(item.provider, []).append(item)
        return found

    def _shown(self, item: SubscriptionItem, server: ServerStatus) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "subscriptionId": item.subscription_id,
            "itemId": item.id,
            "service": item.service,
            "name": server.name,
            "publicIp": server.public_ip,
            "status": server.status,
            "hostname": item.hostname,
        }
        perhaps = {
            "privateIp": server.private_ip,
            "metadata": server.metadata,
            "hostnameFqdn": None if self._domain is None else f"{item.hostname}.{self._domain}",
        }
        return shown | {key: value for key, value in perhaps.items() if value is not None}

    async def _ask(
        self, provider: str, tenant_id: str, items: Sequence[SubscriptionItem]
    ) -> Sequence[ServerStatus] | None:
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                seen = await self._look_ups[provider](tenant_id, items)
        except Exception as error:  # noqa: BLE001 (whatever an outsider does wrong: logged, and its items are left out)
            if provider not in self._silent:
                self._silent.add(provider)
                _log.warning("provider_silent", provider=provider, reason=f"{type(error).__name__}: {error}")
            return None
        self._silent.discard(provider)
        return seen


def provisioned_items(state: TenantState, user_id: Id) -> list[SubscriptionItem]:
    """The items in use of the user's running subscriptions (those with notice given run, too), oldest first."""
    items = [
        item
        for subscription in state.each(SUBSCRIPTIONS_OF_USER, user_id)
        if subscription.status in ("active", "pending_cancel")
        for item in state.each(ITEMS_OF_SUBSCRIPTION, subscription.id)
        if item.provisioning_status == "active" and item.service is not None
    ]
    return sorted(items, key=lambda item: (item.created_at, item.id))
