"""The OpenAPI document, made of the operations and their schemas; nothing of it is written by hand twice."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import yaml
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import fields, validate

from decabilld.http.errors import phrase_of
from decabilld.http.operation import Auth, Operation
from decabilld.http.schemas import fields as wire_fields
from decabilld.http.schemas.common import ErrorResponseSchema

DESCRIPTION = """Subscriptions, legally sound invoices and payments, for several tenants in one daemon.

Every request may name its tenant in `X-Tenant` and a correlation id in `X-Correlation-Id`, which every answer carries.
A POST with an `Idempotency-Key` is done once, however often it is sent."""

TAGS = {
    "Authentication": "Registration and login",
    "Users": "Those who may sign in",
    "Catalog": "Service types and plans, and what anybody may see of them",
    "Customer": "The customer's own profile",
    "Subscriptions": "Ordering, cancelling and resuming",
    "Usage": "Metered use",
    "Invoices": "The customer's invoices, their documents and payment",
    "Administration": "What the operator sees and does",
    "Payments": "What payment processors tell us",
}
_ERRORS_OF_ALL = (400, 429, 500, 503)
_ERRORS_OF_CALLERS = (401, 403)


def openapi_document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The document as plain values (OpenAPI 3.1.0)."""
    plugin = MarshmallowPlugin(schema_name_resolver=_component_name)
    spec = APISpec(
        "decabilld",
        version("decabilld"),
        "3.1.0",
        plugins=[plugin],
        info={"description": DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        servers=[{"url": "/api"}],
        security=[{"bearer": []}, {"apiKey": []}],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    assert plugin.converter is not None
    _teach(plugin.converter)
    spec.components.schema(wire_fields.Role.component, {"type": "string", "enum": list(wire_fields.Role.words)})
    spec.components.schema("ErrorResponse", schema=ErrorResponseSchema())
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    spec.components.security_scheme("apiKey", {"type": "apiKey", "in": "header", "name": "Authorization"})
    for name, description in _HEADERS.items():
        spec.components.parameter(name, "header", {"name": name, "description": description, "schema": _STRING})
    for operation in operations:
        spec.path(operation.path, operations={operation.method.lower(): _described(operation)})
    return spec.to_dict()


def as_yaml(document: dict[str, Any]) -> bytes:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120).encode()


_STRING = {"type": "string"}
_HEADERS = {
    "X-Tenant": "The tenant; `default` if missing.",
    "X-Correlation-Id": "Names the request in logs and journal; made up if missing.",
    "Idempotency-Key": "Repeated within 24 hours it gets the first answer again; with another body, 422.",
}


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": _parameters(operation),
        "responses": {str(operation.status): _answer(operation), **_errors(operation)},
    }
    if operation.auth in (Auth.PUBLIC, Auth.SIGNED):
        described["security"] = []
    if operation.body is not None:
        content = {"application/json": {"schema": operation.body()}}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    return described


def _parameters(operation: Operation) -> list[Any]:
    parameters: list[Any] = [
        {"in": "path", "name": name, "required": True, "schema": {"type": "string", "format": "uuid"}}
        for name in operation.path_ids
    ]
    if operation.query is not None:
        parameters.append({"in": "query", "schema": operation.query()})
    names = ["X-Correlation-Id"] if operation.auth is Auth.SIGNED else ["X-Tenant", "X-Correlation-Id"]
    if operation.method == "POST" and operation.auth not in (Auth.PUBLIC, Auth.SIGNED):
        names.append("Idempotency-Key")
    return parameters + names


def _answer(operation: Operation) -> dict[str, Any]:
    shape, description = operation.answer, "Done"
    if shape is None:
        return {"description": description}
    if isinstance(shape, str):
        return {"description": "The document", "content": {shape: {"schema": {"type": "string", "format": "binary"}}}}
    if isinstance(shape, list):
        schema: Any = {"type": "array", "items": shape[0]()}
    else:
        schema = shape()
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _errors(operation: Operation) -> dict[str, Any]:
    statuses = {*_ERRORS_OF_ALL, *operation.refusals}
    if operation.auth not in (Auth.PUBLIC, Auth.SIGNED):
        statuses.update(_ERRORS_OF_CALLERS)
        if operation.method == "POST":
            statuses.add(422)
    if operation.path_ids:
        statuses.add(404)
    if operation.method == "POST":
        statuses.add(413)
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}}
    return {str(status): {"description": phrase_of(status), "content": content} for status in sorted(statuses)}


def _component_name(schema: Any) -> str:
    return (schema if isinstance(schema, type) else type(schema)).__name__.removesuffix("Schema")


def _teach(converter: Any) -> None:
    """What apispec doesn't know of our fields, and the one thing that it gets wrong: exclusive limits."""
    for kind in vars(wire_fields).values():
        if isinstance(kind, type) and hasattr(kind, "wire"):
            converter.map_to_openapi_type(kind, *kind.wire)
    converter.add_attribute_function(_component)
    converter.add_attribute_function(_exclusive_limits)
    converter.add_attribute_function(_limits_in_words)


def _component(_: Any, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(field, wire_fields.Role):
        return {}
    ret.clear()
    return {"$ref": f"#/components/schemas/{field.component}"}


def _exclusive_limits(_: Any, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema 2020-12, 6.2.3 and 6.2.5: `exclusiveMinimum` and `exclusiveMaximum` stand instead of the others."""
    for limit in field.validators:
        if isinstance(limit, validate.Range):
            if limit.min is not None and not limit.min_inclusive:
                ret["exclusiveMinimum"] = ret.pop("minimum")
            if limit.max is not None and not limit.max_inclusive:
                ret["exclusiveMaximum"] = ret.pop("maximum")
    return {}


def _limits_in_words(_: Any, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """The contract's comparison can't read a limit that stands beside null, nor one of a list's items."""
    if isinstance(field, fields.List):
        ret["items"].pop("maxLength", None)
    if not field.allow_none:
        return {}
    if {"minimum", "minLength"} & ret.keys():
        return {"default": None}
    longest = ret.pop("maxLength", None)
    return {} if longest is None else {"description": f"At most {longest} characters."}
