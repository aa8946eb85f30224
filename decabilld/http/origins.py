"""Which pages of other origins a browser lets speak to us (CORS), and what it must not do with our answers."""

from aiohttp import web

ALLOWED_HEADERS = "authorization,content-type,x-tenant,idempotency-key,x-correlation-id"
EXPOSED_HEADERS = (
    "x-correlation-id,content-disposition,retry-after,x-ratelimit-limit,x-ratelimit-remaining,x-ratelimit-reset"
)
PREFLIGHT_KEPT_SECONDS = 600
HSTS = "max-age=31536000"
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""For answers that are no pages; a page brings a policy of its own."""
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Origins:
    """The origins that are listed; `*` lists all."""

    def __init__(self, listed: tuple[str, ...]) -> None:
        self._listed = frozenset(origin.rstrip("/").lower() for origin in listed)
        self._all = "*" in self._listed

    def refuses(self, request: web.Request) -> bool:
        """Whether a page that isn't listed tries to change something."""
        origin = request.headers.get("Origin")
        return origin is not None and request.method in _UNSAFE and not self._lists(origin)

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
