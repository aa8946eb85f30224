"""The `/billing` namespace: who is connected, and the dashboard stream that a socket may subscribe to.

Owns connections and streams. What a snapshot holds is `dashboard.py`'s, what a token counts the authenticator's: it
is asked again before each snapshot, so that an expired or revoked token ends the stream.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from socketio import AsyncServer
from socketio.exceptions import ConnectionRefusedError as Refused

from decabilld.actors.ports import Unavailable
from decabilld.clock import Clock
from decabilld.domain.refusals import Forbidden, Invalid, Unauthenticated
from decabilld.realtime.auth import credentials_of, tenant_of
from decabilld.realtime.payloads import ERROR, SUBSCRIBE, UNSUBSCRIBE, UPDATE, poll_interval_ms
from decabilld.realtime.ports import Authenticator, Caller, NothingSeen, RealtimeSettings, Snapshot
from decabilld.tasks import spawn

JITTER = 0.08
"""Share of the interval; the contract allows 0.1, the rest is left to a busy loop."""
SNAPSHOT_SECONDS = 8.0
UNREAD_MAX = 64
NOT_A_USER = "User not authenticated"
NOT_LOADED = "Failed to load dashboard status"
RESTARTING = "The server is restarting"
_log = structlog.get_logger("realtime")


class Connected:
    """A socket that was let in. `authorization` is kept to prove it again; `turn` keeps its events in order."""

    __slots__ = ("authorization", "caller", "eio_sid", "sid", "stream", "turn")

    def __init__(self, sid: str, eio_sid: str, authorization: str | None, caller: Caller) -> None:
        self.sid, self.eio_sid = sid, eio_sid
        self.authorization, self.caller = authorization, caller
        self.stream: asyncio.Task[None] | None = None
        self.turn = asyncio.Lock()

    def stop_stream(self) -> None:
        if self.stream is not None and self.stream is not asyncio.current_task():
            self.stream.cancel()
        self.stream = None


Handle = Callable[[Connected, Any], Awaitable[None]]


class BillingNamespace:
    """Registers itself with the server; at most one stream a socket."""

    def __init__(
        self,
        server: AsyncServer,
        settings: RealtimeSettings,
        *,
        authenticator: Authenticator,
        snapshot: Snapshot,
        clock: Clock,
    ) -> None:
        self._server, self._settings, self._clock = server, settings, clock
        self._authenticator, self._snapshot = authenticator, snapshot
        self._sockets: dict[str, Connected] = {}
        name = settings.namespace
        server.on("connect", self._connect, namespace=name)
        server.on("disconnect", self._disconnect, namespace=name)
        server.on(SUBSCRIBE, self._event(self._subscribe), namespace=name)
        server.on(UNSUBSCRIBE, self._event(self._unsubscribe), namespace=name)

    @property
    def eio_sids(self) -> set[str]:
        """The transports of the sockets that were let in."""
        return {socket.eio_sid for socket in self._sockets.values()}

    # --- coming and going ---

    async def _connect(self, sid: str, environ: Mapping[str, Any], auth: object = None, *_: object) -> None:
        # A connected client can send an event that is called "connect", with an environ of its own making.
        if sid in self._sockets:
            return
        eio_sid: str = self._server.manager.eio_sid_from_sid(sid, self._settings.namespace)
        credentials = credentials_of(auth, environ)
        try:
            tenant_id = tenant_of(credentials, self._settings)
            caller = await self._authenticator.authenticate(credentials.authorization, tenant_id)
        except Invalid:
            raise Refused("Invalid tenant") from None
        except (Unauthenticated, Forbidden):
            raise Refused("Unauthorized") from None
        except Unavailable:
            raise Refused("Not available now") from None
        except Exception:  # noqa: BLE001 (a bug: logged; not refused, the socket would stay neither in nor out)
            _log.exception("handshake_failed")
            raise Refused("Internal server error") from None
        transport = self._server.eio.sockets.get(eio_sid)
        if transport is None or transport.closed:
            raise Refused("Gone")
        self._sockets[sid] = Connected(sid, eio_sid, credentials.authorization, caller)

    async def _disconnect(self, sid: str, *_: object) -> None:
        if (socket := self._sockets.pop(sid, None)) is not None:
            socket.stop_stream()

    async def _end(self, socket: Connected, message: str) -> None:
        """Tell why and disconnect. Forgotten first: the disconnect must not cancel the stream that does it."""
        self._sockets.pop(socket.sid, None)
        socket.stop_stream()
        await self._error(socket, message)
        await self._server.disconnect(socket.sid, namespace=self._settings.namespace)

    async def farewell(self) -> None:
        """Tell everybody why their streams end. Their transports are closed next; clients come back by themselves."""
        sockets, self._sockets = list(self._sockets.values()), {}
        for socket in sockets:
            socket.stop_stream()
            await self._error(socket, RESTARTING)

    # --- what clients ask ---

    def _event(self, handle: Handle) -> Callable[..., Awaitable[None]]:
        """An event as the library calls it: from a socket that is connected and reads, one at a time."""

        async def run(sid: str, payload: object = None, *_: object) -> None:
            socket = self._sockets.get(sid)
            if socket is None:
                return
            if self._unread(socket) > UNREAD_MAX:
                await self._end(socket, "Too much is unread")
                return
            async with socket.turn:
                await handle(socket, payload)

        return run

    async def _subscribe(self, socket: Connected, payload: object) -> None:
        if socket.caller.user_id is None:
            await self._error(socket, NOT_A_USER)
            return
        try:
            interval_ms = poll_interval_ms(payload, self._settings.poll_interval_ms)
        except Invalid as refusal:
            await self._error(socket, refusal.message)
            return
        socket.stop_stream()
        if await self._tick(socket):
            socket.stream = spawn(self._stream(socket, interval_ms / 1000), name=f"dashboard {socket.sid}")

    async def _unsubscribe(self, socket: Connected, _: object) -> None:
        socket.stop_stream()

    # --- the stream ---

    async def _stream(self, socket: Connected, interval_seconds: float) -> None:
        """Snapshot after snapshot. Jitter spreads those that came together, after a restart say, more and more."""
        going_on = True
        while going_on:
            await asyncio.sleep(interval_seconds * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311
            going_on = await self._tick(socket)

    async def _tick(self, socket: Connected) -> bool:
        """One snapshot, if the token still counts. False once the socket is gone."""
        caller = socket.caller
        assert caller.user_id is not None, "only users have a stream"
        if self._unread(socket) > UNREAD_MAX:
            await self._end(socket, "Too much is unread")
            return False
        generated_at = self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        try:
            await self._authenticator.authenticate(socket.authorization, caller.tenant_id)
            async with asyncio.timeout(SNAPSHOT_SECONDS):
                items = await self._snapshot(caller.tenant_id, caller.user_id)
        except (Unauthenticated, Forbidden) as refusal:
            await self._end(socket, refusal.message)
        except (Unavailable, NothingSeen, TimeoutError):
            await self._error(socket, NOT_LOADED)
        except Exception:  # noqa: BLE001 (a bug: logged; the stream tries again)
            _log.exception("snapshot_failed", tenant=caller.tenant_id)
            await self._error(socket, NOT_LOADED)
        else:
            await self._emit(socket, UPDATE, {"generatedAt": generated_at, "items": items})
        return socket.sid in self._sockets

    async def _error(self, socket: Connected, message: str) -> None:
        await self._emit(socket, ERROR, {"message": message})

    async def _emit(self, socket: Connected, event: str, payload: dict[str, Any]) -> None:
        await self._server.emit(event, payload, to=socket.sid, namespace=self._settings.namespace)

    def _unread(self, socket: Connected) -> int:
        """Packets that wait for the client: the library's queue has no limit of its own."""
        transport = self._server.eio.sockets.get(socket.eio_sid)
        return 0 if transport is None else int(transport.queue.qsize())
