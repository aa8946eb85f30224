"""A tenant's actor on the real PostgreSQL, with its outbox where a test wants one: the kernel without its edges."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from decabilld.actors.actor import TenantActor
from decabilld.actors.outbox import Outbox
from decabilld.actors.ports import IdempotencyKey, Runners
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import CustomerProfile, Party, Subscription, User
from decabilld.domain.policy import BillingPolicy
from decabilld.messages.commands import (
    CreateServicePlan,
    CreateUser,
    MoveTestClock,
    OrderSubscription,
    UpdateCustomerProfile,
)
from decabilld.messages.decision import Command
from decabilld.store.pool import Pool, connect
from decabilld.store.tenant_store import PostgresTenantStore

TENANT = "acme"
POLICY = BillingPolicy(
    zone=ZoneInfo("UTC"),
    issuer=Party(name="Seller GmbH", address_line1="Weg 1", city="Leipzig", country="DE", vat_id="DE123456789"),
    test_clock=True,
    online_payment=True,
)


class MovedClock:
    """Real time and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Stage:
    """Starts actors over one database; all are stopped with it."""

    def __init__(self, dsn: str, pool: Pool) -> None:
        self.dsn, self.pool, self.clock = dsn, pool, MovedClock()
        self._tasks: list[tuple[TenantActor, Outbox | None, list[asyncio.Task[None]]]] = []

    def store(self) -> PostgresTenantStore:
        return PostgresTenantStore(self.dsn, TENANT, str(uuid4()), self.pool)

    async def actor(self, store: PostgresTenantStore | None = None, runners: Runners | None = None) -> TenantActor:
        """Loaded; with an outbox if there are runners."""
        store = store or self.store()
        actor = TenantActor(TENANT, store, clock=self.clock, policy=POLICY)
        tasks = [asyncio.create_task(actor.run())]
        outbox = None
        if runners is not None:
            outbox = Outbox(actor, store, runners, self.clock)
            actor.on_effects = outbox.wake
            tasks.append(asyncio.create_task(outbox.run()))
        self._tasks.append((actor, outbox, tasks))
        await self.until(lambda: actor.reason_down is None)
        return actor

    async def stop(self) -> None:
        while self._tasks:
            actor, outbox, tasks = self._tasks.pop()
            if outbox is not None:
                await outbox.stop(1.0)
            actor.stop()
            await asyncio.wait(tasks, timeout=5)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - as a watcher would
                await asyncio.sleep(0.005)

    async def value(self, sql: str, *params: Any) -> Any:
        """The one value that a session beside the actor's reads."""
        connection = await connect(self.dsn, statement_timeout_ms=10_000)
        try:
            rows = await connection.execute(sql, params)
            return rows[0][0] if rows else None
        finally:
            await connection.close()

    async def commits(self) -> int:
        return int(await self.value("SELECT n FROM tenant_heads WHERE tenant_id = %s", TENANT))

    async def reloaded(self) -> TenantState:
        """What a fresh start would load."""
        store = self.store()
        try:
            entities, ended = await store.load_live()
            return TenantState(tenant_id=TENANT).with_changes(entities).with_ended_counts(ended)
        finally:
            await store.close()


async def tell(actor: TenantActor, command: Command, **more: Any) -> Any:
    return await actor.ask(command, **{"who": "user:test", "cause": "test", **more})


async def outcomes(*asked: Awaitable[Any]) -> list[Any]:
    """Replies, and errors instead of those that failed."""
    return list(await asyncio.gather(*asked, return_exceptions=True))


async def new_user(actor: TenantActor, name: str = "anna") -> User:
    user = await tell(actor, CreateUser(email=f"{name}@example.org", password_hash="x"))
    assert isinstance(user, User)
    return user


def profile_of(user: User, **fields: Any) -> UpdateCustomerProfile:
    return UpdateCustomerProfile(user_id=user.id, fields=fields)


def profiles(state: TenantState) -> dict[str, str | None]:
    """Cities by user."""
    return {profile.user_id: profile.city for profile in state.all(CustomerProfile).values()}


def key(name: str, body: str = "", who: str = "user:test") -> IdempotencyKey:
    def render(reply: Any) -> tuple[int, bytes]:
        return 201, f'{{"id":"{reply.id}"}}'.encode()

    return IdempotencyKey(who=who, key=name, request_digest=body, render=render)


COMPLETE = {
    "first_name": "Anna",
    "last_name": "Muster",
    "email": "anna@example.org",
    "address_line1": "Weg 7",
    "city": "Berlin",
    "country": "DE",
}


async def subscribed(actor: TenantActor, *names: str, price: str = "10.00", days: int = 1) -> list[Subscription]:
    """A customer each, with a plan that is charged every few days; all of them ordered now."""
    plan = await tell(
        actor,
        CreateServicePlan(
            fields={"name": "Plan", "interval": "day", "interval_count": days, "base_price": Decimal(price)}
        ),
    )
    users = await asyncio.gather(*(new_user(actor, name) for name in names))
    await asyncio.gather(*(tell(actor, profile_of(user, **COMPLETE)) for user in users))
    orders = [OrderSubscription(user_id=user.id, plan_id=plan.id) for user in users]
    return list(await asyncio.gather(*(tell(actor, order) for order in orders)))


async def days_pass(actor: TenantActor, days: int) -> None:
    """On the test clock."""
    await tell(actor, MoveTestClock(to=actor.now() + timedelta(days=days)), timeout_seconds=30)
