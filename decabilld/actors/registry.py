"""All tenants of this process: starts, supervises and stops their actors and outboxes, and finds the one to ask."""

import asyncio
from collections.abc import Callable, Iterable, Set
from datetime import datetime, timedelta

from decabilld.actors.actor import ASK_SECONDS, TenantActor
from decabilld.actors.outbox import Outbox
from decabilld.actors.ports import IdempotencyKey, Runners, TenantStore, Unavailable
from decabilld.actors.tenant.state import TenantState
from decabilld.actors.watch import Watch
from decabilld.clock import Clock
from decabilld.domain.policy import BillingPolicy
from decabilld.messages.decision import Command
from decabilld.tasks import spawn


class Tenants:
    """The tenants by id. One tenant's trouble never stops another's."""

    def __init__(
        self,
        tenant_ids: Iterable[str],
        *,
        store_of: Callable[[str], TenantStore],
        runners: Runners,
        clock: Clock,
        policy: BillingPolicy,
        watch: Watch | None = None,
    ) -> None:
        self._actors: dict[str, TenantActor] = {}
        self._outboxes: dict[str, Outbox] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._store_of, self._runners, self._watch = store_of, runners, watch
        self._clock, self._policy = clock, policy
        for tenant_id in tenant_ids:
            self._make(tenant_id)

    @property
    def ids(self) -> list[str]:
        return list(self._actors)

    @property
    def allowlist(self) -> Set[str]:
        """The ids, of those too that are added later."""
        return self._actors.keys()

    def start(self) -> None:
        """Begin to load every tenant."""
        for tenant_id in self._actors:
            self._begin(tenant_id)

    def add(self, tenant_id: str) -> None:
        """Begin to load one more."""
        self._make(tenant_id)
        self._begin(tenant_id)

    def _make(self, tenant_id: str) -> None:
        store = self._store_of(tenant_id)
        actor = TenantActor(tenant_id, store, clock=self._clock, policy=self._policy, watch=self._watch)
        outbox = Outbox(actor, store, self._runners, self._clock, self._watch)
        actor.on_effects = outbox.wake
        self._actors[tenant_id], self._outboxes[tenant_id] = actor, outbox

    def _begin(self, tenant_id: str) -> None:
        self._tasks.append(spawn(self._actors[tenant_id].run(), name=f"tenant {tenant_id}"))
        self._tasks.append(spawn(self._outboxes[tenant_id].run(), name=f"outbox {tenant_id}"))

    async def stop(self, seconds: float) -> None:
        """Finish effects and turns that are under way, up to `seconds` each; then end."""
        await asyncio.gather(*(outbox.stop(seconds) for outbox in self._outboxes.values()))
        for actor in self._actors.values():
            actor.stop()
        if self._tasks:
            _, pending = await asyncio.wait(self._tasks, timeout=seconds)
            for task in pending:
                task.cancel()

    def actor(self, tenant_id: str) -> TenantActor:
        """Raises Unavailable for a tenant that this process doesn't have."""
        try:
            return self._actors[tenant_id]
        except KeyError:
            raise Unavailable(f"no such tenant here: {tenant_id}") from None

    def published(self, tenant_id: str) -> TenantState:
        """The tenant's durable state, to read. Raises Unavailable while it isn't loaded."""
        return self.actor(tenant_id).published()

    def now(self, tenant_id: str) -> datetime:
        """The tenant's time (its test clock's, where it has one)."""
        return self.actor(tenant_id).now()

    def not_ready(self) -> dict[str, str]:
        """Tenants that can't answer now, each with the reason."""
        return {tenant_id: actor.reason_down for tenant_id, actor in self._actors.items() if actor.reason_down}

    def refused(self) -> dict[str, str]:
        """Tenants that these settings don't fit, each with the reason."""
        return {tenant_id: actor.refused for tenant_id, actor in self._actors.items() if actor.refused}

    @property
    def all_fenced(self) -> bool:
        """Whether other processes own every tenant now: there is nothing left to do here."""
        return all(actor.fenced for actor in self._actors.values())

    def late(self, tolerated: timedelta) -> dict[str, timedelta]:
        """Loaded tenants whose due work waits longer than that, each with how long."""
        lags = {tenant_id: actor.late_by() for tenant_id, actor in self._actors.items() if not actor.reason_down}
        return {tenant_id: lag for tenant_id, lag in lags.items() if lag > tolerated}

    async def ask(
        self,
        tenant_id: str,
        command: Command,
        *,
        who: str,
        cause: str,
        timeout_seconds: float = ASK_SECONDS,
        idempotency: IdempotencyKey | None = None,
    ) -> object:
        """The reply of the tenant's actor, durable. Raises the Refusal, Busy, Unavailable, or draft.Bug.

        With an idempotency key the reply is a `draft.Replayed`: the status and body kept with the key.
        """
        return await self.actor(tenant_id).ask(
            command, who=who, cause=cause, timeout_seconds=timeout_seconds, idempotency=idempotency
        )
