"""What every request passes through: its correlation id, its errors, its log line."""

import time
import uuid
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from decabilld.http.errors import response_of

SLOW_SECONDS = 0.5
LONGEST_CORRELATION_ID = 128
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
CORRELATION_ID = web.RequestKey("correlation_id", str)
_log = structlog.get_logger("http")


@web.middleware
async def frame(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every answer carries the correlation id; every failure becomes the contract's JSON."""
    started = time.monotonic()
    correlation_id = request[CORRELATION_ID] = _correlation_id(request)
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
    try:
        response = await handler(request)
    except Exception as error:  # noqa: BLE001 - told to the client; what no table knows is logged with its traceback
        response = response_of(error, correlation_id)
        if response.status == 500:
            _log.error("request_failed", method=request.method, path=request.path, exc_info=error)
    response.headers["X-Correlation-Id"] = correlation_id
    seconds = time.monotonic() - started
    if request.method not in _READS or response.status >= 400 or seconds > SLOW_SECONDS:
        _log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status,
            tenant=request.headers.get("X-Tenant") or "default",
            milliseconds=round(seconds * 1000, 1),
        )
    return response


def _correlation_id(request: web.Request) -> str:
    given = request.headers.get("X-Correlation-Id") or request.headers.get("X-Request-Id")
    if given and len(given) <= LONGEST_CORRELATION_ID and given.isascii() and given.isprintable():
        return given
    return str(uuid.uuid4())
