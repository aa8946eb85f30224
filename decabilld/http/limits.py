"""How often a client may call: windows per client and route, and who the client behind a proxy is.

Owns counting. Which limit holds for an operation is said by its declaration and the operator.
"""

import ipaddress
import math
import time
from collections.abc import Callable
from functools import lru_cache

from aiohttp import web
from msgspec import Struct

from decabilld.http.errors import TooManyRequests

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
THROTTLED_LIMIT, THROTTLED_SECONDS = 10, 60
WINDOWS_MAX = 50_000
"""Over them the oldest window is forgotten: some 15 MB at most."""
_ADDRESSES_MAX = 4_096


class RateLimit(Struct, frozen=True, kw_only=True):
    """What the operator allows a client on each route: so many requests in so many seconds."""

    limit: int = 100
    seconds: int = 60


class Allowance(Struct, frozen=True):
    """What is left of a window; the `X-RateLimit-*` headers."""

    limit: int
    remaining: int
    reset_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(self.remaining, 0)),
            "X-RateLimit-Reset": str(self.reset_seconds),
        }


ALLOWANCE = web.RequestKey("allowance", Allowance)


class Limiter:
    """Fixed windows that begin with the first request. `now` is monotonic, in seconds."""

    def __init__(self, limit: RateLimit, now: Callable[[], float]) -> None:
        self._limit, self._now = limit, now
        # In the order of their beginning: a window that begins anew goes to the end.
        self._windows: dict[tuple[str, str], list[float]] = {}

    def __len__(self) -> int:
        return len(self._windows)

    def take(self, client: str, route: str) -> Allowance:
        """Counts a request. `remaining` is -1 for one that is over the limit."""
        now, key, limit = self._now(), (client, route), self._limit.limit
        window = self._windows.get(key)
        if window is None or window[1] <= now:
            self._windows.pop(key, None)
            self._forget(now)
            window = self._windows[key] = [0, now + self._limit.seconds]
        window[0] += 1
        return Allowance(limit, max(limit - int(window[0]), -1), math.ceil(window[1] - now))

    def _forget(self, now: float) -> None:
        while self._windows:
            oldest = next(iter(self._windows))
            if self._windows[oldest][1] > now and len(self._windows) < WINDOWS_MAX:
                return
            del self._windows[oldest]


class Proxies:
    """Whose forwarding headers are believed."""

    def __init__(self, trusted: tuple[Network, ...]) -> None:
        self._trusted = trusted
        self._is_trusted = lru_cache(_ADDRESSES_MAX)(self._in_trusted)

    def client_of(self, request: web.Request) -> str:
        """The peer's address, or the last one of `X-Forwarded-For` that no trusted proxy has."""
        client = request.remote or ""
        if not self._trusted or not self._is_trusted(client):
            return client
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
        for hop in reversed(forwarded.split(",")):
            address = _address(hop)
            if address is None:
                break
            client = str(address)
            if not self._is_trusted(client):
                break
        return client

    def came_by_tls(self, request: web.Request) -> bool:
        """Whether a trusted proxy says that the client spoke TLS."""
        if not self._trusted or request.headers.get("X-Forwarded-Proto", "").strip().lower() != "https":
            return False
        return self._is_trusted(request.remote or "")

    def _in_trusted(self, client: str) -> bool:
        address = _address(client)
        return address is not None and any(address in network for network in self._trusted)


class Limits:
    """The limits of an application, which may change; without `limit` there are none at all."""

    def __init__(self, limit: RateLimit | None, proxies: Proxies, now: Callable[[], float] = time.monotonic) -> None:
        self._proxies, self._now = proxies, now
        self.change(limit)

    def change(self, limit: RateLimit | None) -> None:
        """From now on; every window begins anew."""
        self._usual = Limiter(limit, self._now) if limit else None
        throttled = RateLimit(limit=THROTTLED_LIMIT, seconds=THROTTLED_SECONDS)
        self._throttled = Limiter(throttled, self._now) if limit else None

    def of(self, route: str, *, throttled: bool = False) -> Callable[[web.Request], None]:
        """What counts a request of that route, and raises TooManyRequests when it is one too many."""

        def take(request: web.Request) -> None:
            limiter = self._throttled if throttled else self._usual
            if limiter is None:
                return
            allowance = request[ALLOWANCE] = limiter.take(self._proxies.client_of(request), route)
            if allowance.remaining < 0:
                raise TooManyRequests(allowance.reset_seconds)

        return take


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
