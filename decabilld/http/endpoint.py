"""From an operation to the function that aiohttp calls: tenant, then caller, then rights, then what was sent.

The order is the contract's: an unknown tenant is told before anything else, a stranger learns nothing of the rest.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec
from aiohttp import web
from marshmallow import Schema, ValidationError

from decabilld.domain.refusals import Forbidden, Invalid
from decabilld.http.call import LONGEST_IDEMPOTENCY_KEY, Call
from decabilld.http.dependencies import Dependencies, HttpSettings
from decabilld.http.errors import Malformed, NotJson
from decabilld.http.operation import Auth, Operation
from decabilld.http.principal import Principal
from decabilld.http.schemas.fields import parse_uuid

LONGEST_NUMBER = 60
BODY_SECONDS = 30.0
DETAILS_MAX = 20
"""A megabyte can be wrong in a hundred thousand places."""
LONGEST_PLACE = 100
DEFAULT_TENANT = "default"


def endpoint(
    operation: Operation, deps: Dependencies, limit: Callable[[web.Request], None] | None
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of an operation. `limit` counts a request, and raises when it is one too many."""
    auth = operation.auth
    path_ids = operation.path_ids
    query = operation.query() if operation.query else None
    defaults: dict[str, Any] = query.load({}) if query else {}
    body = operation.body() if operation.body else None

    async def handle(request: web.Request) -> web.StreamResponse:
        if limit is not None:
            limit(request)
        tenant_id = "" if auth is Auth.SIGNED else tenant_of(request, deps.settings)
        principal = None
        if auth is not Auth.PUBLIC and auth is not Auth.SIGNED:
            principal = await deps.authenticator.authenticate(request.headers.get("Authorization"), tenant_id)
            _check_rights(principal, auth)
        call = Call(request, operation, deps, tenant_id, principal)
        if principal is not None and operation.method == "POST":
            call.idempotency_key = _idempotency_key(request)
        if path_ids:
            call.ids = _ids(request, path_ids)
        if query is not None:
            call.query = _load(query, dict(request.query)) if request.query_string else defaults
        if body is not None or auth is Auth.SIGNED:
            call.raw_body = await _whole_body(request)
        if body is not None:
            call.body = read_body(body, call.raw_body, required=operation.body_required)
        return await operation.handler(call)

    return handle


def tenant_of(request: web.Request, settings: HttpSettings) -> str:
    """The tenant that `X-Tenant` names. Raises Invalid for one that is not in the allowlist."""
    tenant_id = request.headers.get("X-Tenant", "").strip()
    if not tenant_id and settings.tenants_allow_default:
        tenant_id = DEFAULT_TENANT
    if tenant_id not in settings.tenant_ids:
        raise Invalid("Invalid or unknown tenant")
    return tenant_id


def _check_rights(principal: Principal, auth: Auth) -> None:
    if auth is Auth.ADMIN and principal.role != "admin":
        raise Forbidden("Only administrators may do this")
    if auth is Auth.CUSTOMER and principal.user_id is None:
        raise Forbidden("User not authenticated")


def _idempotency_key(request: web.Request) -> str | None:
    """What the caller names this request, so that it is done once. Keys are kept per caller; nobody has none."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and (not 0 < len(key) <= LONGEST_IDEMPOTENCY_KEY or not key.isprintable()):
        raise Invalid(f"Idempotency-Key must have 1 to {LONGEST_IDEMPOTENCY_KEY} printable characters")
    return key


def _ids(request: web.Request, names: list[str]) -> dict[str, str]:
    ids: dict[str, str] = {}
    for name in names:
        if (parsed := parse_uuid(request.match_info[name])) is None:
            raise Malformed([(name, "Not a valid UUID.")])
        ids[name] = parsed
    return ids


async def _whole_body(request: web.Request) -> bytes:
    """Raises NotJson for one that breaks off, can't be unpacked or takes too long; HTTPRequestEntityTooLarge."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise NotJson(f"The request body did not come within {BODY_SECONDS:g} s") from None
    except (web.RequestPayloadError, ConnectionError):
        raise NotJson("The request body breaks off, or is not packed as its Content-Encoding says") from None


def read_body(schema: Schema, raw: bytes, *, required: bool) -> dict[str, Any]:
    """The body as the schema loads it; none at all counts as an empty object where it may be left out."""
    if not raw and not required:
        return _load(schema, {})
    try:
        decoded = _decoder.decode(raw)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise NotJson(f"The request body is not JSON that can be read: {error}") from None
    if not isinstance(decoded, dict):
        raise NotJson("The request body must be a JSON object")
    return _load(schema, decoded)


def _exact(text: str) -> Decimal:
    if len(text) > LONGEST_NUMBER:
        raise ValueError("a number is too long")
    return Decimal(text)


_decoder = msgspec.json.Decoder(float_hook=_exact)


def _load(schema: Schema, sent: dict[str, Any]) -> dict[str, Any]:
    try:
        return schema.load(sent)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise Malformed(list(islice(_flattened(error.messages), DETAILS_MAX))) from None


def _flattened(messages: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """marshmallow's tree of messages as pairs: `orderingHighlights.0.icon`, what is wrong."""
    if isinstance(messages, dict):
        for key, below in messages.items():
            yield from _flattened(below, f"{place}.{key}" if place else str(key))
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            yield place[:LONGEST_PLACE], str(message)
