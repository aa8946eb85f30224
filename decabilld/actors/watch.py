"""What actors and outboxes tell of their work to whoever measures it: after the fact, and it decides nothing.

Owns the words. What becomes of them (metrics, traces) is `telemetry/`'s.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from decabilld.actors.mailbox import Envelope
from decabilld.actors.ports import OutboxRow

Attempted = Literal["done", "failed", "given_up"]
"""How an attempt at an effect ended; a failed one is made again."""


class Turn(Struct, frozen=True, kw_only=True):
    """A turn that was published. Instants are `time.perf_counter` seconds; `written`: there was something to commit."""

    tenant_id: str
    envelopes: Sequence[Envelope]
    began: float
    decided: float
    committed: float
    ended: float
    written: bool


class Attempt(Struct, frozen=True, kw_only=True):
    """One attempt at an effect, by `time.perf_counter`."""

    tenant_id: str
    row: OutboxRow
    outcome: Attempted
    began: float
    ended: float


class Watch(Protocol):
    """Called on the loop in the midst of the work: it must be quick, and must not fail."""

    def turned(self, turn: Turn) -> None: ...

    def attempted(self, attempt: Attempt) -> None: ...


class Unwatched:
    """Nobody looks."""

    def turned(self, turn: Turn) -> None:
        return

    def attempted(self, attempt: Attempt) -> None:
        return
