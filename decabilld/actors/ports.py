"""What the actors need of the outside, stated as protocols, and what may go wrong there.

`store` and `gateways` implement these; nothing here does anything.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from decabilld.domain.entities import Entity, Id
from decabilld.domain.journal import JournalRow
from decabilld.messages.decision import Command, Effect, Need


class Busy(Exception):
    """The mailbox is full: nothing was done, try again shortly."""


class Unavailable(Exception):
    """The tenant can't answer now. `outcome_unknown`: the request may or may not have taken effect."""

    def __init__(self, reason: str, *, outcome_unknown: bool = False) -> None:
        super().__init__(reason)
        self.outcome_unknown = outcome_unknown


class CommitTooSlow(Unavailable):
    """The database gave up on the batch for the time that it took; nothing of it happened."""


class GivenUp(Exception):
    """An effect was refused for good: trying it again is of no use. The message says why."""


class Fenced(Exception):
    """Another process owns the tenant now; this one must stop and never takes it back."""


class CommitRefused(Exception):
    """The database refused the batch; nothing of it happened. `constraint` names what was violated, if anything."""

    def __init__(self, reason: str, constraint: str | None = None) -> None:
        super().__init__(reason)
        self.constraint = constraint


class CommitInDoubt(Exception):
    """The connection was lost or timed out while committing: whether it happened only the database knows."""


class Head(Struct, frozen=True, kw_only=True):
    """A tenant's row of `tenant_heads`: commits so far, and the end of its journal."""

    n: int
    seq: int
    digest: str


class OutboxRow(Struct, frozen=True, kw_only=True):
    """An effect that waits, is under way or was given up (`failed_at`). Done ones are deleted; those that were given
    up, at the first start after 90 days.

    `cause` is the correlation id of what wanted it: its outcome is logged and kept under the same.
    """

    id: Id
    kind: str
    lane: str
    cause: str
    payload: str
    due_at: datetime
    attempts: int = 0
    last_error: str | None = None
    failed_at: datetime | None = None
    created_at: datetime


class Labelled(Struct, frozen=True, kw_only=True):
    """An item that a server's label names: whose it is, and whether anything outside is still to be paid for."""

    tenant_id: str
    live: bool


class IdempotencyKey(Struct, frozen=True, kw_only=True):
    """A client's key for one request. `render` turns the reply into the status and body that are kept with it."""

    who: str
    key: str
    request_digest: str
    render: Callable[[object], tuple[int, bytes]]


class StoredAnswer(Struct, frozen=True, kw_only=True):
    """The answer that a key was given; JSON text, kept until `expires_at`."""

    who: str
    key: str
    request_digest: str
    status: int
    body: str
    expires_at: datetime


class Batch(Struct, frozen=True, kw_only=True):
    """Everything one commit writes. `expected` is the head that must still be there."""

    expected: Head
    head: Head
    entities: Sequence[Entity]
    removed: Sequence[Entity] = ()
    journal: Sequence[JournalRow]
    outbox: Sequence[OutboxRow]
    done_effects: Sequence[Id]
    answers: Sequence[StoredAnswer]


class TenantStore(Protocol):
    """One tenant's rows, over a connection of its own. Raises Unavailable when the database is away."""

    async def claim(self) -> Head:
        """Take ownership of the tenant, whoever had it; what others commit from now on is fenced."""
        ...

    async def reclaim(self) -> Head:
        """After a commit in doubt: the head if the tenant is still ours. Raises Fenced otherwise."""
        ...

    async def load_live(self) -> tuple[Iterable[Entity], Iterable[tuple[Id, int]]]:
        """Every live entity, and per user the number of ended subscriptions."""
        ...

    async def load(self, needs: Iterable[Need]) -> list[Entity]:
        """Those of the named entities that exist."""
        ...

    async def load_answers(self, keys: Iterable[tuple[str, str]]) -> list[StoredAnswer]:
        """The unexpired answers of these (who, key) pairs."""
        ...

    async def commit(self, batch: Batch) -> None:
        """All of it or nothing. Raises Fenced, CommitRefused, CommitInDoubt."""
        ...

    async def due_effects(self, now: datetime, room: Mapping[str, int], under_way: Iterable[Id]) -> list[OutboxRow]:
        """The longest due effects of each lane, as many as it has `room`; none that is under way or given up."""
        ...

    async def next_effect_at(self, lanes: Iterable[str], under_way: Iterable[Id]) -> datetime | None:
        """When the next effect of these lanes is due that isn't under way; None when there is none."""
        ...

    async def close(self) -> None: ...


Runner = Callable[[str, Effect], Awaitable[Command]]
"""Does an effect for a tenant and says its outcome as a command. GivenUp ends it; any other exception: again later."""

Runners = Mapping[type[Effect], Runner]
