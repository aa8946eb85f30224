"""Which pages of other origins a browser lets speak to us (CORS), and what it must not do with our answers."""

from aiohttp import web
from yarl import URL

from decabilld.http.addresses import origin_of
from decabilld.http.dependencies import HttpSettings
from decabilld.http.limits import Proxies

ALLOWED_HEADERS = "authorization,content-type,x-tenant,idempotency-key,x-correlation-id"
EXPOSED_HEADERS = (
    "x-correlation-id,content-disposition,retry-after,x-ratelimit-limit,x-ratelimit-remaining,x-ratelimit-reset"
)
PREFLIGHT_KEPT_SECONDS = 600
HSTS = "max-age=31536000"
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""For answers that are no pages; a page brings a policy of its own."""
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Origins:
    """The origins that are listed (`*` lists all), and our own, where our pages come from."""

    def __init__(self, settings: HttpSettings, proxies: Proxies) -> None:
        self._listed = frozenset(origin.rstrip("/").lower() for origin in settings.cors_origins)
        self._all = "*" in self._listed
        self._public = str(URL(settings.public_url).origin()) if settings.public_url else None
        self._proxies = proxies

    def refuses(self, request: web.Request) -> bool:
        """Whether a page that is neither listed nor our own tries to change something."""
        origin = request.headers.get("Origin")
        if origin is None or request.method not in _UNSAFE or self._lists(origin):
            return False
        # A browser never lets a page choose its Origin, and whoever is no browser needs none.
        return origin.lower() not in (self._public, str(origin_of(request, self._proxies)))

    def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """What lets the browser hand the answer to the page; for a preflight, what the page may send."""
        origin = request.headers.get("Origin")
        if not self._all:
            response.headers.add("Vary", "Origin")
        if origin is None or not self._lists(origin):
            return
        response.headers["Access-Control-Allow-Origin"] = "*" if self._all else origin
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
            response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
            response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_KEPT_SECONDS)
        else:
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS

    def _lists(self, origin: str) -> bool:
        return self._all or origin.lower() in self._listed
