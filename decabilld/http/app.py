"""The aiohttp application of the HTTP edge, put together. Who runs it, and where, is `daemon.py`'s affair."""

import importlib
import pkgutil
from types import ModuleType

import msgspec
from aiohttp import web

from decabilld.http import routes
from decabilld.http.call import json_response
from decabilld.http.config import config_handler
from decabilld.http.dependencies import Dependencies
from decabilld.http.documents import add_document
from decabilld.http.endpoint import endpoint
from decabilld.http.limits import Limits, Proxies
from decabilld.http.middlewares import frame
from decabilld.http.observation import metrics_handler
from decabilld.http.openapi import openapi_document
from decabilld.http.operation import Operation, operations_of
from decabilld.http.origins import Origins
from decabilld.http.pages import add_pages

PREFIX = "/api"
LIMITS = web.AppKey("limits", Limits)
_TEST_CLOCK_ROUTES = "test_clock"


def all_operations(*, test_clock: bool = False) -> list[Operation]:
    """Every operation of `http/routes`; moving the test clock only where there is one."""
    names = [name for _, name, _ in pkgutil.iter_modules(routes.__path__)]
    modules: list[ModuleType] = [
        importlib.import_module(f"{routes.__name__}.{name}")
        for name in names
        if test_clock or name != _TEST_CLOCK_ROUTES
    ]
    return operations_of(modules)


def create_app(deps: Dependencies, operations: list[Operation] | None = None) -> web.Application:
    """Raises ValueError for an operation that is declared badly. `operations` default to those of `http/routes`."""
    if operations is None:
        operations = all_operations(test_clock=deps.settings.test_clock)
    proxies = Proxies(deps.settings.trusted_proxies)
    limits = Limits(deps.settings.rate_limit, proxies)
    app = web.Application(
        middlewares=[frame(Origins(deps.settings, proxies), proxies, deps.watch)],
        client_max_size=deps.settings.max_body_bytes,
    )
    app[LIMITS] = limits
    resources: dict[str, web.Resource] = {}
    for operation in operations:
        handler = endpoint(operation, deps, limits.of(operation.id, throttled=operation.throttled))
        resource = resources.get(operation.path)
        if resource is None:
            resource = resources[operation.path] = app.router.add_resource(PREFIX + operation.path)
        resource.add_route(operation.method, handler)
        if operation.method == "GET":
            resource.add_route("HEAD", handler)
    _add_probes(app, deps)
    app.router.add_get(f"{PREFIX}/config", config_handler(deps, limits.of("config"), proxies))
    if deps.metrics is not None:
        app.router.add_get(deps.metrics.path, metrics_handler(deps.metrics, limits.of("metrics")))
    add_document(app, "openapi", lambda: openapi_document(operations))
    if deps.asyncapi is not None:
        add_document(app, "asyncapi", deps.asyncapi)
    add_pages(app, deps.settings, proxies)
    return app


def _add_probes(app: web.Application, deps: Dependencies) -> None:
    async def health(_: web.Request) -> web.Response:
        return _json({"status": "ok", "timestamp": int(deps.clock().timestamp() * 1000)})

    async def ready(_: web.Request) -> web.Response:
        if reasons := deps.not_ready():
            return _json({"status": "unready", "reasons": reasons}, 503)
        details = deps.ready_details()
        return _json({"status": "ok", "details": details} if details else {"status": "ok"})

    app.router.add_get(f"{PREFIX}/health", health)
    app.router.add_get(f"{PREFIX}/ready", ready)


def _json(answer: object, status: int = 200) -> web.Response:
    return json_response(status, msgspec.json.encode(answer))
