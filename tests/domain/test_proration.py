"""Shares of a price."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decabilld.domain.periods import boundary, start_of_day
from decabilld.domain.proration import prorate, share
from tests.domain.builders import BERLIN, ZONES, at, plan_terms

HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("price", "covered", "nominal", "charged"),
    [
        (1000, 1, 2, 500),
        (1000, 1, 3, 333),
        (1000, 2, 3, 667),
        (1, 1, 2, 1),
        (-1, 1, 2, -1),
        (1, 1, 3, 0),
        (1000, 0, 7, 0),
        (1000, 7, 7, 1000),
        (2**62 + 1, 10**15 - 1, 10**15, 4611686018427383293),
    ],
)
def test_a_share_is_rounded_once_half_away_from_zero(price: int, covered: int, nominal: int, charged: int) -> None:
    assert prorate(price, (covered, nominal)) == charged


def test_half_of_the_23_hour_day_of_berlin_is_eleven_and_a_half_hours() -> None:
    begin, end = start_of_day(date(2026, 3, 29), BERLIN), start_of_day(date(2026, 3, 30), BERLIN)
    half = share(begin, at("2026-03-29 10:30"), begin, end)
    assert half == (23 * HOUR // 2, 23 * HOUR)
    assert prorate(100, half) == 50


def test_half_of_the_25_hour_day_of_berlin_is_twelve_and_a_half_hours() -> None:
    begin, end = start_of_day(date(2026, 10, 25), BERLIN), start_of_day(date(2026, 10, 26), BERLIN)
    assert share(begin, at("2026-10-25 10:30"), begin, end) == (25 * HOUR // 2, 25 * HOUR)


@pytest.mark.parametrize(
    ("start", "end"), [("2025-12-31", "2026-01-05"), ("2026-01-05", "2026-02-02"), ("2026-01-05", "2026-01-04")]
)
def test_what_is_covered_lies_within_the_nominal_interval(start: str, end: str) -> None:
    with pytest.raises(AssertionError):
        share(at(start), at(end), at("2026-01-01"), at("2026-02-01"))


@given(
    st.sampled_from(["hour", "day", "month", "year"]),
    st.integers(0, 10**9),
    st.integers(0, 50),
    st.lists(st.floats(0, 1), max_size=8),
    st.sampled_from(ZONES),
)
def test_parts_of_a_period_add_up_to_its_price_but_for_their_rounding(interval, price, k, cuts, zone) -> None:
    terms, anchor = plan_terms(interval), at("2026-01-31 13:37:11.000001")
    begin, end = boundary(terms, anchor, k, zone), boundary(terms, anchor, k + 1, zone)
    whole = (end - begin) // timedelta(microseconds=1)
    edges = sorted({begin, end, *(begin + timedelta(microseconds=int(whole * cut)) for cut in cuts)})
    parts = [prorate(price, share(start, until, begin, end)) for start, until in pairwise(edges)]
    if len(parts) == 1:
        assert parts == [price]
    assert 2 * abs(sum(parts) - price) <= len(parts)


@given(st.integers(-(10**12), 10**12), st.integers(0, 10**13), st.integers(1, 10**13))
def test_credit_mirrors_charge(price: int, covered: int, nominal: int) -> None:
    assert prorate(-price, (covered, nominal)) == -prorate(price, (covered, nominal))
