"""Shares of a price by elapsed time.

Owns the ratio and its one rounding. Which interval a period is measured against is `periods.nominal`.
"""

from datetime import datetime, timedelta

from decabilld.domain.money import divide_half_away

_MICROSECOND = timedelta(microseconds=1)


def share(
    covered_start: datetime, covered_end: datetime, nominal_start: datetime, nominal_end: datetime
) -> tuple[int, int]:
    """Elapsed microseconds that are covered, and those of the whole nominal interval. Instants are UTC.

    Elapsed, not wall-clock: half of a 23-hour day is 11.5 hours.
    """
    assert nominal_start <= covered_start <= covered_end <= nominal_end, "the covered part lies within the nominal"
    return (covered_end - covered_start) // _MICROSECOND, (nominal_end - nominal_start) // _MICROSECOND


def prorate(price_minor: int, share: tuple[int, int]) -> int:
    """The share of a price in minor units, rounded once."""
    covered, nominal = share
    return divide_half_away(price_minor * covered, nominal)
