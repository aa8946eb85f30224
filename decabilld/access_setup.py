"""Who may call and how often, put together from the settings: for `daemon.py` alone."""

from collections.abc import Set

from decabilld import keys
from decabilld.actors.registry import Tenants
from decabilld.clock import Clock
from decabilld.gateways.keycloak.jwks import RealmKeys
from decabilld.http.auth import ApiKeyAuthenticator, Tokens, UserAuthenticator
from decabilld.http.dependencies import HttpSettings, KeycloakAddress
from decabilld.http.keycloak import KeycloakAuthenticator
from decabilld.http.limits import RateLimit
from decabilld.http.principal import Authenticator
from decabilld.settings import Settings


def authenticator_of(settings: Settings, tokens: Tokens, tenants: Tenants, clock: Clock) -> Authenticator:
    """Of the method in force."""
    if settings.authentication == "api-key":
        return ApiKeyAuthenticator(settings.static_api_key or "", settings.static_api_key_tenant_id)
    if settings.authentication == "keycloak":
        issuer = f"{settings.keycloak_auth_server_url}/realms/{settings.keycloak_realm}"
        return KeycloakAuthenticator(
            RealmKeys(f"{issuer}/protocol/openid-connect/certs"),
            issuer=issuer,
            client_id=settings.keycloak_client_id or "",
            tenant_claim=settings.keycloak_tenant_claim,
            tenants=tenants,
            clock=clock,
        )
    return UserAuthenticator(tokens, tenants)


def rate_limit_of(settings: Settings) -> RateLimit | None:
    """None where nobody is limited."""
    if not settings.rate_limited:
        return None
    return RateLimit(limit=settings.rate_limit_limit, seconds=settings.rate_limit_ttl_seconds)


def http_settings(settings: Settings, tenant_ids: Set[str], websocket_port: int) -> HttpSettings:
    """What the HTTP edge is told; `tenant_ids` may grow, `websocket_port` is the one really taken."""
    return HttpSettings(
        tenant_ids=tenant_ids,
        tenants_allow_default=settings.tenants_allow_default,
        max_body_bytes=settings.max_body_bytes,
        authentication_method=settings.authentication,
        keycloak=_keycloak_address(settings),
        disable_signup=settings.disable_signup,
        confirmation_code_ttl_minutes=settings.confirmation_code_ttl_minutes,
        code_key=keys.code_key(settings),
        test_clock=settings.test_clock,
        production=settings.production,
        cors_origins=settings.cors_origins,
        rate_limit=rate_limit_of(settings),
        trusted_proxies=settings.trusted_proxies,
        public_url=settings.public_url,
        websocket_url=settings.public_websocket_url,
        websocket_port=websocket_port,
        websocket_namespace=settings.websocket_namespace,
    )


def _keycloak_address(settings: Settings) -> KeycloakAddress | None:
    if settings.authentication != "keycloak":
        return None
    return KeycloakAddress(
        auth_server_url=settings.keycloak_auth_server_url or "",
        realm=settings.keycloak_realm or "",
        client_id=settings.keycloak_client_id or "",
    )
