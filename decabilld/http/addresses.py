"""Where we are, as the browser that asks sees it: the origin of its request, and the socket site beside it."""

from aiohttp import web
from yarl import URL

from decabilld.domain.refusals import Invalid
from decabilld.http.dependencies import HttpSettings
from decabilld.http.limits import Proxies


def origin_of(request: web.Request, proxies: Proxies) -> URL:
    """Scheme, host and port that the request was sent to. Raises Invalid for a Host header that can't be read."""
    try:
        origin = request.url.origin()
    except ValueError:
        raise Invalid("The Host header can't be read") from None
    return origin.with_scheme("https") if proxies.came_by_tls(request) else origin


def socket_url(origin: URL, settings: HttpSettings) -> str:
    return settings.websocket_url or str(origin.with_port(settings.websocket_port))
