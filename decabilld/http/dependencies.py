"""What the HTTP edge is given: settings, the tenants, and what it needs of rooms that it may not enter."""

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, Literal, Protocol

from msgspec import Struct

from decabilld.actors.provider import Provider, Server, ServerType
from decabilld.actors.registry import Tenants
from decabilld.clock import Clock
from decabilld.domain.entities import Invoice, SubscriptionItem
from decabilld.domain.policy import BillingPolicy
from decabilld.http.auth import Tokens
from decabilld.http.limits import Network, RateLimit
from decabilld.http.observation import MetricsPage, RequestWatch
from decabilld.http.passwords import Passwords
from decabilld.http.principal import Authenticator
from decabilld.messages.commands import NewSecrets, PaymentNotice
from decabilld.store.readers import Readers


class Documents(Protocol):
    async def document(self, invoice: Invoice, kind: Literal["invoice", "credit_note"], tenant: str) -> bytes:
        """The PDF as kept, or made again. Raises Unavailable."""
        ...


class Servers(Protocol):
    """Providers of servers, and what is sealed with a server's item."""

    def providers(self) -> Sequence[Provider]:
        """All that are installed."""
        ...

    async def server_types(self, provider_id: str) -> Sequence[ServerType]:
        """At most ten minutes old. Raises ProviderAway, ProviderRefused, KeyError."""
        ...

    async def states(self, provider_id: str) -> Mapping[str, Server]:
        """For `server_of`, at most five seconds old. Raises ProviderAway, ProviderRefused, KeyError."""
        ...

    async def limit_reached(self, provider_id: str) -> str | None:
        """Why there can't be another server now, at most five seconds old. Raises ProviderAway, KeyError."""
        ...

    def new_secrets(self, tenant_id: str, config: dict[str, Any]) -> NewSecrets:
        """Fresh keys for an item of which `config` is asked."""
        ...

    def wishes(self, tenant_id: str, item: SubscriptionItem) -> dict[str, Any]:
        """What was asked of an item; empty once its secrets are gone."""
        ...

    def resealed(self, tenant_id: str, item: SubscriptionItem, config: dict[str, Any]) -> str:
        """The item's keys, with other wishes."""
        ...


class KeycloakAddress(Struct, frozen=True, kw_only=True, rename="camel"):
    """Where people log in; no secret."""

    auth_server_url: str
    realm: str
    client_id: str


class HttpSettings(Struct, frozen=True, kw_only=True):
    """`tenant_ids` is the allowlist, which may grow; `code_key` keys the digests of one-time codes.

    `rate_limit` None means none at all. `public_url` is where the API is reached from outside, `websocket_url` where
    sockets are; None: where the request has found us, sockets at `websocket_port`.
    """

    tenant_ids: Set[str] = frozenset({"default"})
    tenants_allow_default: bool = True
    max_body_bytes: int = 1024 * 1024
    authentication_method: Literal["users", "keycloak", "api-key"] = "users"
    keycloak: KeycloakAddress | None = None
    disable_signup: bool = False
    confirmation_code_ttl_minutes: int = 60
    code_key: bytes
    test_clock: bool = False
    cors_origins: tuple[str, ...] = ("*",)
    rate_limit: RateLimit | None = None
    trusted_proxies: tuple[Network, ...] = ()
    public_url: str | None = None
    websocket_url: str | None = None
    websocket_port: int = 8082
    websocket_namespace: str = "/billing"
    production: bool = False


class Dependencies(Struct, frozen=True, kw_only=True):
    """`clock` is real time. `not_ready` says why the daemon can't serve, if so; `ready_details` what else should be
    looked at, though it serves.

    `read_payment_event` proves and reads a webhook's raw body and signature header: the tenant it names, if any, and
    what to ask of it; it raises Invalid. None while no payment processor is configured.
    """

    settings: HttpSettings
    policy: BillingPolicy
    tenants: Tenants
    readers: Readers
    authenticator: Authenticator
    tokens: Tokens
    passwords: Passwords
    documents: Documents
    servers: Servers
    clock: Clock
    not_ready: Callable[[], list[str]]
    ready_details: Callable[[], list[str]] = list
    seal_code: Callable[[str, str], str] | None = None
    """Seals (code, tenant id) for the mail; None while no mail server is configured."""
    read_payment_event: Callable[[bytes, str], tuple[str | None, PaymentNotice]] | None = None
    asyncapi: Callable[[], dict[str, Any]] | None = None
    """Makes the document of the socket site, which is no part of this one."""
    watch: RequestWatch | None = None
    metrics: MetricsPage | None = None
