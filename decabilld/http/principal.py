"""Who is asking: the outcome of authentication, and the authenticators' common face."""

from typing import Literal, Protocol

from msgspec import Struct

from decabilld.domain.entities import Id, Role


class Session(Struct, frozen=True):
    """The token of ours that somebody came with."""

    token_id: Id
    expires_at_seconds: int
    """Unix time."""


class Principal(Struct, frozen=True):
    """`user_id` is None for the API key, which has an admin's rights and no customer of its own."""

    kind: Literal["user", "api-key"]
    tenant_id: str
    role: Role
    user_id: Id | None = None
    session: Session | None = None

    @property
    def who(self) -> str:
        """As the journal names them."""
        return f"user:{self.user_id}" if self.user_id else "api-key"


class Authenticator(Protocol):
    """One per authentication method."""

    async def authenticate(self, authorization: str | None, tenant_id: str) -> Principal:
        """Whom an `Authorization` header stands for. Raises Unauthenticated, Forbidden, Unavailable."""
        ...
