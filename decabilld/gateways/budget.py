"""How many requests may be made of an API that counts them: no hour sees more than 3,600, and what can wait yields.

Owns the counting, by two buckets that fill again with time. Knows no API; what it says is left is told to it.
"""

import asyncio
import time
from collections.abc import Callable

from decabilld.actors.provider import OverBudget
from decabilld.gateways.rest import RateLimit

HOUR_SECONDS = 3_600
BURST = 600
REQUESTS_PER_HOUR = 3_000
"""Refill. With a full bucket at its beginning, an hour sees BURST + REQUESTS_PER_HOUR = 3,600 requests at most."""
LISTING_BURST = 40
LISTING_REQUESTS_PER_HOUR = 2_160
KEPT_FOR_ORDERS = 200
"""With fewer left than these, listings and backorders wait: the rest is for making, switching and deleting servers.
With fewer than half of it switches are refused, too: one who switches again and again must not stop all orders."""
MAX_WAIT_SECONDS = 20.0


class RequestBudget:
    """One account's. `now` counts seconds; `burst` and `per_hour` are of all requests together."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        *,
        burst: int = BURST,
        per_hour: int = REQUESTS_PER_HOUR,
        kept_for_orders: int = KEPT_FOR_ORDERS,
    ) -> None:
        self._all = _Bucket(now, burst, per_hour)
        self._listings = _Bucket(now, LISTING_BURST, LISTING_REQUESTS_PER_HOUR)
        self._kept_for_orders = kept_for_orders
        self._told: RateLimit | None = None

    async def take(self) -> None:
        """Before each request: waits its turn where none is left, up to 20 s. Raises OverBudget if it took longer."""
        wait = self.wait_seconds()
        if wait > MAX_WAIT_SECONDS:
            raise OverBudget(f"the hour's requests are used up, more in {wait:.0f} s")
        self._all.take(1)
        if wait > 0:
            await asyncio.sleep(wait)

    def wait_seconds(self) -> float:
        """Until the next request may be made; those that wait already have their turn before."""
        return self._all.seconds_until(1)

    def make_way(self) -> None:
        """Before what can wait. Raises OverBudget at once where what is left is kept for others."""
        if self._all.level() < self._kept_for_orders:
            raise OverBudget("the hour's requests are nearly used up; what is left is for orders and endings")

    def begin_switch(self) -> None:
        """Before a switch: somebody waits for it, but may ask again and again. Raises OverBudget as `make_way` does."""
        if self._all.level() < self._kept_for_orders / 2:
            raise OverBudget("the hour's requests are nearly used up; try again in some minutes")

    def begin_listing(self) -> None:
        """Before all pages of a listing. Raises OverBudget at once where it has to yield.

        A listing isn't broken off: its pages may put the bucket in debt, and the next listing waits for that.
        """
        self.make_way()
        if self._listings.level() <= 0:
            raise OverBudget("listings wait: they have used up their part of the hour's requests")

    def listed(self, requests: int) -> None:
        self._listings.take(requests)

    def note(self, told: RateLimit | None) -> None:
        """What an answer said is left: less than we think where somebody else uses the account too."""
        if told is not None and told is not self._told:
            self._told = told
            self._all.lower_to(told.remaining)


class _Bucket:
    """Holds up to `burst`; may be in debt."""

    def __init__(self, now: Callable[[], float], burst: int, per_hour: int) -> None:
        self._now, self._burst, self._per_second = now, burst, per_hour / HOUR_SECONDS
        self._level, self._at = float(burst), now()

    def level(self) -> float:
        now = self._now()
        self._level = min(self._level + (now - self._at) * self._per_second, self._burst)
        self._at = now
        return self._level

    def take(self, count: int) -> None:
        self._level = self.level() - count

    def lower_to(self, most: int) -> None:
        self._level = min(self.level(), most)

    def seconds_until(self, count: int) -> float:
        return max(0.0, (count - self.level()) / self._per_second)
