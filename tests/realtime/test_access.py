"""Every socket event against everybody who may not: nobody hears of another's servers.

The events are asked of the server, so that one that is added later is tried by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from socketio import AsyncServer

from decabilld.domain.entities import SubscriptionItem, User
from decabilld.http.auth import Tokens, UserAuthenticator
from decabilld.realtime import server as realtime_server
from decabilld.realtime.dashboard import Dashboard
from decabilld.realtime.ports import RealtimeSettings
from decabilld.realtime.server import create_socket_app
from decabilld.store.pool import Pool
from decabilld.store.tenant_store import PostgresTenantStore
from tests.jobs.living import MovedClock, tenants_over
from tests.realtime.site import NAMESPACE, Client
from tests.realtime.test_dashboard import NOTHING_DUE, Server
from tests.store import samples as s

SECRET = "0123456789abcdef0123456789abcdef"
VICTIM, BYSTANDER, STRANGER = s.user(), s.user(role="user"), s.user()
CLOUD, FOREIGN_CLOUD = s.service_type(provider="cloud"), s.service_type(provider="cloud")
OFFERED, FOREIGN_PLAN = s.plan(CLOUD), s.plan(FOREIGN_CLOUD)
OWN = s.subscription(VICTIM, OFFERED, status="active", **NOTHING_DUE)
OTHERS = s.subscription(BYSTANDER, OFFERED, status="active", **NOTHING_DUE)
FOREIGN = s.subscription(STRANGER, FOREIGN_PLAN, status="active", **NOTHING_DUE)
ITEM, OTHERS_ITEM, FOREIGN_ITEM = (
    s.item(of, service_type_id=kind.id, provider="cloud", service="controller")
    for of, kind in ((OWN, CLOUD), (OTHERS, CLOUD), (FOREIGN, FOREIGN_CLOUD))
)
ENTITIES: dict[str, list[Any]] = {
    "default": [VICTIM, BYSTANDER, CLOUD, OFFERED, OWN, OTHERS, ITEM, OTHERS_ITEM],
    "acme": [STRANGER, FOREIGN_CLOUD, FOREIGN_PLAN, FOREIGN, FOREIGN_ITEM],
}
MARKERS = (VICTIM.id, VICTIM.email_key, OWN.id, OWN.number, ITEM.id, f"server-{ITEM.id}")
PAYLOADS: list[Any] = [
    None,
    {"pollIntervalMs": 10_000},
    *({name: value} for name in ("userId", "tenantId", "subscriptionId", "itemId", "room") for value in MARKERS[:1]),
    {"userId": VICTIM.id, "subscriptionId": OWN.id, "itemId": ITEM.id, "tenantId": "default"},
    MARKERS[2],
]


async def seen(tenant_id: str, items: Sequence[SubscriptionItem]) -> list[Server]:
    return [Server(item.id, name=f"server-{item.id}") for item in items]


class Door:
    """The running site: where it is, what it listens to, and tokens for it."""

    def __init__(self, url: str, events: list[str], tokens: Tokens, clock: MovedClock) -> None:
        self.url, self.events, self.tokens, self.clock = url, events, tokens, clock
        self.clients: list[Client] = []

    def client(self) -> Client:
        self.clients.append(Client())
        return self.clients[-1]

    async def entered(self, user: User, tenant_id: str) -> Client:
        client = self.client()
        token = self.tokens.issue(user, tenant_id)
        await client.connect(self.url, auth={"Authorization": f"Bearer {token}", "tenantId": tenant_id})
        return client


@pytest.fixture
async def door(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    servers: list[AsyncServer] = []

    def made(**options: Any) -> AsyncServer:
        servers.append(AsyncServer(**options))
        return servers[-1]

    monkeypatch.setattr(realtime_server, "AsyncServer", made)
    pool = await Pool.open(database, size=1)
    for tenant_id, entities in ENTITIES.items():
        store = PostgresTenantStore(database, tenant_id, str(uuid4()), pool)
        await store.commit(s.batch(await store.claim(), entities))
        await store.close()
    await pool.close()
    clock = MovedClock()
    async with tenants_over(database, list(ENTITIES), clock) as tenants:
        tenants.start()
        while tenants.not_ready():  # noqa: ASYNC110 (nobody is told)
            await asyncio.sleep(0.01)
        tokens = Tokens(SECRET, clock)
        app = create_socket_app(
            RealtimeSettings(tenant_ids=frozenset(ENTITIES)),
            authenticator=UserAuthenticator(tokens, tenants),
            snapshot=Dashboard(tenants, {"cloud": seen}).snapshot,
            clock=clock,
        )
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        events = sorted(set(servers[0].handlers[NAMESPACE]) - {"connect", "disconnect"})
        door = Door(f"http://127.0.0.1:{runner.addresses[0][1]}", events, tokens, clock)
        yield door
        for client in door.clients:
            await client.sio.disconnect()
        await runner.cleanup()


async def test_every_event_tells_each_only_of_their_own(door: Door) -> None:
    assert "subscribeDashboardStatus" in door.events
    for user, tenant_id, own in (
        (VICTIM, "default", ITEM), (BYSTANDER, "default", OTHERS_ITEM), (STRANGER, "acme", FOREIGN_ITEM)
    ):  # fmt: skip
        client = await door.entered(user, tenant_id)
        for event in door.events:
            for payload in PAYLOADS:
                await client.call(event, *([] if payload is None else [payload]))
        told = repr(client.heard)
        assert f"server-{own.id}" in told
        if user is not VICTIM:
            assert not [marker for marker in MARKERS if marker in told]


async def test_nobody_else_gets_in(door: Door) -> None:
    long_ago = Tokens(SECRET, lambda: door.clock() - timedelta(days=8))
    tries = [
        (None, "default"),
        ("Bearer garbage", "default"),
        (f"Bearer {long_ago.issue(VICTIM, 'default')}", "default"),
        (f"Bearer {door.tokens.issue(STRANGER, 'acme')}", "default"),
        (f"Bearer {door.tokens.issue(STRANGER, 'default')}", "default"),
        (f"Bearer {door.tokens.issue(VICTIM, 'default')}", "acme"),
    ]
    for authorization, tenant_id in tries:
        client = door.client()
        said = await client.refused(door.url, auth={"Authorization": authorization, "tenantId": tenant_id})
        assert said == "Unauthorized", (authorization, tenant_id)
        assert not [marker for marker in MARKERS if marker in repr(client.heard)]
