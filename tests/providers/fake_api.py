"""What the fakes of clouds have in common: an HTTP API on loopback that counts its requests and fails on demand.

Owns the connection, the log of requests and the faults; each fake owns its API, its state and its shape of errors.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from aiohttp import web

BODY = web.RequestKey("body", dict)


class ApiError(Exception):
    """Refused by the fake; `body` is JSON in its API's own shape."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body, self.headers = status, body, dict(headers or {})


@dataclass(frozen=True)
class Fault:
    """What befalls the next request that begins with `on`, such as `POST /droplets`; `""`: any.

    `status`: answered, with `body` or the API's own words, instead of acting. `lost`: the connection is cut `before` or
    `after` the API acted. `delay_seconds`: passes before. `page`: an answer that isn't the API's, as a proxy gives.
    """

    on: str = ""
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    lost: Literal["before", "after"] | None = None
    delay_seconds: float = 0
    page: str | None = None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    """Below the API's base."""
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


class FakeApi:
    """`async with` it, and it serves on `base`. Observe `requests`; put what shall go wrong into `faults`."""

    root = ""
    """The path of the base, as the real API has it."""

    def __init__(self, token: str = "token-of-tests") -> None:
        self.token = token
        self.base = ""
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        app = web.Application(middlewares=[self._speak])
        self.add_routes(app.router)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        raise NotImplementedError

    def error(self, status: int, text: str | None = None) -> ApiError:
        """An error in the API's own shape and, without `text`, its own words."""
        raise NotImplementedError

    def headers(self) -> Mapping[str, str]:
        """Those of every answer."""
        return {}

    def admit(self, request: Request) -> None:
        """Counts a request against the rate limits. Raises ApiError for one too many."""

    def count(self, line: str) -> int:
        """How many requests so far began with `line`."""
        return sum(request.line.startswith(line) for request in self.requests)

    async def start(self, port: int = 0) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.base = "http://{}:{}".format(*self._runner.addresses[0]) + self.root

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @web.middleware
    async def _speak(self, request: web.Request, handler: Any) -> web.StreamResponse:
        raw = await request.read()
        asked = Request(
            request.method, request.path.removeprefix(self.root), dict(request.query), None, dict(request.headers)
        )
        fault = self._fault_for(asked.line)
        try:
            asked = Request(asked.method, asked.path, asked.query, json.loads(raw) if raw else {}, asked.headers)
            self.requests.append(asked)
            response = await self._answer(request, asked, fault, handler)
        except json.JSONDecodeError:
            response = self._refusal(self.error(400))
        except ApiError as error:
            response = self._refusal(error)
        except web.HTTPException as error:
            response = self._refusal(self.error(error.status))
        response.headers.update(self.headers())
        return response

    async def _answer(self, request: web.Request, asked: Request, fault: Fault, handler: Any) -> web.Response:
        await asyncio.sleep(fault.delay_seconds)
        if fault.lost == "before":
            return self._cut(request)
        if fault.page is not None:
            return web.Response(text=fault.page, status=fault.status or 200, content_type="text/html")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise self.error(401)
        if fault.status is not None:
            error = self.error(fault.status) if fault.body is None else ApiError(fault.status, fault.body)
            raise ApiError(error.status, error.body, fault.headers)
        self.admit(asked)
        request[BODY] = asked.body
        response: web.Response = await handler(request)
        return self._cut(request) if fault.lost == "after" else response

    def _refusal(self, error: ApiError) -> web.Response:
        return web.json_response(error.body, status=error.status, headers=error.headers)

    def _cut(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def _fault_for(self, line: str) -> Fault:
        for fault in self.faults:
            if line.startswith(fault.on):
                self.faults.remove(fault)
                return fault
        return Fault()
