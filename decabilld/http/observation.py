"""How requests are watched, and the page of metrics. Who watches, and what the page says, is `telemetry/`'s affair."""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web
from msgspec import Struct

from decabilld.http.errors import error_response

UNMATCHED = "unmatched"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestWatch(Protocol):
    """Called for every request: it must be quick, and must not fail."""

    @property
    def came(self) -> Callable[[str, str | None], None] | None:
        """Told of a request's correlation id and `traceparent` when it comes; None where nobody needs that."""
        ...

    def answered(self, request: web.Request, status: int, correlation_id: str, seconds: float) -> None:
        """A request was answered, so long after it came."""
        ...


class MetricsPage(Struct, frozen=True, kw_only=True):
    """`credentials` are user and password of Basic authentication; None lets everybody in."""

    path: str
    content_type: str
    page: Callable[[], bytes]
    credentials: tuple[str, str] | None


def method_of(request: web.Request) -> str:
    """The method; strangers' inventions don't become labels."""
    return request.method if request.method in _METHODS else "other"


def route_of(request: web.Request) -> str:
    """The path as declared; `unmatched` for any other."""
    resource = request.match_info.route.resource
    return UNMATCHED if resource is None else resource.canonical


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
