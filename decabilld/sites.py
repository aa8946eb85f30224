"""Where the daemon listens: on sockets of its own, or on those it was handed, so that a restart refuses nobody.

Owns sockets, how the edges' sites open and close, and what is told to whoever speaks no HTTP. What is said over them
is the edges' affair.
"""

import asyncio
import contextlib
import logging
import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from decabilld.http.errors import error_response
from decabilld.http.origins import SECURITY_HEADERS

FIRST_DESCRIPTOR = 3
BACKLOG = 1024
LINGER_SECONDS = 0.25
"""For requests that are on their way over a connection that seems idle."""
DRAIN_SECONDS = 1.5
CLEANUP_SECONDS = 1.0
Name = Literal["http", "socketio"]
NAMES: tuple[Name, ...] = ("http", "socketio")
PORT_OF: Mapping[Name, str] = MappingProxyType({"http": "PORT", "socketio": "WEBSOCKET_PORT"})
"""The setting of each one's port."""
_log = structlog.get_logger("sites")


_of_library = RequestHandler.handle_error


def _refuse(
    connection: RequestHandler,
    request: web.BaseRequest,
    status: int = 500,
    exc: BaseException | None = None,
    message: str | None = None,
) -> web.StreamResponse:
    """Instead of the library's own answer: in the contract's shape, and without a traceback for whatever comes."""
    if status >= 500:
        return _of_library(connection, request, status, exc, message)
    headers = {**SECURITY_HEADERS, "X-Correlation-Id": str(uuid.uuid4())}
    refused = error_response(status, "That is no HTTP/1.1, or its head is too long", headers=headers)
    refused.force_close()
    return refused


def _is_ours(record: logging.LogRecord) -> bool:
    """Not the client's, who packed badly a body that nobody has read."""
    return record.exc_info is None or not isinstance(record.exc_info[1], web.RequestPayloadError)


# Nothing short of this reaches what is no request: neither middlewares nor handlers see it.
RequestHandler.handle_error = _refuse  # type: ignore[assignment, method-assign]
logging.getLogger("aiohttp.server").addFilter(_is_ours)


class BadSocket(Exception):
    """A socket that was handed over, or an address that was set, can't be listened on; the text says which and why."""


def handed_over(environment: Mapping[str, str] = os.environ) -> dict[str, list[socket.socket]]:
    """The listening sockets that our parent has opened for us, by name (sd_listen_fds(3)). Raises BadSocket."""
    pid, count, names = (environment.get(f"LISTEN_{name}", "") for name in ("PID", "FDS", "FDNAMES"))
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    found: dict[str, list[socket.socket]] = {}
    named = names.split(":") if names else []
    for number in range(int(count)):
        name = named[number] if number < len(named) else "unknown"
        found.setdefault(name, []).append(_listening(FIRST_DESCRIPTOR + number, name))
    return found


def _listening(descriptor: int, name: str) -> socket.socket:
    if name not in NAMES:
        raise BadSocket(f"socket {descriptor} is called {name!r}: its FileDescriptorName must be http or socketio")
    try:
        handed = socket.socket(fileno=descriptor)
        listens = handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise BadSocket(f"socket {descriptor} ({name}) can't be used: {error}") from None
    if handed.family not in (socket.AF_INET, socket.AF_INET6) or handed.type != socket.SOCK_STREAM or not listens:
        raise BadSocket(f"socket {descriptor} ({name}) must be a listening TCP socket (Accept=no)")
    handed.set_inheritable(False)
    return handed


class Sites:
    """All that listen. Closing goes in two steps: `shut` lets nobody in and everybody out, `close` ends the rest."""

    def __init__(self, handed: Mapping[str, Sequence[socket.socket]] = MappingProxyType({})) -> None:
        self._handed = handed
        self._runners: dict[Name, web.AppRunner] = {}
        self._closing = False

    @property
    def all_handed_over(self) -> bool:
        """Whether somebody keeps every socket open beyond our end, a successor say waits for us."""
        return all(self._handed.get(name) for name in NAMES)

    async def open(self, name: Name, app: web.Application, host: str, port: int) -> int:
        """Serve `app` on the sockets of that name, or on one at `host` and `port`; the port it has got.

        Raises BadSocket.
        """
        app.on_response_prepare.append(self._say_goodbye)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=CLEANUP_SECONDS)
        await runner.setup()
        self._runners[name] = runner
        for handed in self._handed.get(name, ()):
            await web.SockSite(runner, handed, backlog=BACKLOG).start()
        if not runner.sites:
            try:
                await web.TCPSite(runner, host, port, backlog=BACKLOG, reuse_address=True).start()
            except OSError as error:
                raise BadSocket(f"HOST={host} {PORT_OF[name]}={port} can't be listened on: {error.strerror}") from None
        for address in runner.addresses:
            _log.info("listening", site=name, address=address[0], port=address[1], handed_over=name in self._handed)
        return int(runner.addresses[0][1])

    async def shut(self) -> None:
        """Take no more connections, tell sockets why they end, answer what was asked and close each connection then.

        On a socket that was handed over, connections wait for the successor. Whoever is not answered within
        `DRAIN_SECONDS` waits for something that only the end of the tenants ends.
        """
        self._closing = True
        for runner in self._runners.values():
            for site in runner.sites:
                await site.stop()
        sockets = self._runners.pop("socketio", None)
        await asyncio.gather(self._drain(), *(() if sockets is None else (sockets.cleanup(),)))

    async def _drain(self) -> None:
        http = self._runners.get("http")
        if http is None or http.server is None:
            return
        await asyncio.sleep(LINGER_SECONDS)
        http.server.pre_shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while connections := http.server.connections:  # nobody is told
                    for connection in connections:
                        _close_idle(connection)
                    await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Flush what is answered meanwhile, and end all connections."""
        await asyncio.gather(*(runner.cleanup() for runner in self._runners.values()))

    async def _say_goodbye(self, _: web.Request, response: web.StreamResponse) -> None:
        if self._closing and response.status != 101:
            response.headers["Connection"] = "close"
            response.force_close()


def _close_idle(connection: web.RequestHandler) -> None:
    """aiohttp (3.14) ends who serves an idle connection, but leaves the connection: nobody would answer on it."""
    serving = connection._task_handler
    if serving is not None and serving.done():
        connection.force_close()
