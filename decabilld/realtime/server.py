"""The Socket.IO site as an aiohttp application: transports, their limits, start and end.

Owns what holds for every connection. What is said over them is the namespace's affair.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from aiohttp import web
from socketio import AsyncServer
from socketio.packet import Packet

from decabilld.clock import Clock
from decabilld.realtime.billing_namespace import BillingNamespace
from decabilld.realtime.ports import Authenticator, RealtimeSettings, Snapshot
from decabilld.tasks import cancelled, spawn

SOCKETS_MAX = 5_000
SOCKETS: web.AppKey[Callable[[], int]] = web.AppKey("sockets")
"""Counts the transports that are open."""
MESSAGE_BYTES_MAX = 64 * 1024
WAITING_MAX = 256
"""Packets that wait for a client; whoever makes more of them is cut off."""
PING_SECONDS, PING_TIMEOUT_SECONDS = 25, 20
STRANGERS_SECONDS = 30.0
"""Between two looks for transports that came into no namespace; whoever is found twice is closed."""

NAMESPACE_LENGTH_MAX = 64
_connection: ContextVar[asyncio.Transport | None] = ContextVar("connection", default=None)
"""That of the request, a WebSocket say, from which a packet came."""

# What strangers send may be nonsense, and the library writes a traceback for each; our own faults are logged by us.
_wire_log = logging.getLogger("decabilld.realtime.wire")
_wire_log.setLevel(logging.CRITICAL)


class TextPacket(Packet):  # type: ignore[misc]
    """A packet without binary attachments, of which the library would gather any number, and without a namespace of
    any length, which it would repeat in its answer."""

    def decode(self, encoded_packet: Any) -> int:
        if super().decode(encoded_packet):
            raise ValueError("binary attachments are not spoken here")
        if len(self.namespace or "") > NAMESPACE_LENGTH_MAX:
            raise ValueError("no namespace is called that")
        return 0


class Waiting(asyncio.Queue[Any]):
    """The packets that wait for a client, whoever put them there: the library answers strangers by itself."""

    async def put(self, packet: Any) -> None:
        """Raises ValueError over the limit. None, which ends the writer, always gets in."""
        if packet is not None and self.qsize() >= WAITING_MAX:
            if (connection := _connection.get()) is not None:
                connection.abort()
            raise ValueError("too much waits for the client")
        await super().put(packet)


def create_socket_app(
    settings: RealtimeSettings, *, authenticator: Authenticator, snapshot: Snapshot, clock: Clock
) -> web.Application:
    """The site. Its shutdown closes every transport, in the way that lets clients come back by themselves.

    Run it with a short `shutdown_timeout`: a client that doesn't close is waited for that long.
    """
    origins = "*" if "*" in settings.cors_origins else list(settings.cors_origins)
    server = AsyncServer(
        async_mode="aiohttp",
        # Event after event of a socket, none piling up as tasks: whoever sends too fast waits.
        async_handlers=False,
        namespaces=[settings.namespace],
        serializer=TextPacket,
        # An empty list would allow every origin; None means our own.
        cors_allowed_origins=origins or None,
        cors_credentials=origins != "*",
        max_http_buffer_size=MESSAGE_BYTES_MAX,
        ping_interval=PING_SECONDS,
        ping_timeout=PING_TIMEOUT_SECONDS,
        logger=_wire_log,
        engineio_logger=_wire_log,
    )
    server.eio.create_queue = Waiting
    _let_waiting_end(server)
    namespace = BillingNamespace(server, settings, authenticator=authenticator, snapshot=snapshot, clock=clock)
    app = web.Application(middlewares=[_door(server)])
    app[SOCKETS] = lambda: len(server.eio.sockets)
    server.attach(app)

    async def sweeping(_: web.Application) -> AsyncIterator[None]:
        task = spawn(_send_strangers_away(server, namespace), name="socket strangers")
        yield
        await cancelled(task)

    async def close_all(_: web.Application) -> None:
        await namespace.farewell()
        await asyncio.gather(*(transport.close(wait=False) for transport in list(server.eio.sockets.values())))
        await server.shutdown()

    app.cleanup_ctx.append(sweeping)
    app.on_shutdown.append(close_all)
    return app


def _door(server: AsyncServer) -> Any:
    @web.middleware
    async def door(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """No new transport over the limit; one that talks nonsense below Socket.IO is cut off."""
        if request.method == "GET" and "sid" not in request.query and len(server.eio.sockets) >= SOCKETS_MAX:
            return web.Response(status=503, headers={"Retry-After": "30"}, text="Too many sockets")
        _connection.set(request.transport)
        try:
            return await handler(_plain(request))
        except (ValueError, LookupError):  # the library can't read the frame, and would leave it to us to log it
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=400)

    return door


def _plain(request: web.Request) -> web.Request:
    """Without the compression that browsers offer: its windows would cost each socket 130 KB for a few words."""
    if "Sec-WebSocket-Extensions" not in request.headers:
        return request
    headers = request.headers.copy()
    del headers["Sec-WebSocket-Extensions"]
    return request.clone(headers=headers)


async def _send_strangers_away(server: AsyncServer, namespace: BillingNamespace) -> None:
    """A transport costs memory before anybody has shown a token, and after the namespace has shown them out."""
    seen: set[str] = set()
    while True:
        await asyncio.sleep(STRANGERS_SECONDS)
        strangers = set(server.eio.sockets) - namespace.eio_sids
        for eio_sid in strangers & seen:
            await server.eio.sockets[eio_sid].close(wait=False)
        seen = strangers


def _let_waiting_end(server: AsyncServer) -> None:
    """On a transport's end: None makes the library's writer close its WebSocket, and answers a poll that is held.

    Left to itself it would hold the poll for 45 s, though the client has said goodbye.
    """
    library_handler = server.eio.handlers["disconnect"]

    async def on_disconnect(eio_sid: str, reason: str) -> None:
        await library_handler(eio_sid, reason)
        if (transport := server.eio.sockets.get(eio_sid)) is not None:
            transport.queue.put_nowait(None)

    server.eio.on("disconnect", on_disconnect)
