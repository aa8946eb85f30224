"""How single values are written: instants, dates, amounts, prices."""

from datetime import date, datetime
from decimal import Decimal


def instant(at: datetime) -> str:
    """ISO 8601 with milliseconds and `Z`; `at` is in UTC, as everywhere."""
    return at.isoformat(timespec="milliseconds")[:-6] + "Z"


def instant_or_none(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds")[:-6] + "Z"


def date_or_none(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def price_or_none(price: Decimal | None) -> str | None:
    """A decimal string with four decimals."""
    return None if price is None else f"{price:.4f}"


def plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros or exponent: 1.0000 is 1, 1E+2 is 100."""
    whole = number.to_integral_value()
    return whole.quantize(Decimal(1)) if number == whole else number.normalize()
