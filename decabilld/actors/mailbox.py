"""The queue before a tenant's actor: bounded for requests, open for the actor's own successors."""

import asyncio
from collections import deque

from msgspec import Struct

from decabilld.actors.ports import Busy, IdempotencyKey, OutboxRow
from decabilld.domain.entities import Id
from decabilld.messages.decision import Command

CAPACITY = 2_048


class Settled(Struct, frozen=True):
    """The envelope's command reports that this effect is done."""

    effect_id: Id

    @property
    def answered_id(self) -> Id | None:
        """The effect whose outcome this is, for those who wait for it."""
        return self.effect_id


class Postponed(Struct, frozen=True):
    """The envelope's command reports that this effect failed; the row says when it is tried again, if ever."""

    row: OutboxRow

    @property
    def answered_id(self) -> Id | None:
        """None while it will be tried again: those who wait go on waiting."""
        return self.row.id if self.row.failed_at is not None else None


class Envelope:
    """A command on its way: who sent it, why, until when it matters, and where the reply goes."""

    __slots__ = ("cause", "command", "deadline", "future", "idempotency", "settles", "who")

    def __init__(
        self,
        command: Command,
        *,
        who: str,
        cause: str,
        future: asyncio.Future[object] | None = None,
        deadline: float | None = None,
        idempotency: IdempotencyKey | None = None,
        settles: Settled | Postponed | None = None,
    ) -> None:
        self.command, self.who, self.cause = command, who, cause
        self.future, self.deadline = future, deadline
        self.idempotency, self.settles = idempotency, settles

    def abandoned(self, now: float) -> bool:
        """Whether the caller is gone. The actor's own commands have no caller and are never abandoned."""
        if self.future is None:
            return False
        return self.future.done() or (self.deadline is not None and self.deadline < now)

    def answer(self, reply: object) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_result(reply)

    def fail(self, error: BaseException) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_exception(error)


class Mailbox:
    """First in, first out. One consumer."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._waiting: deque[Envelope] = deque()
        self._capacity = capacity
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, envelope: Envelope) -> None:
        """Put a request in. Raises Busy when there is no room."""
        if len(self._waiting) >= self._capacity:
            raise Busy
        self.push(envelope)

    def push(self, envelope: Envelope) -> None:
        """Put in a successor of work that is under way: there are at most as many as such works."""
        self._waiting.append(envelope)
        self._filled.set()

    def wake(self) -> None:
        """Let a waiting `drain` return, empty-handed if need be."""
        self._filled.set()

    async def drain(self, limit: int) -> list[Envelope]:
        """Wait for at least one envelope, then take up to `limit` of those that are there."""
        if not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self.take(limit)

    def take(self, limit: int) -> list[Envelope]:
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(limit, len(waiting)))]
