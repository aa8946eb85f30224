"""The AsyncAPI document of the socket site, made of the payload schemas that run."""

from importlib.metadata import version
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from decabilld.realtime.payloads import (
    ERROR,
    SUBSCRIBE,
    UNSUBSCRIBE,
    UPDATE,
    DashboardStatusUpdate,
    ErrorMessage,
    SubscribeDashboardStatus,
)

DESCRIPTION = """What the dashboard streams over Socket.IO 5 (Engine.IO 4), on a port of its own.

**Handshake.** `Authorization` (`Bearer <token>`) and the tenant come in `auth`, as `auth.Authorization` and
`auth.tenantId`, or as headers `Authorization` and `X-Tenant`. The tenant is `default` if missing. A bad token is
answered by connect_error `Unauthorized`, a bad tenant by `Invalid tenant`.

**Stream.** The first snapshot comes before `subscribeDashboardStatus` is acknowledged, then one each interval, give or
take a tenth; only to the socket that has subscribed. Subscribing anew replaces the stream. A token that expires or is
revoked ends it with `error` and a disconnect."""

# Action as the daemon sees it, then what it is about.
_EVENTS: dict[str, tuple[str, type[Schema] | None, str, str]] = {
    SUBSCRIBE: (
        "receive",
        SubscribeDashboardStatus,
        "Begin the stream of snapshots",
        "For users: an API key is answered `error` `User not authenticated`.",
    ),
    UNSUBSCRIBE: ("receive", None, "End the stream", "The event has no payload."),
    UPDATE: (
        "send",
        DashboardStatusUpdate,
        "A snapshot of the user's servers",
        "The provisioned items of the user's own running subscriptions, chosen anew each time. A provider that "
        "doesn't answer leaves out its items.",
    ),
    ERROR: (
        "send",
        ErrorMessage,
        "Why something doesn't happen",
        "`Failed to load dashboard status` when no provider answers: the stream goes on.",
    ),
}
_EXAMPLES: dict[str, dict[str, Any]] = {
    SUBSCRIBE: {"pollIntervalMs": 15_000},
    UPDATE: {
        "generatedAt": "2026-01-31T12:00:00.000Z",
        "items": [
            {
                "subscriptionId": "c4a7be0f-1f0e-4a39-9a55-8f3fd7b1e0aa",
                "itemId": "6f1c2d1e-8a53-4c1f-9a7e-2f0b6c1d7e10",
                "service": "controller",
                "name": "controller-1",
                "publicIp": "203.0.113.7",
                "status": "running",
            }
        ],
    },
    ERROR: {"message": "Failed to load dashboard status"},
}


def asyncapi_document(namespace: str = "/billing") -> dict[str, Any]:
    """The document as plain values (AsyncAPI 3.0.0); `namespace` is where the operator has put the events."""
    channel = namespace.strip("/") or "root"
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "decabilld, live",
            "version": version("decabilld"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"sockets": _server()},
        "channels": {
            channel: {
                "address": namespace,
                "title": f"Namespace {namespace}",
                "description": "The Socket.IO namespace that clients connect to.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _EVENTS},
            }
        },
        "operations": {name: _operation(name, channel) for name in _EVENTS},
        "components": {
            "messages": {name: _message(name) for name in _EVENTS},
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {
                    "type": "httpApiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`Bearer <token>` or `ApiKey <key>`; browsers send it in the handshake's `auth`.",
                }
            },
        },
    }


def _server() -> dict[str, Any]:
    return {
        "host": "{host}:{port}",
        "pathname": "/socket.io/",
        "protocol": "ws",
        "description": "Socket.IO over WebSocket, or long polling. `GET /api/config` tells the address as "
        "`websocketUrl`.",
        "variables": {
            "host": {"default": "localhost", "description": "Where the daemon runs."},
            "port": {"default": "8082", "description": "WEBSOCKET_PORT."},
        },
        "security": [{"$ref": "#/components/securitySchemes/token"}],
    }


def _operation(name: str, channel: str) -> dict[str, Any]:
    action, _, summary, description = _EVENTS[name]
    place = f"#/channels/{channel}"
    said = {
        "action": action,
        "channel": {"$ref": place},
        "title": name,
        "summary": summary,
        "description": description,
        "messages": [{"$ref": f"{place}/messages/{name}"}],
    }
    if name == SUBSCRIBE:
        answers = [{"$ref": f"{place}/messages/{event}"} for event in (UPDATE, ERROR)]
        said["reply"] = {"channel": {"$ref": place}, "messages": answers}
    return said


def _message(name: str) -> dict[str, Any]:
    _, schema, summary, description = _EVENTS[name]
    said: dict[str, Any] = {"name": name, "title": name, "summary": summary, "description": description}
    if schema is None:
        said["payload"] = {"type": "null", "description": "Nothing."}
    else:
        said["payload"] = {"$ref": f"#/components/schemas/{schema.__name__}"}
        said["examples"] = [{"name": "usual", "payload": _EXAMPLES[name]}]
    return said


def _schemas() -> dict[str, Any]:
    spec = APISpec("payloads", "1", "3.1.0", plugins=[MarshmallowPlugin(schema_name_resolver=_name)])
    for _, schema, _, _ in _EVENTS.values():
        if schema is not None:
            spec.components.schema(schema.__name__, schema=schema)
    schemas: dict[str, Any] = spec.to_dict()["components"]["schemas"]
    return schemas


def _name(schema: Any) -> str:
    return str((schema if isinstance(schema, type) else type(schema)).__name__)
