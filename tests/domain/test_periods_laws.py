"""Laws of the billing calendar, for any plan, anchor and zone."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from decabilld.domain.entities import PlanTerms
from decabilld.domain.periods import (
    boundary,
    first_boundary_at_or_after,
    local_date,
    nominal,
    period_at,
    start_of_day,
)
from tests.domain.builders import ZONES, at, plan_terms

zones = st.sampled_from(ZONES)
# Half of all anchors lie near a clock change or the end of February, where calendars go wrong.
_TURNS = [
    at(turn)
    for turn in (
        *("2024-02-29", "2026-01-31", "2026-03-28 22:00", "2026-03-29 01:00", "2026-04-04 15:00"),
        *("2026-10-03 15:30", "2026-10-24 21:00", "2026-10-25 01:00", "2026-11-01 06:00"),
    )
]
anchors = st.one_of(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.builds(
        lambda turn, off: turn + off, st.sampled_from(_TURNS), st.timedeltas(timedelta(hours=-30), timedelta(hours=30))
    ),
)
plans = st.one_of(
    st.builds(plan_terms, st.sampled_from(["hour", "day", "month", "year"]), st.integers(1, 13)),
    st.builds(plan_terms, st.sampled_from(["month", "year"]), st.integers(1, 13), st.integers(1, 31)),
)
indices = st.integers(0, 300)


@given(plans, anchors, indices, zones)
def test_boundaries_increase_strictly(terms: PlanTerms, anchor: datetime, k: int, zone: ZoneInfo) -> None:
    assert boundary(terms, anchor, k, zone) < boundary(terms, anchor, k + 1, zone)


@given(plans, anchors, indices, zones, st.floats(0, 1, exclude_max=True))
def test_period_at_is_the_inverse_of_boundary(
    terms: PlanTerms, anchor: datetime, k: int, zone: ZoneInfo, part: float
) -> None:
    begin, end = boundary(terms, anchor, k, zone), boundary(terms, anchor, k + 1, zone)
    last = end - timedelta(microseconds=1)
    for instant in (begin, min(last, begin + (end - begin) * part), last):
        assert period_at(terms, anchor, instant, zone) == k
    assert first_boundary_at_or_after(terms, anchor, last, zone) == end
    assert first_boundary_at_or_after(terms, anchor, end, zone) == end


@given(st.sampled_from(["month", "year"]), st.integers(1, 13), anchors, st.integers(1, 300), zones)
def test_months_never_drift(interval, count: int, anchor: datetime, k: int, zone: ZoneInfo) -> None:
    """The k-th boundary shows the anchor's wall time on the anchor's day, or on the month's last day."""
    begin = anchor.astimezone(zone)
    end = boundary(plan_terms(interval, count), anchor, k, zone).astimezone(zone)
    months = k * count * (12 if interval == "year" else 1)
    assert (end.year - begin.year) * 12 + end.month - begin.month == months
    assert end.day == min(begin.day, monthrange(end.year, end.month)[1])
    assume(_exists(end.date(), begin.time(), zone))
    assert end.time() == begin.time()


@given(st.integers(1, 400), anchors, st.integers(1, 300), zones)
def test_days_keep_the_wall_time(count: int, anchor: datetime, k: int, zone: ZoneInfo) -> None:
    begin = anchor.astimezone(zone)
    end = boundary(plan_terms("day", count), anchor, k, zone).astimezone(zone)
    assert end.date() == begin.date() + timedelta(days=k * count)
    assume(_exists(end.date(), begin.time(), zone))
    assert end.time() == begin.time()


@given(st.integers(1, 100), anchors, st.integers(1, 300), zones)
def test_hours_are_elapsed_time(count: int, anchor: datetime, k: int, zone: ZoneInfo) -> None:
    assert boundary(plan_terms("hour", count), anchor, k, zone) - anchor == timedelta(seconds=3600 * k * count)


@given(st.sampled_from(["month", "year"]), st.integers(1, 13), st.integers(1, 31), anchors, st.integers(1, 300), zones)
def test_aligned_boundaries_begin_the_billing_day(
    interval, count: int, day: int, anchor: datetime, k: int, zone: ZoneInfo
) -> None:
    terms = plan_terms(interval, count, day)
    first, later = boundary(terms, anchor, 1, zone), boundary(terms, anchor, k, zone)
    for begin in (first, later):
        local = local_date(begin, zone)
        assert local.day == min(day, monthrange(local.year, local.month)[1])
        assert begin == start_of_day(local, zone)
    months = (k - 1) * count * (12 if interval == "year" else 1)
    assert _month(local_date(later, zone)) - _month(local_date(first, zone)) == months
    # The first aligned day: none lies between the order and it, so they are a month apart at most.
    assert anchor < first <= anchor + timedelta(days=32)


@given(plans, anchors, zones)
def test_the_stub_is_a_part_of_the_whole_interval_that_ends_with_it(
    terms: PlanTerms, anchor: datetime, zone: ZoneInfo
) -> None:
    begin, end = nominal(terms, anchor, 0, zone)
    assert begin <= anchor
    assert end == boundary(terms, anchor, 1, zone)
    if terms.billing_day_of_month is None:
        assert begin == anchor
    else:
        months = terms.interval_count * (12 if terms.interval == "year" else 1)
        assert _month(local_date(end, zone)) - _month(local_date(begin, zone)) == months
        assert begin == start_of_day(local_date(begin, zone), zone)


@given(st.dates(date(2020, 1, 1), date(2037, 12, 31)), zones)
def test_a_day_starts_at_its_first_instant(day: date, zone: ZoneInfo) -> None:
    start = start_of_day(day, zone)
    assert local_date(start, zone) == day
    assert local_date(start - timedelta(microseconds=1), zone) == day - timedelta(days=1)


def _month(day: date) -> int:
    return day.year * 12 + day.month


def _exists(day: date, wall: time, zone: ZoneInfo) -> bool:
    """Whether the zone's clocks show that time on that day."""
    local = datetime.combine(day, wall, tzinfo=zone)
    return local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)
