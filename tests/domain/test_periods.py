"""Where periods begin and end, as dated stories. Local times of the zone unless a Z says UTC."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from decabilld.domain.entities import Interval
from decabilld.domain.periods import (
    add_local_days,
    at_local,
    boundary,
    first_boundary_at_or_after,
    local_date,
    nominal,
    period_at,
    start_of_day,
)
from tests.domain.builders import BEIRUT, BERLIN, UTC_ZONE, at, plan_terms

LORD_HOWE = ZoneInfo("Australia/Lord_Howe")


def story(interval: Interval, count: int, day: int | None, zone: ZoneInfo, anchor: str, ends: str) -> object:
    """Boundaries 1, 2, … in UTC, of a plan ordered at `anchor` (UTC)."""
    return pytest.param(plan_terms(interval, count, day), zone, at(anchor), [at(end) for end in ends.split(", ")])


@pytest.mark.parametrize(
    ("terms", "zone", "anchor", "ends"),
    [
        # Calendar months, from the anchor and without drift.
        story("month", 1, None, UTC_ZONE, "2026-01-31 09:00", "2026-02-28 09:00, 2026-03-31 09:00, 2026-04-30 09:00"),
        story("month", 1, None, UTC_ZONE, "2028-01-31", "2028-02-29, 2028-03-31"),
        story("month", 3, None, UTC_ZONE, "2025-11-30", "2026-02-28, 2026-05-30, 2026-08-30"),
        story("month", 1, None, UTC_ZONE, "2026-12-05 23:59:59.999999", "2027-01-05 23:59:59.999999"),
        story("year", 1, None, UTC_ZONE, "2024-02-29", "2025-02-28, 2026-02-28, 2027-02-28, 2028-02-29, 2029-02-28"),
        story("year", 2, None, UTC_ZONE, "2024-02-29", "2026-02-28, 2028-02-29"),
        story("day", 7, None, UTC_ZONE, "2026-02-27 06:00", "2026-03-06 06:00, 2026-03-13 06:00"),
        story("hour", 36, None, UTC_ZONE, "2026-02-27 06:00", "2026-02-28 18:00, 2026-03-02 06:00"),
        # A month counts from the local day: 2026-01-31 23:30Z is 1 February in Berlin.
        story("month", 1, None, BERLIN, "2026-01-31 23:30", "2026-02-28 23:30, 2026-03-31 22:30"),
        # Berlin goes to summer time on 2026-03-29 at 01:00Z.
        story("hour", 1, None, BERLIN, "2026-03-28 23:30", "2026-03-29 00:30, 2026-03-29 01:30, 2026-03-29 02:30"),
        story("day", 1, None, BERLIN, "2026-03-28 11:00", "2026-03-29 10:00, 2026-03-30 10:00"),
        story("day", 1, None, BERLIN, "2026-03-28 01:30", "2026-03-29 01:30, 2026-03-30 00:30"),
        story("month", 1, None, BERLIN, "2026-01-29 01:30", "2026-02-28 01:30, 2026-03-29 01:30, 2026-04-29 00:30"),
        # … and back on 2026-10-25 at 01:00Z.
        story("hour", 1, None, BERLIN, "2026-10-24 23:30", "2026-10-25 00:30, 2026-10-25 01:30, 2026-10-25 02:30"),
        story("day", 1, None, BERLIN, "2026-10-24 10:00", "2026-10-25 11:00, 2026-10-26 11:00"),
        story("day", 1, None, BERLIN, "2026-10-24 00:30", "2026-10-25 00:30, 2026-10-26 01:30"),
        story("month", 1, None, BERLIN, "2026-09-25 00:30", "2026-10-25 00:30, 2026-11-25 01:30"),
        # Ordered in the second 02:30 of that night.
        story("day", 1, None, BERLIN, "2026-10-25 01:30", "2026-10-26 01:30"),
        story("month", 12, None, BERLIN, "2026-10-25 01:30", "2027-10-25 00:30, 2028-10-25 00:30"),
        story("year", 11, None, BERLIN, "2026-10-25 01:30", "2037-10-25 00:30"),
        # Lord Howe moves by half an hour, on 2026-04-05 from 02:00 (+11) to 01:30 (+10:30).
        story("day", 1, None, LORD_HOWE, "2026-04-03 15:00", "2026-04-04 15:30, 2026-04-05 15:30"),
        story("day", 1, None, LORD_HOWE, "2026-04-03 14:45", "2026-04-04 14:45, 2026-04-05 15:15"),
        # Aligned days begin at local midnight; the first lies strictly after the order.
        story("month", 1, 15, UTC_ZONE, "2026-01-10 12:00", "2026-01-15, 2026-02-15, 2026-03-15"),
        story("month", 1, 15, UTC_ZONE, "2026-01-14 23:59:59.999999", "2026-01-15, 2026-02-15"),
        story("month", 1, 15, UTC_ZONE, "2026-01-15", "2026-02-15, 2026-03-15"),
        story("month", 1, 15, UTC_ZONE, "2026-01-15 00:00:00.000001", "2026-02-15, 2026-03-15"),
        story("month", 1, 31, UTC_ZONE, "2026-01-31 08:00", "2026-02-28, 2026-03-31, 2026-04-30"),
        story("month", 1, 30, UTC_ZONE, "2028-02-10", "2028-02-29, 2028-03-30"),
        story("month", 3, 1, UTC_ZONE, "2026-01-10", "2026-02-01, 2026-05-01, 2026-08-01"),
        story("month", 1, 5, UTC_ZONE, "2026-12-20", "2027-01-05, 2027-02-05"),
        story("year", 1, 1, UTC_ZONE, "2026-01-10", "2026-02-01, 2027-02-01"),
        story("year", 1, 31, UTC_ZONE, "2026-02-10", "2026-02-28, 2027-02-28, 2028-02-29"),
        story("month", 1, 1, BERLIN, "2026-03-31 21:59", "2026-03-31 22:00, 2026-04-30 22:00"),
        story("month", 1, 1, BERLIN, "2026-03-31 22:30", "2026-04-30 22:00"),
        story("month", 1, 25, BERLIN, "2026-10-01", "2026-10-24 22:00, 2026-11-24 23:00"),
        # Beirut skips the midnight of 2026-03-29: that day begins at 01:00, which is 22:00Z.
        story("month", 1, 29, BEIRUT, "2026-03-10", "2026-03-28 22:00, 2026-04-28 21:00"),
        # A billing day says nothing to plans by the day or hour.
        story("day", 1, 15, UTC_ZONE, "2026-01-10 12:00", "2026-01-11 12:00"),
        story("hour", 1, 15, UTC_ZONE, "2026-01-10 12:00", "2026-01-10 13:00"),
    ],
)  # fmt: skip
def test_boundaries(terms, zone, anchor, ends) -> None:
    assert [boundary(terms, anchor, k, zone) for k in range(len(ends) + 1)] == [anchor, *ends]


@pytest.mark.parametrize(
    ("interval", "count", "day", "anchor", "whole"),
    [
        ("month", 1, 15, "2026-01-10 12:00", ("2025-12-15", "2026-01-15")),
        ("month", 1, 31, "2026-03-05", ("2026-02-28", "2026-03-31")),
        ("month", 3, 1, "2026-01-10", ("2025-11-01", "2026-02-01")),
        ("year", 1, 1, "2026-01-10", ("2025-02-01", "2026-02-01")),
        ("year", 1, 29, "2028-02-10", ("2027-02-28", "2028-02-29")),
        ("month", 1, None, "2026-01-10 12:00", ("2026-01-10 12:00", "2026-02-10 12:00")),
        ("day", 1, 15, "2026-01-10 12:00", ("2026-01-10 12:00", "2026-01-11 12:00")),
    ],
)
def test_first_period_is_priced_by_a_whole_interval(interval, count, day, anchor, whole) -> None:
    terms = plan_terms(interval, count, day)
    assert nominal(terms, at(anchor), 0, UTC_ZONE) == (at(whole[0]), at(whole[1]))


def test_later_periods_are_priced_by_themselves() -> None:
    terms, anchor = plan_terms("month", 1, 31), at("2026-01-10")
    assert nominal(terms, anchor, 1, UTC_ZONE) == (at("2026-01-31"), at("2026-02-28"))
    assert nominal(terms, anchor, 2, UTC_ZONE) == (at("2026-02-28"), at("2026-03-31"))


@pytest.mark.parametrize(
    ("instant", "k"),
    [
        ("2020-01-01", 0),
        ("2026-01-31 09:00", 0),
        ("2026-02-28 08:59:59.999999", 0),
        ("2026-02-28 09:00", 1),
        ("2026-03-31 08:59", 1),
        ("2026-03-31 09:00", 2),
        ("2126-01-31 08:59", 1199),
        ("2126-01-31 09:00", 1200),
    ],
)
def test_period_that_an_instant_falls_in(instant: str, k: int) -> None:
    assert period_at(plan_terms(), at("2026-01-31 09:00"), at(instant), UTC_ZONE) == k


def test_period_in_the_night_that_fell_back_to_the_day_before() -> None:
    """St. John's, 2010-11-07: at 00:01 the clocks went back to 23:01 of the 6th, after that day's period had begun."""
    terms, anchor, zone = plan_terms("day"), at("2010-11-05 02:30:30"), ZoneInfo("America/St_Johns")
    assert boundary(terms, anchor, 2, zone) == at("2010-11-07 02:30:30")
    assert local_date(at("2010-11-07 02:45"), zone) == date(2010, 11, 6)
    assert period_at(terms, anchor, at("2010-11-07 02:45"), zone) == 2


@pytest.mark.parametrize(
    ("instant", "end"),
    [
        ("2025-06-01", "2026-01-15"),
        ("2026-01-10", "2026-01-15"),
        ("2026-01-15", "2026-01-15"),
        ("2026-01-15 00:00:00.000001", "2026-02-15"),
        ("2026-02-14", "2026-02-15"),
    ],
)
def test_first_end_of_a_period_from_an_instant_on(instant: str, end: str) -> None:
    terms = plan_terms("month", 1, 15)
    assert first_boundary_at_or_after(terms, at("2026-01-10"), at(instant), UTC_ZONE) == at(end)


@pytest.mark.parametrize(
    ("instant", "days", "later"),
    [
        ("2026-03-20 11:00", 14, "2026-04-03 10:00"),  # noon to noon, over the change to summer time
        ("2026-10-20 10:00", 14, "2026-11-03 11:00"),
        ("2026-03-28 01:30", 1, "2026-03-29 01:30"),  # 02:30 is skipped: 03:30 summer time
        ("2026-10-25 01:30", 0, "2026-10-25 01:30"),  # the second 02:30 stays the second
        ("2026-10-25 00:30", 0, "2026-10-25 00:30"),
    ],
)
def test_notice_counts_calendar_days_of_berlin(instant: str, days: int, later: str) -> None:
    assert add_local_days(at(instant), days, BERLIN) == at(later)


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("Europe/Berlin", "2026-07-01", "2026-06-30 22:00"),
        ("Europe/Berlin", "2026-12-01", "2026-11-30 23:00"),
        ("Asia/Beirut", "2026-03-29", "2026-03-28 22:00"),  # 00:00 is skipped
        ("Asia/Beirut", "2026-10-25", "2026-10-24 22:00"),
        ("America/Havana", "2026-11-01", "2026-11-01 04:00"),  # 00:00 comes twice
    ],
)
def test_start_of_a_local_day(zone: str, day: str, begins: str) -> None:
    local_day, start = date.fromisoformat(day), at(begins)
    assert start_of_day(local_day, ZoneInfo(zone)) == start
    assert local_date(start, ZoneInfo(zone)) == local_day


def test_local_times_and_days() -> None:
    assert at_local(date(2026, 7, 1), time(23, 59), BERLIN) == at("2026-07-01 21:59")
    assert at_local(date(2026, 10, 25), time(2, 30), BERLIN) == at("2026-10-25 00:30")
    assert local_date(at("2026-06-30 22:00"), BERLIN) == date(2026, 7, 1)
    assert local_date(at("2026-06-30 21:59:59.999999"), BERLIN) == date(2026, 6, 30)


def test_instants_given_are_utc() -> None:
    terms, anchor = plan_terms("month", 1, 15), datetime(2026, 1, 10, tzinfo=UTC)
    given = [*nominal(terms, anchor, 0, BERLIN), boundary(terms, anchor, 3, BERLIN), add_local_days(anchor, 3, BERLIN)]
    given += [start_of_day(date(2026, 1, 1), BERLIN), at_local(date(2026, 1, 1), time(3), BERLIN)]
    assert {instant.tzinfo for instant in given} == {UTC}
