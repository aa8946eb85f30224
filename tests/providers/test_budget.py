"""Requests are counted before they are made: no hour sees more than 3,600, and listings leave room for orders."""

from bisect import bisect_left

import pytest

from decabilld.actors.provider import OverBudget
from decabilld.gateways.budget import RequestBudget
from decabilld.gateways.rest import RateLimit


class Time:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def test_no_hour_sees_more_than_3600_requests() -> None:
    """Whoever may ask does so at once, for three hours."""
    now, made = Time(), list[float]()
    budget = RequestBudget(now)
    for second in range(3 * 3_600):
        now.seconds = second
        while budget.wait_seconds() == 0:
            await budget.take()
            made.append(second)
    worst = max(bisect_left(made, start + 3_600) - bisect_left(made, start) for start in range(0, 7_200, 10))
    assert 3_500 < worst <= 3_600


async def test_listings_are_spread_and_leave_room() -> None:
    """Ten pages every five seconds would be 7,200 an hour."""
    now = Time()
    budget, listings = RequestBudget(now), 0
    for tick in range(720):
        now.seconds = tick * 5
        try:
            budget.begin_listing()
        except OverBudget:
            continue
        for _ in range(10):
            await budget.take()
        budget.listed(10)
        listings += 1
    assert 210 < listings < 225, "one in 17 seconds"
    assert budget.wait_seconds() == 0


async def test_a_listing_longer_than_the_bucket_is_paid_for_later() -> None:
    now = Time()
    budget = RequestBudget(now)
    budget.begin_listing()
    budget.listed(100)
    now.seconds = 99
    with pytest.raises(OverBudget):
        budget.begin_listing()
    now.seconds = 101
    budget.begin_listing()


async def test_backorders_and_then_switches_leave_room_for_orders_and_endings() -> None:
    budget = RequestBudget(Time())
    budget.make_way()
    await _used(budget, 450)
    with pytest.raises(OverBudget):
        budget.make_way()
    budget.begin_switch()
    await _used(budget, 100)
    with pytest.raises(OverBudget):
        budget.begin_switch()
    assert budget.wait_seconds() == 0


async def _used(budget: RequestBudget, requests: int) -> None:
    for _ in range(requests):
        await budget.take()


async def test_what_the_provider_says_is_left_counts() -> None:
    now = Time()
    budget = RequestBudget(now)
    told = RateLimit(limit=3_600, remaining=1, resets_at=0)
    budget.note(told)
    with pytest.raises(OverBudget):
        budget.begin_listing()
    await budget.take()
    assert budget.wait_seconds() == pytest.approx(1.2)
    now.seconds = 1_000
    budget.note(told)  # the same answer again says nothing new
    assert budget.wait_seconds() == 0
    budget.note(RateLimit(limit=3_600, remaining=3_000, resets_at=0))
    assert budget.wait_seconds() == 0


async def test_nobody_waits_longer_than_20_seconds() -> None:
    now = Time()
    budget = RequestBudget(now, burst=1, per_hour=60)
    await budget.take()
    with pytest.raises(OverBudget, match="more in 60 s"):
        await budget.take()
