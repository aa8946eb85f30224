"""`GET /api/config`: what a front end and an operator may know before anybody has logged in. Never a secret."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version

import msgspec
from aiohttp import web

from decabilld.domain.checkout_amounts import least_paid_minor
from decabilld.domain.money import to_decimal
from decabilld.http.addresses import origin_of, socket_url
from decabilld.http.call import encode, json_response
from decabilld.http.dependencies import Dependencies
from decabilld.http.endpoint import tenant_of
from decabilld.http.limits import Proxies

PRODUCT = "decabilld"


def config_handler(
    deps: Dependencies, limit: Callable[[web.Request], None] | None, proxies: Proxies
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """`tenant` is null where a request must name one and this one doesn't."""
    settings, policy = deps.settings, deps.policy
    fixed = {
        "product": PRODUCT,
        "version": version("decabilld"),
        "authenticationMethod": settings.authentication_method,
        "disableSignup": settings.disable_signup or settings.authentication_method != "users",
        "keycloak": msgspec.to_builtins(settings.keycloak),
        "currency": policy.currency,
        "minCheckoutAmount": to_decimal(least_paid_minor(policy.currency, policy), policy.currency),
        "timeZone": policy.zone.key,
        "testClock": settings.test_clock,
    }

    async def config(request: web.Request) -> web.Response:
        if limit is not None:
            limit(request)
        named = request.headers.get("X-Tenant", "").strip() or settings.tenants_allow_default
        origin = origin_of(request, proxies)
        addresses = {
            "apiUrl": settings.public_url or str(origin / "api"),
            "websocketUrl": socket_url(origin, settings),
            "websocketNamespace": settings.websocket_namespace,
        }
        answer = {**fixed, **addresses, "tenant": tenant_of(request, settings) if named else None}
        return json_response(200, encode(answer))

    return config
