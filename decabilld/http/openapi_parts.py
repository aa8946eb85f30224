"""What the operations of the OpenAPI document share: headers, errors, who may call. Owns their words."""

from typing import Any

from apispec import APISpec

from decabilld.http.call import LONGEST_IDEMPOTENCY_KEY
from decabilld.http.errors import phrase_of
from decabilld.http.middlewares import LONGEST_CORRELATION_ID
from decabilld.http.schemas import fields as wire_fields
from decabilld.http.schemas.common import ErrorResponseSchema

_PARAMETERS: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Tenant": ("The tenant; case matters. `default` if missing or blank.", {"type": "string"}),
    "X-Correlation-Id": (
        f"Names the request in logs and journal; made up if missing or over {LONGEST_CORRELATION_ID} characters.",
        {"type": "string"},
    ),
    "Idempotency-Key": (
        "Of your own making. The same one gets the first answer again within 24 hours; with another request, 422.",
        {"type": "string", "minLength": 1, "maxLength": LONGEST_IDEMPOTENCY_KEY},
    ),
}
_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Correlation-Id": ("As sent, or made up.", {"type": "string"}),
    "Retry-After": ("Seconds to wait before trying again.", {"type": "integer", "minimum": 0}),
    "Content-Disposition": ("Names the file.", {"type": "string"}),
}
_ERRORS: dict[int, tuple[str, str]] = {
    400: ("The request is malformed, or can't be true; `message` says why.", "planId: Not a valid UUID."),
    401: ("No token, or one that doesn't count.", "Missing or invalid authorization token"),
    403: ("Not for this caller.", "Only administrators may do this"),
    404: ("Not there, or not the caller's.", "Subscription not found"),
    409: ("Contradicts what is there.", "This e-mail address is already registered"),
    413: ("The body is too large.", "The request body is too large"),
    422: ("The `Idempotency-Key` came with another request before.", "This Idempotency-Key came with another request"),
    429: ("Too many requests of this client to this route.", "Too many requests; try again in 42 s"),
    500: ("A fault of ours; it is in the log under the correlation id.", "Internal server error"),
    502: ("An outsider refused or failed.", "Stripe refused the request"),
    503: ("Not available now.", "Not available now: the tenant is loading"),
    504: ("An outsider didn't answer in time.", "Stripe didn't answer in time"),
}


def add_components(spec: APISpec) -> None:
    components, role = spec.components, wire_fields.Role
    components.schema(role.component, {"type": "string", "enum": list(role.words), "description": "What a user may."})
    components.schema("ErrorResponse", schema=ErrorResponseSchema())
    components.security_scheme(
        "bearer",
        {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A token of login or of Keycloak."},
    )
    components.security_scheme(
        "apiKey",
        {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`ApiKey <key>`, where the daemon has one.",
        },
    )
    for name, (words, schema) in _PARAMETERS.items():
        components.parameter(name, "header", {"name": name, "description": words, "schema": schema})
    for name, (words, schema) in _HEADERS.items():
        components.header(name, {"description": words, "schema": schema})
    for status, (words, message) in _ERRORS.items():
        components.response(error_name(status), _error(status, words, message))


def error_name(status: int) -> str:
    return phrase_of(status).title().replace(" ", "")


def _error(status: int, words: str, message: str) -> dict[str, Any]:
    names = ["X-Correlation-Id", *(["Retry-After"] if status in (429, 503) else [])]
    example = {"statusCode": status, "message": message, "error": phrase_of(status)}
    schema = {"$ref": "#/components/schemas/ErrorResponse"}
    return {
        "description": words,
        "headers": headers_of(*names),
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def headers_of(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
