"""What the socket edge needs of rooms that it may not enter. `daemon.py` hands in who does it."""

from collections.abc import Awaitable, Callable, Sequence, Set
from typing import Any, Protocol

from msgspec import Struct

from decabilld.domain.entities import Id, SubscriptionItem


class RealtimeSettings(Struct, frozen=True, kw_only=True):
    """`cors_origins`: who else's pages may connect, `*` for all; empty means pages of this very origin only."""

    namespace: str = "/billing"
    cors_origins: tuple[str, ...] = ()
    poll_interval_ms: int = 15_000
    tenant_ids: Set[str] = frozenset({"default"})
    tenants_allow_default: bool = True


class Caller(Protocol):
    """Whom a token stands for. The API key is nobody in particular: its `user_id` is None."""

    @property
    def tenant_id(self) -> str: ...

    @property
    def user_id(self) -> Id | None: ...


class Authenticator(Protocol):
    async def authenticate(self, authorization: str | None, tenant_id: str) -> Caller:
        """Whom an `Authorization` stands for, now. Raises Unauthenticated, Forbidden, Unavailable."""
        ...


class ServerStatus(Protocol):
    """A server as its provider sees it."""

    @property
    def item_id(self) -> Id: ...

    @property
    def name(self) -> str: ...

    @property
    def public_ip(self) -> str: ...

    @property
    def private_ip(self) -> str | None: ...

    @property
    def status(self) -> str: ...

    @property
    def metadata(self) -> dict[str, Any] | None: ...


LookUp = Callable[[str, Sequence[SubscriptionItem]], Awaitable[Sequence[ServerStatus]]]
"""Asks one provider for the servers of a tenant's items. Any exception means: it doesn't answer now."""

Snapshot = Callable[[str, Id], Awaitable[list[dict[str, Any]]]]
"""The dashboard items of a tenant's user, as on the wire. Raises NothingSeen, Unavailable."""


class NothingSeen(Exception):
    """There are servers, but no provider says anything of them."""
