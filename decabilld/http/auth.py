"""Authentication: tokens of our own users, and the API key. Keycloak's are in `keycloak.py`.

Owns what a token is and how long it counts. Whom a tenant knows, and who is locked, is read from its state at each
request, so that a revocation works at once.
"""

import hashlib
import hmac
import uuid
from collections import OrderedDict
from datetime import timedelta
from typing import Generic, TypeVar

import jwt
import msgspec
from msgspec import Struct

from decabilld.actors.registry import Tenants
from decabilld.clock import Clock
from decabilld.domain.entities import RevokedToken, User
from decabilld.domain.refusals import Forbidden, Unauthenticated
from decabilld.http.principal import Principal, Session

C = TypeVar("C")
TOKEN_LIFETIME = timedelta(days=7)
VERIFIED_TOKENS_MAX = 10_000

# Front ends end their session on exactly these sentences.
MISSING = "Missing or invalid authorization token"
EXPIRED = "Invalid or expired token"
REVOKED = "Session is no longer valid."
LOCKED = "This account is locked. Please contact an administrator."


class Claims(Struct, frozen=True):
    """What a token of ours says. `tv` is the user's token version when it was made; times are Unix seconds."""

    sub: str
    email: str
    roles: list[str]
    tv: int
    jti: str
    tenant: str
    iat: int
    exp: int


class KnownTokens(Generic[C]):
    """The claims of tokens that were verified lately, by the tokens' hashes."""

    def __init__(self) -> None:
        self._claims: OrderedDict[bytes, C] = OrderedDict()

    def __len__(self) -> int:
        return len(self._claims)

    def get(self, token: str) -> C | None:
        digest = _digest(token)
        claims = self._claims.get(digest)
        if claims is not None:
            self._claims.move_to_end(digest)
        return claims

    def put(self, token: str, claims: C) -> None:
        self._claims[_digest(token)] = claims
        if len(self._claims) > VERIFIED_TOKENS_MAX:
            self._claims.popitem(last=False)


class Tokens:
    """HS256 tokens under one secret (RFC 7519)."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret, self._clock = secret, clock
        self._verified: KnownTokens[Claims] = KnownTokens()

    def issue(self, user: User, tenant_id: str) -> str:
        now = self._clock()
        claims = Claims(
            sub=user.id,
            email=user.email,
            roles=[user.role],
            tv=user.token_version,
            jti=str(uuid.uuid4()),
            tenant=tenant_id,
            iat=int(now.timestamp()),
            exp=int((now + TOKEN_LIFETIME).timestamp()),
        )
        return jwt.encode(msgspec.to_builtins(claims), self._secret, algorithm="HS256")

    def verify(self, token: str) -> Claims:
        """The claims of a token that is ours and not expired. Raises Unauthenticated."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._decode(token)
            self._verified.put(token, claims)
        if claims.exp <= self._clock().timestamp():
            raise Unauthenticated(EXPIRED)
        return claims

    def _decode(self, token: str) -> Claims:
        try:
            # Expiry is ours to check: against the injected clock, and again whenever the token comes.
            options: jwt.types.Options = {"verify_exp": False, "verify_iat": False}
            return msgspec.convert(jwt.decode(token, self._secret, algorithms=["HS256"], options=options), Claims)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError):
            raise Unauthenticated(EXPIRED) from None


class UserAuthenticator:
    """`Bearer` tokens of the tenant's own users."""

    def __init__(self, tokens: Tokens, tenants: Tenants) -> None:
        self._tokens, self._tenants = tokens, tenants

    async def authenticate(self, authorization: str | None, tenant_id: str) -> Principal:
        claims = self._tokens.verify(credentials(authorization, ("bearer",)))
        if claims.tenant != tenant_id:
            raise Unauthenticated(REVOKED)
        state = self._tenants.published(tenant_id)
        user = state.get(User, claims.sub)
        if user is None:
            raise Unauthenticated(REVOKED)
        if user.locked_at is not None:
            raise Unauthenticated(LOCKED)
        if user.token_version != claims.tv:
            raise Unauthenticated(REVOKED)
        if state.get(RevokedToken, claims.jti) is not None:
            raise Unauthenticated(REVOKED)
        return Principal("user", tenant_id, user.role, user.id, Session(claims.jti, claims.exp))


class ApiKeyAuthenticator:
    """One static key, as `Bearer` or `ApiKey`. With `key_tenant_id` it opens that tenant only."""

    def __init__(self, key: str, key_tenant_id: str | None) -> None:
        self._digest = _digest(key)
        self._key_tenant_id = key_tenant_id

    async def authenticate(self, authorization: str | None, tenant_id: str) -> Principal:
        given = credentials(authorization, ("bearer", "apikey"))
        # Compared as digests: neither the key's length nor its beginning shows in the time it takes.
        if not hmac.compare_digest(_digest(given), self._digest):
            raise Unauthenticated(EXPIRED)
        if self._key_tenant_id is not None and tenant_id != self._key_tenant_id:
            raise Forbidden("This API key belongs to another tenant")
        return Principal("api-key", tenant_id, "admin")


def credentials(authorization: str | None, schemes: tuple[str, ...]) -> str:
    """What follows one of these schemes. Raises Unauthenticated."""
    scheme, _, given = (authorization or "").partition(" ")
    given = given.strip()
    if scheme.lower() not in schemes or not given:
        raise Unauthenticated(MISSING)
    return given


def _digest(secret: str) -> bytes:
    # Whatever a header or a socket's JSON may hold: half of a surrogate pair, too.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
