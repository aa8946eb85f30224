"""What goes into a decision and what comes out of it: the grammar that all commands, effects and entries follow.

`handler(state, command, context) -> Decision`, or a Refusal is raised. Nothing here does anything.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, Literal

from msgspec import Struct

from decabilld.domain.entities import Entity, Id
from decabilld.domain.policy import BillingPolicy

Need = tuple[type[Entity], Id]
Lane = Literal["prompt", "servers", "backorders", "documents"]
"""Effects of one lane wait for one another only. Somebody waits for the prompt ones; the others may be slow."""


class Command(Struct, frozen=True, kw_only=True):
    """Something a tenant's actor is asked to do; named in the imperative."""

    def needs(self) -> tuple[Need, ...]:
        """Entities that may be closed, hence not in memory: the actor loads them before it decides."""
        return ()

    def if_faulty(self) -> "Command | None":
        """What to do instead when this command alone fails by a bug or is refused by the database; None: nothing."""
        return None


class Effect(Struct, frozen=True, kw_only=True, tag=True):
    """Something to do outside after the commit, at least once. `id` names the outbox row and is the idempotency key."""

    attempts_max: ClassVar[int] = 20
    pause_seconds_max: ClassVar[float] = 3_600.0
    """The longest pause between two attempts; the first is two seconds, each further one twice as long."""
    lane: ClassVar[Lane] = "prompt"
    id: Id


class Entry(Struct, frozen=True, kw_only=True):
    """A journal entry: what happened, in the past tense (`invoice.issued`), and the data that explains the amount.

    `data` holds only strings, integers, booleans, None, lists and objects, so that its canonical form (and with it
    the hash) is the same whatever stored it in between; amounts are `*_minor` integers, rates strings.
    """

    kind: str
    message: str
    entity: Entity
    user_id: Id | None = None
    invoice_id: Id | None = None
    level: str = "info"
    data: dict[str, Any] = {}
    at: datetime | None = None
    """When, if not at the context's `now`: on the way of a test clock each step has its own instant."""


class Deferred(Struct, frozen=True):
    """As a reply: the answer is that of the command which will report the outcome of this effect."""

    effect_id: Id


class HandedOn(Struct, frozen=True):
    """As a reply: whoever asked is answered by the first command of `then`."""


class Decision(Struct, frozen=True, kw_only=True):
    """What shall be. A Refusal as `reply` is told to those who waited for a deferred reply, and is still committed."""

    reply: object = None
    changes: tuple[Entity, ...] = ()
    removed: tuple[Entity, ...] = ()
    """What shall not be any more, in memory or database: drafts and profiles that nothing refers to."""
    entries: tuple[Entry, ...] = ()
    effects: tuple[Effect, ...] = ()
    then: tuple[Command, ...] = ()
    """Successors of long work, put at the end of the mailbox after the commit."""

    def along_with(self, other: "Decision") -> "Decision":
        """Both in one, this one first; the reply is this one's."""
        return Decision(
            reply=self.reply,
            changes=self.changes + other.changes,
            removed=self.removed + other.removed,
            entries=self.entries + other.entries,
            effects=self.effects + other.effects,
            then=self.then + other.then,
        )


class Context(Struct, frozen=True, kw_only=True):
    """The circumstances of one decision. `now` is the tenant's time, `wall` the real one (codes, tokens, limits)."""

    tenant_id: str
    now: datetime
    wall: datetime
    policy: BillingPolicy
    new_id: Callable[[], Id]
    who: str
    """`user:<id>`, `api-key`, `job:<name>`, `stripe` or `outbox`."""
    cause: str
    """Correlation id of the request or job."""
