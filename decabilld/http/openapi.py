"""The OpenAPI document, made of the operations and their schemas; nothing of it is written by hand twice.

Owns its operations. What they share is `openapi_parts.py`'s, how a field is written `openapi_fields.py`'s, what it
means `schemas/words.py`'s.
"""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import yaml
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from decabilld.http.limits import THROTTLED_LIMIT
from decabilld.http.openapi_fields import component_name, teach
from decabilld.http.openapi_parts import add_components, error_name, headers_of
from decabilld.http.operation import Auth, Operation
from decabilld.http.schemas import site
from decabilld.http.schemas.base import Answer
from decabilld.http.schemas.examples import BODIES
from decabilld.http.schemas.words import PATH_WORDS

DESCRIPTION = """Subscriptions, legally sound invoices and payments, for several tenants in one daemon.

**Tenant.** Every request may name its tenant in `X-Tenant`; an unknown one is 400 before anything else.

**Who may.** `Authorization: Bearer <token>`, where the token comes from `POST /auth/login` or from Keycloak, or
`Authorization: ApiKey <key>`. What is another customer's or tenant's is 404, as if it weren't there.

**Values.** Instants are ISO 8601 in UTC with milliseconds and `Z`, dates `YYYY-MM-DD`. Plan prices are decimal strings
with four decimals; amounts are JSON numbers, exact to the cent. A text that must be there isn't blank, and none holds
control characters. A field that a request's schema lacks is 400. In an update what is left out stays, and null clears
an optional field. In answers nullable fields are present as null; further fields may come in later versions.

**Once only.** A POST with an `Idempotency-Key` is done once, however often it is sent within 24 hours.

**Errors** are JSON, always of one shape. A 503 with `Retry-After` may be tried again; if its message begins with
`Outcome unknown`, repeat it with the same `Idempotency-Key`, or look first.

**Limits.** A body has at most 1 MiB, unless the operator allows more. Where requests are limited, `X-RateLimit-Limit`,
`-Remaining` and `-Reset` (seconds) tell what is left."""

SITE = "Site"
TAGS = {
    "Authentication": "Registration, login, passwords",
    "Users": "Those who may sign in",
    "Catalog": "Service types and plans, and what anybody may see of them",
    "Customer": "The customer's own profile",
    "Subscriptions": "Ordering, cancelling and resuming",
    "Servers": "Providers, what they sell, and the servers of subscriptions",
    "Backorders": "Orders that wait for capacity",
    "Usage": "Metered use",
    "Invoices": "The customer's invoices, their documents and payment",
    "Administration": "What the operator sees and does",
    "Payments": "What payment processors tell us",
    SITE: "What the daemon says of itself",
}
_ERRORS_OF_ALL = (400, 429, 500, 503)
_ERRORS_OF_CALLERS = (401, 403)
_CALLERS = {
    Auth.PUBLIC: "Needs no token.",
    Auth.SIGNED: "Needs neither token nor tenant.",
    Auth.USER: "For whoever is logged in.",
    Auth.CUSTOMER: "For users; the API key is no customer: 403.",
    Auth.ADMIN: "For administrators and the API key.",
}


def openapi_document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The document as plain values (OpenAPI 3.1.0)."""
    plugin = MarshmallowPlugin(schema_name_resolver=component_name)
    operations = list(operations)
    spec = APISpec(
        "decabilld",
        version("decabilld"),
        "3.1.0",
        plugins=[plugin],
        info={"description": DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        servers=[{"url": "/api", "description": "The daemon that serves this document"}],
        security=[{"bearer": []}, {"apiKey": []}],
        tags=[{"name": name, "description": text} for name, text in _tags(operations).items()],
    )
    assert plugin.converter is not None
    teach(plugin.converter)
    add_components(spec)
    for operation in operations:
        spec.path(operation.path, operations={operation.method.lower(): _described(operation)})
    for path, described in _of_the_site().items():
        spec.path(path, operations={"get": described})
    return spec.to_dict()


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes everything in full: readers of YAML needn't know anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(document: dict[str, Any]) -> bytes:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120).encode()


def _tags(operations: list[Operation]) -> dict[str, str]:
    used = {SITE, *(operation.tag for operation in operations)}
    return {name: text for name, text in TAGS.items() if name in used} | {name: name for name in used - TAGS.keys()}


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _description(operation),
        "parameters": _parameters(operation),
        "responses": {str(operation.status): _answer(operation), **_errors(operation)},
    }
    if operation.auth in (Auth.PUBLIC, Auth.SIGNED):
        described["security"] = []
    if operation.body is not None:
        media: dict[str, Any] = {"schema": operation.body()}
        if (example := BODIES.get(component_name(operation.body))) is not None:
            media["example"] = example
        described["requestBody"] = {"required": operation.body_required, "content": {"application/json": media}}
    return described


def _of_the_site() -> dict[str, dict[str, Any]]:
    """What is no operation of a tenant: nobody in particular may ask it, and no state is needed to answer."""

    def told(id: str, summary: str, words: str, schema: type[Answer], *statuses: int) -> dict[str, Any]:
        errors = {str(status): error_name(status) for status in statuses}
        content = {"application/json": {"schema": schema()}}
        answer = {"description": "As asked for.", "headers": headers_of("X-Correlation-Id"), "content": content}
        said = {"operationId": id, "tags": [SITE], "summary": summary, "description": f"{words} Needs no token."}
        return {**said, "parameters": ["X-Correlation-Id"], "security": [], "responses": {"200": answer, **errors}}

    config = told(
        "getConfig",
        "What a front end must know",
        "Where everything is and how one logs in.",
        site.ConfigResponseSchema,
        *(400, 429, 500),
    )
    config["parameters"].insert(0, "X-Tenant")
    words = "200 when it may get requests; else 503 with every reason why it shouldn't. Not limited."
    ready = told("getReadiness", "Whether it can serve", words, site.ReadyResponseSchema, 500)
    unready = {"application/json": {"schema": site.UnreadyResponseSchema()}}
    ready["responses"]["503"] = {**ready["responses"]["200"], "description": "Not now.", "content": unready}
    return {
        "/config": config,
        "/health": told(
            "getHealth", "Whether it lives", "Needs no database. Not limited.", site.HealthResponseSchema, 500
        ),
        "/ready": ready,
    }


def _description(operation: Operation) -> str:
    words = [operation.description, _CALLERS[operation.auth]]
    if operation.throttled:
        words.append(f"At most {THROTTLED_LIMIT} requests a minute of a client.")
    return " ".join(words)


def _parameters(operation: Operation) -> list[Any]:
    parameters: list[Any] = [
        {
            "in": "path",
            "name": name,
            "required": True,
            "description": PATH_WORDS.get(name, "Of what the path names."),
            "schema": {"type": "string", "format": "uuid"},
        }
        for name in operation.path_ids
    ] + [
        {
            "in": "path",
            "name": name,
            "required": True,
            "description": PATH_WORDS[name],
            "schema": {"type": "string", "minLength": 1},
        }
        for name in operation.path_texts
    ]
    if operation.query is not None:
        parameters.append({"in": "query", "schema": operation.query()})
    names = ["X-Correlation-Id"] if operation.auth is Auth.SIGNED else ["X-Tenant", "X-Correlation-Id"]
    if operation.method == "POST" and operation.auth not in (Auth.PUBLIC, Auth.SIGNED):
        names.append("Idempotency-Key")
    return parameters + names


def _answer(operation: Operation) -> dict[str, Any]:
    shape = operation.answer
    if shape is None:
        return {"description": "Done; there is no body.", "headers": headers_of("X-Correlation-Id")}
    if isinstance(shape, str):
        return {
            "description": "The document.",
            "headers": headers_of("X-Correlation-Id", "Content-Disposition"),
            "content": {shape: {"schema": {"type": "string", "format": "binary"}}},
        }
    schema: Any = {"type": "array", "items": shape[0]()} if isinstance(shape, list) else shape()
    return {
        "description": "Made." if operation.status == 201 else "As asked for.",
        "headers": headers_of("X-Correlation-Id"),
        "content": {"application/json": {"schema": schema}},
    }


def _errors(operation: Operation) -> dict[str, Any]:
    statuses = {*_ERRORS_OF_ALL, *operation.refusals}
    if operation.auth not in (Auth.PUBLIC, Auth.SIGNED):
        statuses.update(_ERRORS_OF_CALLERS)
        if operation.method == "POST":
            statuses.add(422)
    if operation.path_ids:
        statuses.add(404)
    if operation.body is not None or operation.auth is Auth.SIGNED:
        statuses.add(413)
    return {str(status): error_name(status) for status in sorted(statuses)}
