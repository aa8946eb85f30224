"""The calendar of billing: where a subscription's periods begin and end, and what a local day is.

Owns every step from instants to calendar days of the billing zone and back. What a period costs is `pricing` and
`proration`. Rules:

- Period k of a plan runs from boundary k to boundary k+1. Boundary 0 is the anchor; boundary k is computed from the
  anchor alone, never from the one before, so nothing drifts.
- An hour is 3600 s. Days, months and years are counted on the zone's calendar at the anchor's wall time; a day that
  a month lacks becomes its last one, for that boundary only.
- A plan with a billing day is aligned: boundary 1 is the beginning of the first such day after the anchor, in any
  month, and the rest follow from that month in whole intervals.
- A wall time that a clock change repeats means the first of the two; one that it skips is read by the offset that
  held before, so that a skipped midnight is the first instant of its day.

All instants taken and given are aware; those given are UTC. Boundaries increase strictly, in every zone that doesn't
skip a whole calendar day (the last to do so was Pacific/Apia in 2011).
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from decabilld.domain.entities import PlanTerms


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar day in the zone."""
    return instant.astimezone(zone).date()


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def at_local(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """The instant when the zone's clocks show `wall` on `day`."""
    return datetime.combine(day, wall, tzinfo=zone).astimezone(UTC)


def add_local_days(instant: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same wall time so many calendar days later."""
    if days == 0:
        return instant  # going over the wall clock would lose which of two repeated hours it is
    # An aware datetime plus a timedelta moves the wall clock and gives fold=0.
    return (instant.astimezone(zone) + timedelta(days=days)).astimezone(UTC)


def boundary(terms: PlanTerms, anchor: datetime, k: int, zone: ZoneInfo) -> datetime:
    """Where period k begins and period k-1 ends; `k` >= 0."""
    if k == 0:
        return anchor
    count = k * terms.interval_count
    if terms.interval == "hour":
        return anchor + timedelta(hours=count)
    if terms.interval == "day":
        return add_local_days(anchor, count, zone)
    if (aligned_day := terms.billing_day_of_month) is not None:
        month = _first_aligned_month(anchor, aligned_day, zone)
        return _aligned(month + (k - 1) * _months(terms), aligned_day, zone)
    local = anchor.astimezone(zone)
    year, month0 = divmod(local.year * 12 + local.month - 1 + k * _months(terms), 12)
    day = _clamped(year, month0 + 1, local.day)
    return local.replace(year=year, month=month0 + 1, day=day, fold=0).astimezone(UTC)


def nominal(terms: PlanTerms, anchor: datetime, k: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The whole interval that period k is a part of and priced by.

    It is the period itself, save for the stub before the first aligned day: that is priced by the whole interval
    that ends there.
    """
    if k == 0 and (day := _alignment(terms)) is not None:
        month = _first_aligned_month(anchor, day, zone)
        return _aligned(month - _months(terms), day, zone), _aligned(month, day, zone)
    return boundary(terms, anchor, k, zone), boundary(terms, anchor, k + 1, zone)


def period_at(terms: PlanTerms, anchor: datetime, instant: datetime, zone: ZoneInfo) -> int:
    """The period that an instant falls in: boundary k <= instant < boundary k+1. 0 for what lies before the anchor."""
    k = max(0, _estimate(terms, anchor, instant, zone))
    # The estimate counts calendar units. It is off by one at most: too high for the time of day and short months,
    # too low where the clocks were set back over midnight.
    while k > 0 and boundary(terms, anchor, k, zone) > instant:
        k -= 1
    while boundary(terms, anchor, k + 1, zone) <= instant:
        k += 1
    return k


def first_boundary_at_or_after(terms: PlanTerms, anchor: datetime, instant: datetime, zone: ZoneInfo) -> datetime:
    """The first end of a period that isn't before `instant`; never the anchor itself."""
    k = period_at(terms, anchor, instant, zone)
    begin = boundary(terms, anchor, k, zone)
    return begin if k > 0 and begin == instant else boundary(terms, anchor, k + 1, zone)


def reminder_instant(
    terms: PlanTerms, start: datetime, end: datetime, reminder_days: int, zone: ZoneInfo
) -> datetime | None:
    """When to remind of the period that begins at `end`; None for plans counted in hours or days, and for stubs that
    are no longer than the reminder is early."""
    if not reminder_days or terms.interval not in ("month", "year"):
        return None
    at = add_local_days(end, -reminder_days, zone)
    return at if at > start else None


def _estimate(terms: PlanTerms, anchor: datetime, instant: datetime, zone: ZoneInfo) -> int:
    if terms.interval == "hour":
        return (instant - anchor) // timedelta(hours=terms.interval_count)
    begin, now = anchor.astimezone(zone), instant.astimezone(zone)
    if terms.interval == "day":
        return (now.date() - begin.date()).days // terms.interval_count
    month = now.year * 12 + now.month - 1
    if terms.billing_day_of_month is not None:
        first = _first_aligned_month(anchor, terms.billing_day_of_month, zone)
        return (month - first) // _months(terms) + 1
    return (month - (begin.year * 12 + begin.month - 1)) // _months(terms)


def _months(terms: PlanTerms) -> int:
    return terms.interval_count * (12 if terms.interval == "year" else 1)


def _alignment(terms: PlanTerms) -> int | None:
    return terms.billing_day_of_month if terms.interval in ("month", "year") else None


def _clamped(year: int, month: int, day: int) -> int:
    return day if day <= 28 else min(day, monthrange(year, month)[1])


def _aligned(month: int, day: int, zone: ZoneInfo) -> datetime:
    """The billing day of a month, which is counted from the year 0."""
    year, month0 = divmod(month, 12)
    return datetime(year, month0 + 1, _clamped(year, month0 + 1, day), tzinfo=zone).astimezone(UTC)


def _first_aligned_month(anchor: datetime, day: int, zone: ZoneInfo) -> int:
    local = anchor.astimezone(zone)
    month = local.year * 12 + local.month - 1
    return month if _aligned(month, day, zone) > anchor else month + 1
