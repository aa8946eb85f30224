"""An answer of a provider, kept for a while: however many ask, the provider is asked once.

Owns when to ask again and what to show while the provider is away. Knows nothing of what is asked.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from decabilld.actors.provider import OverBudget, ProviderAway
from decabilld.tasks import spawn

ASK_SECONDS = 45.0
"""A provider ends its calls within 40 s; this is for one that doesn't."""
FAILURE_KEPT_SECONDS = 5.0
OVER_BUDGET_STALE_SECONDS = 180.0
"""A listing of 100 pages, the most that is read, is due again after 167 s, see `budget.py`."""
T = TypeVar("T")
_log = structlog.get_logger("providers")


class Kept(Generic[T]):
    """`fresh_seconds`: how long an answer is given again; twice as long while the next is on its way. `stale_seconds`:
    how long, since it was asked for, it still is while the provider is away; 180 s at least while only our requests
    are short.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[], Awaitable[T]],
        *,
        fresh_seconds: float,
        stale_seconds: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._source, self._now = name, ask, now
        self._fresh_seconds, self._stale_seconds = fresh_seconds, stale_seconds
        self._asking: asyncio.Task[None] | None = None
        self._forgotten = 0
        self._answer: tuple[T] | None = None
        self._asked_at = self._fresh_until = self._renew_at = float("-inf")
        self._failed: ProviderAway | None = None
        self._failed_until = float("-inf")

    async def get(self) -> T:
        """Raises ProviderAway, for 5 s without asking again."""
        if self._asking is not None and self._now() >= self._fresh_until:
            if last := self._meanwhile():
                return last[0]
            await asyncio.shield(self._asking)
        if self._answer is not None and self._now() < self._fresh_until:
            if self._now() >= max(self._renew_at, self._failed_until):
                self._ask()
            return self._answer[0]
        if self._now() >= self._failed_until:
            # Whoever gives up waiting doesn't take the answer away from the others, nor makes them ask anew.
            await asyncio.shield(self._ask())
        if self._failed is None:
            assert self._answer is not None
            return self._answer[0]
        if stale := self._stale():
            return stale[0]
        raise type(self._failed)(str(self._failed))

    def forget(self) -> None:
        """From now on the answer isn't fresh any more, nor one that is under way."""
        self._forgotten += 1
        self._fresh_until = float("-inf")

    def _ask(self) -> asyncio.Task[None]:
        self._asking = self._asking or spawn(self._ask_now(), name=self._name)
        return self._asking

    async def _ask_now(self) -> None:
        forgotten, asked_at = self._forgotten, self._now()
        try:
            async with asyncio.timeout(ASK_SECONDS):
                answer = await self._source()
        except ProviderAway as away:
            self._fail(away)
        except Exception as error:  # noqa: BLE001 - a provider may be anybody's code: its faults are its own
            self._fail(ProviderAway(f"{self._name}: {type(error).__name__}: {error}"))
        else:
            self._answer, self._asked_at, self._failed = (answer,), asked_at, None
            self._failed_until = float("-inf")
            if forgotten == self._forgotten:
                self._fresh_until = self._now() + self._fresh_seconds
                # So early that the next answer, even if it takes half as long again, is there before this one ends.
                ahead = min(1.5 * (self._now() - asked_at), self._fresh_seconds / 2)
                self._renew_at = self._fresh_until - ahead
        finally:
            self._asking = None

    def _fail(self, away: ProviderAway) -> None:
        self._failed, self._failed_until = away, self._now() + FAILURE_KEPT_SECONDS
        log = _log.debug if isinstance(away, OverBudget) else _log.warning  # that is daily life of a large account
        log("provider_away", lookup=self._name, reason=str(away))

    def _meanwhile(self) -> tuple[T] | None:
        """The last answer, while the next is on its way: nobody waits for it but who knows better (`forget`)."""
        if self._fresh_until == float("-inf"):
            return None
        return self._stale() or (self._answer if self._now() - self._asked_at <= 2 * self._fresh_seconds else None)

    def _stale(self) -> tuple[T] | None:
        """An answer that is still given while there is none better."""
        kept = max(self._stale_seconds, OVER_BUDGET_STALE_SECONDS if isinstance(self._failed, OverBudget) else 0.0)
        return self._answer if self._now() - self._asked_at <= kept else None
