"""The pages under `/docs`: the contract to read and to try, for REST and for sockets.

Owns which files are served, and what their pages may do (Content-Security-Policy). Everything comes from the package:
no page asks anything of another machine.
"""

from pathlib import Path

from aiohttp import web
from yarl import URL

from decabilld.http.addresses import origin_of, socket_url
from decabilld.http.dependencies import HttpSettings
from decabilld.http.limits import Proxies

ASSETS = Path(__file__).with_name("assets")
_SHOWN = (".js", ".css", ".svg")
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_pages(app: web.Application, settings: HttpSettings, proxies: Proxies) -> None:
    """`/docs` and `/docs/socket`, with what they need under `/docs/assets`."""
    files = {path.relative_to(ASSETS).as_posix(): path for path in ASSETS.rglob("*") if path.suffix in _SHOWN}
    rest, live = ((ASSETS / name).read_bytes() for name in ("docs.html", "socket.html"))

    async def docs(_: web.Request) -> web.Response:
        return _page(rest, _POLICY.format("'self'"))

    async def socket(request: web.Request) -> web.Response:
        http = URL(socket_url(origin_of(request, proxies), settings)).origin()
        ws = http.with_scheme("wss" if http.scheme in ("https", "wss") else "ws")
        return _page(live, _POLICY.format(f"'self' {http} {ws}"))

    async def asset(request: web.Request) -> web.StreamResponse:
        path = files.get(request.match_info["path"])
        if path is None:
            raise web.HTTPNotFound
        headers = {"Content-Type": _TYPES[path.suffix], "Cache-Control": "no-cache"}
        return web.FileResponse(path, headers=headers)

    app.router.add_get("/docs", docs)
    app.router.add_get("/docs/socket", socket)
    app.router.add_get("/docs/assets/{path:.+}", asset)


def _page(body: bytes, policy: str) -> web.Response:
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    return web.Response(body=body, content_type="text/html", charset="utf-8", headers=headers)
