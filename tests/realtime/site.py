"""A running Socket.IO site, and a client that remembers what it was told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import socketio
from aiohttp import web

from decabilld.actors.registry import Tenants
from decabilld.domain.entities import User
from decabilld.http.auth import ApiKeyAuthenticator, Tokens, UserAuthenticator
from decabilld.realtime.dashboard import Dashboard
from decabilld.realtime.ports import Authenticator, RealtimeSettings
from decabilld.realtime.server import create_socket_app
from tests.jobs.living import MovedClock, customer

NAMESPACE = "/billing"


class Client:
    """`heard` is what came, in order; acknowledgements are in it as `("ack", …)`."""

    def __init__(self) -> None:
        self.sio = socketio.AsyncClient(reconnection=False)
        self.heard: list[tuple[str, Any]] = []
        self._news = asyncio.Event()
        for event in ("dashboardStatusUpdate", "error", "connect_error", "disconnect"):
            self.sio.on(event, self._hear(event), namespace=NAMESPACE)

    def _hear(self, event: str) -> Any:
        async def hear(said: Any = None) -> None:
            self.heard.append((event, said))
            self._news.set()

        return hear

    def count(self, event: str) -> int:
        return sum(1 for name, _ in self.heard if name == event)

    def last(self, event: str) -> Any:
        return [said for name, said in self.heard if name == event][-1]

    async def until(self, event: str, times: int = 1) -> Any:
        """What came with it, once it came that often."""
        async with asyncio.timeout(5):
            while self.count(event) < times:
                self._news.clear()
                await self._news.wait()
        return self.last(event)

    async def call(self, event: str, *payload: Any) -> None:
        """Emit, and wait for the acknowledgement."""
        await self.sio.call(event, payload or None, namespace=NAMESPACE, timeout=5)
        self.heard.append(("ack", event))

    async def refused(self, url: str, **credentials: Any) -> str:
        """Why the handshake failed."""
        try:
            await self.connect(url, **credentials)
        except socketio.exceptions.ConnectionError:
            message: str = (await self.until("connect_error"))["message"]
            return message
        raise AssertionError("the handshake was accepted")

    async def connect(
        self, url: str, transport: str = "websocket", headers: dict[str, str] | None = None, auth: Any = None
    ) -> None:
        await self.sio.connect(
            url, headers=headers or {}, auth=auth, transports=[transport], namespaces=[NAMESPACE], wait_timeout=3
        )


class Site:
    """`url` is where it listens; `ada` is a user of both tenants."""

    def __init__(self, tenants: Tenants, tokens: Tokens, clock: MovedClock, ada: dict[str, User]) -> None:
        self.tenants, self.tokens, self.clock, self.ada = tenants, tokens, clock, ada
        self.clients: list[Client] = []
        self.runner: web.AppRunner | None = None
        self.url = ""

    def token(self, tenant_id: str = "default") -> str:
        return f"Bearer {self.tokens.issue(self.ada[tenant_id], tenant_id)}"

    def client(self) -> Client:
        self.clients.append(Client())
        return self.clients[-1]

    async def connected(self, transport: str = "websocket", authorization: str | None = None) -> Client:
        client = self.client()
        await client.connect(self.url, transport, auth={"Authorization": authorization or self.token()})
        return client

    async def serve(self, authenticator: Authenticator | None = None, **settings: Any) -> None:
        """Start, instead of the one that is running if any."""
        await self.stop()
        app = create_socket_app(
            RealtimeSettings(tenant_ids=frozenset(self.tenants.ids), **settings),
            authenticator=authenticator or UserAuthenticator(self.tokens, self.tenants),
            snapshot=Dashboard(self.tenants, {}).snapshot,
            clock=self.clock,
        )
        self.runner = web.AppRunner(app, shutdown_timeout=1.0)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def serve_by_key(self, key: str) -> None:
        await self.serve(ApiKeyAuthenticator(key, None))

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None


@asynccontextmanager
async def running_site(tenants: Tenants, clock: MovedClock) -> AsyncIterator[Site]:
    tenants.start()
    while tenants.not_ready():  # noqa: ASYNC110 (nobody is told)
        await asyncio.sleep(0.01)
    ada = {tenant_id: await customer(tenants, tenant_id) for tenant_id in tenants.ids}
    site = Site(tenants, Tokens("0123456789abcdef0123456789abcdef", clock), clock, ada)
    await site.serve()
    yield site
    for client in site.clients:
        await client.sio.disconnect()
    await site.stop()
