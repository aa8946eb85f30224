"""Who gets in, and from where: authentication, secrets, origins, limits."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from decabilld.settings import parsing
from decabilld.settings.variable import variable


@dataclass(frozen=True, kw_only=True)
class AccessSettings:
    authentication_method: Literal["users", "keycloak", "api-key"] | None = variable(
        "AUTHENTICATION_METHOD", None,
        "users, keycloak or api-key; default: api-key if STATIC_API_KEY is set, keycloak if KEYCLOAK_AUTH_SERVER_URL "
        "is, else users",
        parsing.one_of("users", "keycloak", "api-key"),
    )  # fmt: skip
    static_api_key: str | None = variable("STATIC_API_KEY", None, "The key of api-key mode", secret=True)
    static_api_key_tenant_id: str | None = variable(
        "STATIC_API_KEY_TENANT_ID", None, "The one tenant that the key opens; default: all"
    )
    keycloak_auth_server_url: str | None = variable(
        "KEYCLOAK_AUTH_SERVER_URL", None, "Keycloak's base address, without /realms", parsing.address
    )
    keycloak_realm: str | None = variable("KEYCLOAK_REALM", None, "Its realm")
    keycloak_client_id: str | None = variable(
        "KEYCLOAK_CLIENT_ID", None, "The client that tokens must be meant for (`aud` or `azp`)"
    )
    keycloak_tenant_claim: str = variable(
        "KEYCLOAK_TENANT_CLAIM", "tenants",
        "The claim that names the tenants a token may enter; none: whoever comes stays in the tenant first entered",
    )  # fmt: skip
    jwt_secret: str | None = variable(
        "JWT_SECRET", None, "Signs tokens, at least 32 characters; default: made once and kept, but not in production",
        secret=True,
    )  # fmt: skip
    encryption_key: str | None = variable(
        "ENCRYPTION_KEY", None, "32 bytes, base64 or hex; default: made once and kept, but not in production",
        parsing.encryption_key, secret=True,
    )  # fmt: skip
    encryption_key_previous: str | None = variable(
        "ENCRYPTION_KEY_PREVIOUS", None, "The key before that one, until `decabilld rotate-key` is done",
        parsing.encryption_key, secret=True,
    )  # fmt: skip
    disable_signup: bool = variable("DISABLE_SIGNUP", False, "Whether registering is refused", parsing.flag)
    confirmation_code_ttl_minutes: int = variable(
        "CONFIRMATION_CODE_TTL_MINUTES", 60, "Minutes until a code sent by mail expires", parsing.whole(1, 10_080)
    )

    cors_origin: tuple[str, ...] = variable(
        "CORS_ORIGIN", (), "Origins whose pages may call the API, separated by commas; default * outside production",
        parsing.origins,
    )  # fmt: skip
    rate_limit_enabled: bool | None = variable(
        "RATE_LIMIT_ENABLED",
        None,
        "Whether clients are limited at all; default: only in production",
        parsing.flag,
        live=True,
    )
    rate_limit_ttl_seconds: int = variable(
        "RATE_LIMIT_TTL", 60, "Seconds of a window", parsing.whole(1, 86_400), live=True
    )
    rate_limit_limit: int = variable(
        "RATE_LIMIT_LIMIT", 100, "Requests of a client to a route in a window; login and codes allow 10 a minute",
        parsing.whole(1, 1_000_000), live=True,
    )  # fmt: skip
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = variable(
        "TRUSTED_PROXIES", (), "Addresses or networks of proxies whose X-Forwarded-* headers count", parsing.networks
    )
    public_url: str | None = variable(
        "PUBLIC_URL", None, "Where the API is reached from outside; default: as the request says", parsing.address
    )
    public_websocket_url: str | None = variable(
        "PUBLIC_WEBSOCKET_URL",
        None,
        "Likewise for Socket.IO; default: the same host at WEBSOCKET_PORT",
        parsing.address,
    )
