"""How requests are watched, and the page of metrics. Who watches, and what the page says, is `telemetry/`'s affair."""

import base64
import binascii
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web
from msgspec import Struct

from decabilld.http.errors import error_response

UNMATCHED = "unmatched"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Answered(Struct, frozen=True, kw_only=True):
    """A request that was answered. `route` is the path as declared; instants are `time.perf_counter` seconds."""

    method: str
    route: str
    status: int
    correlation_id: str
    tenant: str
    began: float
    ended: float


class RequestWatch(Protocol):
    """Called for every request: it must be quick, and must not fail."""

    def came(self, correlation_id: str, traceparent: str | None) -> None:
        """A request has come, perhaps as part of somebody's trace."""
        ...

    def answered(self, answered: Answered) -> None: ...


class MetricsPage(Struct, frozen=True, kw_only=True):
    """`credentials` are user and password of Basic authentication; None lets everybody in."""

    path: str
    content_type: str
    page: Callable[[], bytes]
    credentials: tuple[str, str] | None


def answered(request: web.Request, status: int, correlation_id: str, began: float) -> Answered:
    """What there is to tell of a request; strangers' inventions don't become labels."""
    resource = request.match_info.route.resource
    return Answered(
        method=request.method if request.method in _METHODS else "other",
        route=UNMATCHED if resource is None else resource.canonical,
        status=status,
        correlation_id=correlation_id,
        tenant=request.headers.get("X-Tenant") or "default",
        began=began,
        ended=time.perf_counter(),
    )


def metrics_handler(
    metrics: MetricsPage, limit: Callable[[web.Request], None] | None
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def show(request: web.Request) -> web.Response:
        if limit is not None:
            limit(request)
        if metrics.credentials is not None and not _matches(request, metrics.credentials):
            refused = error_response(401, "Wrong user or password")
            refused.headers["WWW-Authenticate"] = 'Basic realm="metrics"'
            return refused
        return web.Response(body=metrics.page(), headers={"Content-Type": metrics.content_type})

    return show


def _matches(request: web.Request, credentials: tuple[str, str]) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    try:
        said = base64.b64decode(given.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        said = b""
    # As one text, in a time that doesn't tell how much of it was right.
    return hmac.compare_digest(said, ":".join(credentials).encode())
