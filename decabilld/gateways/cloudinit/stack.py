"""The containers of a service and the settings that they get: two compose files, dumped from plain values.

Owns what runs on a customer's server. `compose.yaml` holds nothing secret. The customer's settings are the
`environment` of `compose.override.yaml`, which compose adds by itself: unlike an env file, whose quoting differs
between versions of compose, YAML can hold every text; only `$` is doubled, against interpolation. What the server
makes up for itself (database password, signing keys) is in `generated.env` and `database.env`, see `files/setup.sh`.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import yaml
from msgspec import Struct

from decabilld.actors.provider import ProviderRefused

STACKS_DIRECTORY = "/opt/decabill"
HTTP_PORT, SOCKET_PORT = "3000", "8080"

VARIABLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("AUTHENTICATION_METHOD", ("authenticationMethod",)),
    ("STATIC_API_KEY", ("staticApiKey",)),
    ("DISABLE_SIGNUP", ("disableSignup",)),
    ("SMTP_HOST", ("smtp", "host")),
    ("SMTP_PORT", ("smtp", "port")),
    ("SMTP_USER", ("smtp", "user")),
    ("SMTP_PASSWORD", ("smtp", "password")),
    ("EMAIL_FROM", ("smtp", "from")),
    ("KEYCLOAK_SERVER_URL", ("keycloak", "serverUrl")),
    ("KEYCLOAK_AUTH_SERVER_URL", ("keycloak", "authServerUrl")),
    ("KEYCLOAK_REALM", ("keycloak", "realm")),
    ("KEYCLOAK_CLIENT_ID", ("keycloak", "clientId")),
    ("KEYCLOAK_CLIENT_SECRET", ("keycloak", "clientSecret")),
    ("HETZNER_API_TOKEN", ("hetznerApiToken",)),
    ("DIGITALOCEAN_API_TOKEN", ("digitaloceanApiToken",)),
    ("GIT_REPOSITORY_URL", ("git", "repositoryUrl")),
    ("GIT_USERNAME", ("git", "username")),
    ("GIT_TOKEN", ("git", "token")),
    ("GIT_PASSWORD", ("git", "password")),
    ("GIT_PRIVATE_KEY", ("git", "privateKey")),
    ("GIT_COMMIT_AUTHOR_NAME", ("git", "commitAuthorName")),
    ("GIT_COMMIT_AUTHOR_EMAIL", ("git", "commitAuthorEmail")),
    ("CURSOR_API_KEY", ("cursorApiKey",)),
)
"""The variable that a container reads, and where a customer's configuration has it."""

_UNFIT = re.compile("[\\0\ud800-\udfff]")
"""No variable can hold a NUL, no UTF-8 text half a surrogate pair."""


class StackImages(Struct, frozen=True, kw_only=True):
    """Images with their tags; the tag is what the nightly update follows. A service without one can't be made."""

    controller: str | None
    manager: str | None
    database: str
    """A PostgreSQL image of one major version: the data of another can't be read."""


def compose_file(service: str, images: StackImages) -> str:
    """`compose.yaml` of a service: the controller with its database, the manager with a volume.

    Raises ProviderRefused if the operator has set no image for it.
    """
    image = images.controller if service == "controller" else images.manager
    if image is None:
        raise ProviderRefused(f"No image is set for the service {service}")
    container: dict[str, Any] = {
        "image": image,
        "restart": "unless-stopped",
        "env_file": ["generated.env"],
        "environment": {"NODE_ENV": "production", "PORT": HTTP_PORT, "WEBSOCKET_PORT": SOCKET_PORT},
        "ports": [f"127.0.0.1:{port}:{port}" for port in (HTTP_PORT, SOCKET_PORT)],
        "logging": _logging(),
    }
    stack: dict[str, Any] = {"name": f"decabill-{service}", "services": {service: container}}
    if service == "controller":
        container["environment"] |= {
            "DB_HOST": "database",
            "DB_PORT": "5432",
            "DB_USERNAME": "controller",
            "DB_DATABASE": "controller",
        }
        container["depends_on"] = {"database": {"condition": "service_healthy"}}
        stack["services"]["database"] = _database(images.database)
        stack["volumes"] = {"database": {}}
    else:
        container["volumes"] = ["data:/data"]
        stack["volumes"] = {"data": {}}
    return yaml.dump(stack, Dumper=yaml.CSafeDumper, sort_keys=False)


def override_file(service: str, config: Mapping[str, Any], *, fqdn: str | None) -> str:
    """`compose.override.yaml`: the settings of the request. Raises ProviderRefused for one that can't be a variable."""
    environment = {
        variable: text for variable, path in VARIABLES if (text := _text(_held(config, path), path)) is not None
    }
    if fqdn is not None:
        environment["PUBLIC_URL"] = f"https://{fqdn}"
    stack = {
        "services": {service: {"environment": {name: text.replace("$", "$$") for name, text in environment.items()}}}
    }
    # Every text in double quotes: compose reads a bare 1e5 or 0o17 as a number, where PyYAML wrote a text.
    return yaml.dump(
        stack, Dumper=yaml.CSafeDumper, sort_keys=False, default_style='"', allow_unicode=True, width=10**9
    )


def needs_api_key(config: Mapping[str, Any]) -> bool:
    """Whether the server must make up a key, so as to be closed rather than open: the request brings none."""
    return config.get("authenticationMethod") == "api-key" and not config.get("staticApiKey")


def _logging() -> dict[str, Any]:
    return {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}


def _database(image: str) -> dict[str, Any]:
    return {
        "image": image,
        "restart": "unless-stopped",
        "env_file": ["database.env"],
        "environment": {"POSTGRES_USER": "controller", "POSTGRES_DB": "controller"},
        "volumes": ["database:/var/lib/postgresql/data"],
        "healthcheck": {
            "test": ["CMD", "pg_isready", "--username", "controller"],
            "interval": "5s",
            "timeout": "5s",
            "retries": 24,
        },
        "logging": _logging(),
    }


def _held(config: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    held: Any = config
    for name in path:
        if held is None:
            return None
        if not isinstance(held, Mapping):
            raise ProviderRefused(f"{'.'.join(path[:-1])} of the configuration is not an object")
        held = held.get(name)
    return held


def _text(value: Any, path: tuple[str, ...]) -> str | None:
    """As the container shall read it. The message never tells the value: it may be secret."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = format(Decimal(str(value)).normalize(), "f") if isinstance(value, float | Decimal) else str(value)
    if not isinstance(value, str | int | float | Decimal) or _UNFIT.search(text):
        raise ProviderRefused(f"{'.'.join(path)} of the configuration can't be handed to a container")
    return text
