"""Where we are, as the browser that asks sees it: the origin of its request, and the socket site beside it."""

import re

from aiohttp import web
from yarl import URL

from decabilld.domain.refusals import Invalid
from decabilld.http.dependencies import HttpSettings
from decabilld.http.limits import Proxies

_HOST = re.compile(r"[0-9A-Za-z._:-]+")
"""Names and addresses; what else stood in a Host would be repeated in our policies."""


def origin_of(request: web.Request, proxies: Proxies) -> URL:
    """Scheme, host and port that the request was sent to. Raises Invalid for a Host header that can't be read."""
    try:
        origin = request.url.origin()
    except ValueError:
        origin = None
    if origin is None or not _HOST.fullmatch(origin.raw_host or ""):
        raise Invalid("The Host header can't be read")
    return origin.with_scheme("https") if proxies.came_by_tls(request) else origin


def socket_url(origin: URL, settings: HttpSettings) -> str:
    return settings.websocket_url or str(origin.with_port(settings.websocket_port))
