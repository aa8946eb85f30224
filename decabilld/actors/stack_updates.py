"""The nightly update of what runs on customers' servers. Owns whose turn it is; how it is done is handed in."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from decabilld.actors.draft import Bug
from decabilld.actors.ports import Busy, Unavailable
from decabilld.actors.registry import Tenants
from decabilld.clock import Clock
from decabilld.domain.entities import Id, SubscriptionItem
from decabilld.domain.refusals import Refusal
from decabilld.ids import new_id
from decabilld.messages.commands import ReportStackUpdate

AT_A_TIME = 4
JOB = "job:updates"
Update = Callable[[str, SubscriptionItem], Awaitable[str | None]]
"""Updates the item's server, of that tenant; why it failed, or None. Ends by itself."""
_log = structlog.get_logger("servers")


class StackUpdates:
    """Of all tenants that are served. `clock` is real time; a server's turn comes `interval` after its last update."""

    def __init__(self, tenants: Tenants, update: Update, *, clock: Clock, interval: timedelta) -> None:
        self._tenants, self._update, self._clock, self._interval = tenants, update, clock, interval

    async def look(self) -> None:
        """Update all whose turn has come, the one that has waited longest first, `AT_A_TIME` at once."""
        due = iter(self._due())

        async def one_after_another() -> None:
            for _, tenant_id, item_id in due:
                await self._updated(tenant_id, item_id)

        await asyncio.gather(*(one_after_another() for _ in range(AT_A_TIME)))

    def _due(self) -> list[tuple[datetime, str, Id]]:
        down, before = self._tenants.not_ready(), self._clock() - self._interval
        return sorted(
            (item.stack_updated_at or item.created_at, tenant_id, item.id)
            for tenant_id in self._tenants.ids
            if tenant_id not in down
            for item in self._tenants.published(tenant_id).all(SubscriptionItem).values()
            if _is_kept(item) and (item.stack_updated_at is None or item.stack_updated_at <= before)
        )

    async def _updated(self, tenant_id: str, item_id: Id) -> None:
        """Unless it isn't wanted any more by now. What can't be told is done again at the next look."""
        try:
            item = self._tenants.published(tenant_id).get(SubscriptionItem, item_id)
            if item is None or not _is_kept(item):
                return
            failure = await self._update(tenant_id, item)
            report = ReportStackUpdate(item_id=item.id, subscription_id=item.subscription_id, failure=failure)
            await self._tenants.ask(tenant_id, report, who=JOB, cause=new_id())
        except (Busy, Unavailable, Refusal, Bug) as error:
            reason = f"{type(error).__name__}: {error}"
            _log.warning("stack_update_not_told", tenant=tenant_id, item=item_id, reason=reason)


def _is_kept(item: SubscriptionItem) -> bool:
    return (
        item.provisioning_status == "active"
        and item.unwanted_since is None
        and item.service is not None
        and item.public_ip is not None
    )
