"""Authentication by a Keycloak realm: access tokens that it has signed (OpenID Connect, RFC 9068's checks).

Owns what such a token must say, and whom it stands for here. The realm's keys are handed in.
"""

import asyncio
import uuid
from typing import Any, Protocol

import jwt
import msgspec
import structlog
from msgspec import Struct

from decabilld.actors.registry import Tenants
from decabilld.actors.tenant.handlers.users import email_key
from decabilld.clock import Clock
from decabilld.domain.entities import Id, LinkedSubject, User
from decabilld.domain.ids import id_of
from decabilld.domain.refusals import Forbidden, Unauthenticated
from decabilld.http.auth import EXPIRED, LOCKED, REVOKED, KnownTokens, credentials
from decabilld.http.principal import Principal
from decabilld.messages.commands import AdmitSubject

SKEW_SECONDS = 60
NO_TENANT_CLAIM = "none"
ADMIN_ROLE = "admin"


class SigningKeys(Protocol):
    async def key(self, kid: str) -> Any | None:
        """The public key of that name, or None. Raises Unavailable while that can't be known."""
        ...


class Roles(Struct, frozen=True):
    roles: list[str] = []


class RealmClaims(Struct, frozen=True):
    """What we need of a token. Times are Unix seconds; `tenants` None: the token doesn't say."""

    sub: str
    iss: str
    exp: float
    nbf: float = 0
    typ: str = "Bearer"
    azp: str = ""
    aud: str | list[str] = ""
    email: str = ""
    email_verified: bool = False
    realm_access: Roles = Roles()
    resource_access: dict[str, Roles] = {}
    tenants: tuple[str, ...] | None = None


class KeycloakAuthenticator:
    """`tenant_claim` names the tenants that a token may enter; `none`: whoever comes stays where they came first."""

    def __init__(
        self, keys: SigningKeys, *, issuer: str, client_id: str, tenant_claim: str, tenants: Tenants, clock: Clock
    ) -> None:
        self._keys, self._tenants, self._clock = keys, tenants, clock
        self._issuer, self._client_id, self._tenant_claim = issuer, client_id, tenant_claim
        self._known: KnownTokens[RealmClaims] = KnownTokens()
        self._admitting = asyncio.Lock()

    async def authenticate(self, authorization: str | None, tenant_id: str) -> Principal:
        """Also raises Unavailable while the realm's keys can't be had."""
        token = credentials(authorization, ("bearer",))
        claims = self._known.get(token)
        first_seen = claims is None
        if claims is None:
            claims = await self._decode(token)
            self._known.put(token, claims)
        self._check_time(claims)
        self._check_tenant(claims, tenant_id)
        user = await self._user(claims, tenant_id, first_seen=first_seen)
        if user.locked_at is not None:
            raise Unauthenticated(LOCKED)
        is_admin = user.role == "admin" or self._has_admin_role(claims)
        return Principal("user", tenant_id, "admin" if is_admin else "user", user.id)

    # --- the token ---

    async def _decode(self, token: str) -> RealmClaims:
        """The claims of a token that this realm has signed for us. Times are checked whenever it comes."""
        options: jwt.types.Options = {
            "verify_exp": False,
            "verify_nbf": False,
            "verify_iat": False,
            "verify_aud": False,
        }
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            if header.get("alg") != "RS256" or not isinstance(kid, str):
                raise Unauthenticated(EXPIRED)
            key = await self._keys.key(kid)
            if key is None:
                raise Unauthenticated(EXPIRED)
            said = jwt.decode(token, key, algorithms=["RS256"], issuer=self._issuer, options=options)
            claims = msgspec.convert({**said, "tenants": self._tenants_said(said)}, RealmClaims)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError):
            raise Unauthenticated(EXPIRED) from None
        audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        # ID and refresh tokens are signed as well, and open nothing here.
        if claims.typ != "Bearer" or (self._client_id not in audience and claims.azp != self._client_id):
            raise Unauthenticated(EXPIRED)
        return claims

    def _tenants_said(self, said: dict[str, Any]) -> list[str] | None:
        named = said.get(self._tenant_claim)
        if named is None or self._tenant_claim == NO_TENANT_CLAIM:
            return None
        return [named] if isinstance(named, str) else named

    def _check_time(self, claims: RealmClaims) -> None:
        now = self._clock().timestamp()
        if claims.exp + SKEW_SECONDS <= now or claims.nbf - SKEW_SECONDS > now:
            raise Unauthenticated(EXPIRED)

    def _has_admin_role(self, claims: RealmClaims) -> bool:
        of_client = claims.resource_access.get(self._client_id, Roles())
        return ADMIN_ROLE in claims.realm_access.roles or ADMIN_ROLE in of_client.roles

    # --- whom it stands for ---

    def _check_tenant(self, claims: RealmClaims, tenant_id: str) -> None:
        if claims.tenants is not None:
            allowed = tenant_id in claims.tenants
        else:
            allowed = self._tenant_claim == NO_TENANT_CLAIM or len(self._tenants.ids) == 1
        if not allowed:
            raise Unauthenticated(REVOKED)

    async def _user(self, claims: RealmClaims, tenant_id: str, *, first_seen: bool) -> User:
        link_id = id_of(self._issuer, claims.sub)
        state = self._tenants.published(tenant_id)
        link = state.get(LinkedSubject, link_id)
        if link is None:
            return await self._admitted(claims, tenant_id, link_id)
        user = state.get(User, link.user_id)
        if user is None:
            raise Unauthenticated(REVOKED)
        if first_seen and claims.email and email_key(claims.email) != user.email_key:
            return await self._admitted(claims, tenant_id, link_id)
        return user

    async def _admitted(self, claims: RealmClaims, tenant_id: str, link_id: Id) -> User:
        """The tenant's copy of somebody whom it sees for the first time, or under another address."""
        if not claims.email:
            raise Forbidden("The token has no e-mail address; the client needs the scope `email`")
        # One at a time, so that nobody enters two tenants at once where the first one binds.
        async with self._admitting:
            if self._tenant_claim == NO_TENANT_CLAIM:
                self._check_unbound(link_id, tenant_id)
            user = await self._tenants.ask(
                tenant_id,
                AdmitSubject(link_id=link_id, email=claims.email, email_verified=claims.email_verified),
                who="keycloak",
                cause=str(structlog.contextvars.get_contextvars().get("correlation_id") or uuid.uuid4()),
            )
        assert isinstance(user, User), "that is the reply to AdmitSubject"
        return user

    def _check_unbound(self, link_id: Id, tenant_id: str) -> None:
        for other in self._tenants.ids:
            if other != tenant_id and self._tenants.published(other).get(LinkedSubject, link_id) is not None:
                raise Unauthenticated(REVOKED)
