"""Tenants that live: real actors over a real PostgreSQL, under a clock that the test moves."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from decabilld.actors.registry import Tenants
from decabilld.clock import system_clock
from decabilld.domain.entities import Id, User
from decabilld.domain.policy import BillingPolicy
from decabilld.messages.commands import CreateUser
from decabilld.messages.decision import Command
from decabilld.store.pool import Pool
from decabilld.store.tenant_store import PostgresTenantStore

UTC_POLICY = BillingPolicy(zone=ZoneInfo("UTC"))


class MovedClock:
    """Real time plus what the test has added."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return system_clock() + self.ahead


@asynccontextmanager
async def tenants_over(
    database: str, tenant_ids: Iterable[str], clock: MovedClock, policy: BillingPolicy = UTC_POLICY
) -> AsyncIterator[Tenants]:
    """Not started yet; stopped at the end."""
    pool = await Pool.open(database, size=2)
    owner = str(uuid4())
    tenants = Tenants(
        tenant_ids,
        store_of=lambda tenant_id: PostgresTenantStore(database, tenant_id, owner, pool),
        runners={},
        clock=clock,
        policy=policy,
    )
    yield tenants
    await tenants.stop(1.0)
    await pool.close()


async def ask(tenants: Tenants, tenant_id: str, command: Command) -> Any:
    return await tenants.ask(tenant_id, command, who="test", cause="test")


async def customer(tenants: Tenants, tenant_id: str, email: str = "ada@example.org") -> User:
    user = await ask(tenants, tenant_id, CreateUser(email=email, password_hash="-"))
    assert isinstance(user, User)
    return user


def id_of(number: int) -> Id:
    return f"00000000-0000-4000-8000-{number:012d}"
