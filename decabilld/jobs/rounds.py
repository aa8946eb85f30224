"""What is done again and again beside the tenants' own work, such as comparing servers. Owns when; not what.

A round that takes long delays its own next one only; one that fails is logged, and the next one comes all the same.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog
from msgspec import Struct

from decabilld.actors.ports import Unavailable
from decabilld.tasks import cancelled, spawn

FIRST_SECONDS = 60.0
"""To the first round at most: a daemon that is often started anew must come to its rounds, too."""
_log = structlog.get_logger("jobs")


class Round(Struct, frozen=True, kw_only=True):
    """`seconds` from the end of one to the beginning of the next."""

    name: str
    seconds: float
    do: Callable[[], Awaitable[object]]


class Rounds:
    def __init__(self, *rounds: Round) -> None:
        self._rounds = rounds
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [spawn(_again_and_again(one), name=f"rounds {one.name}") for one in self._rounds]

    async def stop(self) -> None:
        """What is under way is broken off; the next daemon does it again."""
        await cancelled(*self._tasks)


async def _again_and_again(one: Round) -> None:
    await asyncio.sleep(min(one.seconds, FIRST_SECONDS))
    while True:
        try:
            await one.do()
        except Unavailable as error:
            _log.warning("round_left_out", round=one.name, reason=str(error))
        except Exception:  # noqa: BLE001 - a bug in one round must not end all that follow
            _log.exception("round_failed", round=one.name)
        # Spread, so that several daemons over one account don't go on asking at the same moment.
        await asyncio.sleep(one.seconds * random.uniform(0.95, 1.05))  # noqa: S311 - spreads load, guards nothing
