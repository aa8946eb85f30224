"""A fake Hetzner in a process of its own, and a world whose customers have servers there.

Owns what both measures of servers need. `python -m bench.cloud ITEM_ID…` serves a server for each item and prints its
base address; each line that it reads is the seconds by which it answers late from then on.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from aiohttp import web
from msgspec import Struct

from bench.daemon import stopped
from bench.world import NOW, TENANT, World, batch_of, create
from decabilld.domain.entities import Entity, Id, ServicePlan, ServiceType, Subscription, SubscriptionItem
from decabilld.ids import new_id
from decabilld.store.embedded import EmbeddedPostgres
from decabilld.store.pool import Pool
from decabilld.store.tenant_store import PostgresTenantStore

START_SECONDS = 20.0
FIRST_SERVER = 4711
"""The fake counts from here."""
TOKEN = "hetzner-token-of-measurements"


class Shop(Struct, frozen=True, kw_only=True):
    """`world` and its servers: those of customer n are `servers` at n; `plan` sells more of them."""

    world: World
    plan: Id
    servers: list[list[SubscriptionItem]]

    @property
    def items(self) -> list[SubscriptionItem]:
        return [item for items in self.servers for item in items]


async def create_shop(data_dir: Path, *, customers: int, servers: int) -> Shop:
    """A new data directory; each customer has that many running servers in one subscription."""
    world = await create(data_dir, customers=customers)
    postgres = EmbeddedPostgres(data_dir, max_connections=20)
    await postgres.start()
    try:
        pool = await Pool.open(postgres.dsn, size=1)
        store = PostgresTenantStore(postgres.dsn, TENANT, new_id(), pool)
        head = await store.claim()
        live, _ = await store.load_live()
        of = {one.user_id: one for one in live if isinstance(one, Subscription)}
        kind, plan = _sold(world)
        numbers = count(FIRST_SERVER)
        rows = [[_item(of[customer.id], next(numbers)) for _ in range(servers)] for customer in world.customers]
        entities: list[Entity] = [kind, plan, *(item for items in rows for item in items)]
        await store.commit(batch_of(head, entities))
        await store.close()
        await pool.close()
        return Shop(world=world, plan=plan.id, servers=rows)
    finally:
        await postgres.stop()


def _sold(world: World) -> tuple[ServiceType, ServicePlan]:
    text = {"type": "string"}
    schema = {"type": "object", "properties": {"serverType": text, "location": {**text, "enum": ["fsn1", "nbg1"]}}}
    kind = ServiceType(
        id=new_id(), key="server", name="Server", provider="hetzner", config_schema=schema, created_at=NOW,
        updated_at=NOW,
    )  # fmt: skip
    plan = ServicePlan(
        id=new_id(), service_type_id=kind.id, name="Server", interval="month", interval_count=1,
        base_price=world.daily.base_price,
        provider_config_defaults={"serverType": "cx23", "location": "fsn1", "service": "manager",
                                  "authenticationMethod": "api-key"},
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    return kind, plan


def _item(subscription: Subscription, number: int) -> SubscriptionItem:
    id_ = new_id()
    return SubscriptionItem(
        id=id_, subscription_id=subscription.id, user_id=subscription.user_id, provisioning_status="active",
        provider="hetzner", server_type="cx23", location="fsn1", service="manager", ssh_public_key="ssh-ed25519 A",
        host_public_key="ssh-ed25519 B", hostname=f"calm-heron-{id_}", server_id=str(number), public_ip="203.0.113.7",
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip


class Cloud:
    """The fake's process."""

    def __init__(self, process: asyncio.subprocess.Process, base: str) -> None:
        self._process = process
        self.settings = {"HETZNER_API_TOKEN": TOKEN, "HETZNER_API_BASE": base}

    async def answer_late(self, seconds: float) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{seconds}\n".encode())
        await asyncio.wait_for(self._process.stdout.readline(), START_SECONDS)


@asynccontextmanager
async def cloud(shop: Shop) -> AsyncIterator[Cloud]:
    """Running, with the servers of the shop."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, *(item.id for item in shop.items), stdin=-1, stdout=-1
    )
    assert process.stdout is not None
    try:
        base = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        yield Cloud(process, base.decode().strip())
    finally:
        await stopped(process)


async def _serve(item_ids: list[str]) -> None:
    from tests.providers.fake_hetzner import LABEL, FakeHetzner

    class LateHetzner(FakeHetzner):
        late_seconds = 0.0

        @web.middleware
        async def _speak(self, request: web.Request, handler: object) -> web.StreamResponse:
            await asyncio.sleep(self.late_seconds)
            return await super()._speak(request, handler)

    fake = LateHetzner(TOKEN)
    for number, item_id in enumerate(item_ids):
        fake.add_server(f"server-{number}", {LABEL: item_id})
    await fake.start()
    print(fake.base, flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        fake.late_seconds = float(line)
        print(line, flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1:]))
