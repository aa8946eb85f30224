"""What every request passes through: its correlation id, its origin, its errors, its log line."""

import time
import uuid

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from decabilld.domain.refusals import Forbidden
from decabilld.http.errors import response_of
from decabilld.http.limits import ALLOWANCE, Proxies
from decabilld.http.observation import RequestWatch
from decabilld.http.origins import HSTS, SECURITY_HEADERS, Origins

SLOW_SECONDS = 0.5
LONGEST_CORRELATION_ID = 128
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
CORRELATION_ID = web.RequestKey("correlation_id", str)
_log = structlog.get_logger("http")


def frame(origins: Origins, proxies: Proxies, watch: RequestWatch | None = None) -> Middleware:
    """Every answer carries the correlation id; every failure becomes the contract's JSON."""
    came, answered = (None, None) if watch is None else (watch.came, watch.answered)

    @web.middleware
    async def framed(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        correlation_id = request[CORRELATION_ID] = _correlation_id(request)
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        if came is not None:
            came(correlation_id, request.headers.get("traceparent"))
        try:
            if origins.refuses(request):
                raise Forbidden("Pages of this origin may not do this")
            response = await handler(request)
        except Exception as error:  # noqa: BLE001 - told to the client; what no table knows is logged with its traceback
            response = response_of(error, correlation_id)
            if response.status == 500:
                _log.error(
                    "request_failed", method=request.method, path=request.path, tenant=_tenant(request), exc_info=error
                )
        response.headers["X-Correlation-Id"] = correlation_id
        _secure(request, response, origins, proxies)
        seconds = time.perf_counter() - began
        _record(request, response, seconds)
        if answered is not None:
            answered(request, response.status, correlation_id, seconds)
        return response

    return framed


def _secure(request: web.Request, response: web.StreamResponse, origins: Origins, proxies: Proxies) -> None:
    headers = response.headers
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if proxies.came_by_tls(request):
        headers["Strict-Transport-Security"] = HSTS
    allowance = request.get(ALLOWANCE)
    if allowance is not None:
        headers.update(allowance.headers)
    origins.add_headers(request, response)


def _record(request: web.Request, response: web.StreamResponse, seconds: float) -> None:
    """The log line of a write, an error or a slow read. Neither query nor headers: they may hold secrets."""
    if request.method not in _READS or response.status >= 400 or seconds > SLOW_SECONDS:
        _log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status,
            tenant=_tenant(request),
            duration_ms=round(seconds * 1000, 1),
        )


def _tenant(request: web.Request) -> str:
    """As the request says; it may not be one of ours."""
    return request.headers.get("X-Tenant") or "default"


def _correlation_id(request: web.Request) -> str:
    given = request.headers.get("X-Correlation-Id") or request.headers.get("X-Request-Id")
    if given and len(given) <= LONGEST_CORRELATION_ID and given.isascii() and given.isprintable():
        return given
    return str(uuid.uuid4())
