"""Open positions: what a period or a usage record is charged with, fixed once and read by invoicing later.

Owns the amount, the words and the identity of a charge. When a charge falls due, and which usage goes with it, is
decided by the tenant's handlers; where periods begin by `periods`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from decabilld.domain.entities import Id, Position, Subscription, UsageRecord
from decabilld.domain.money import EXACT, to_minor
from decabilld.domain.periods import nominal
from decabilld.domain.proration import prorate, share
from decabilld.domain.refusals import Invalid

_LARGEST_AMOUNT = 10**15
_MOST_DIGITS = 30  # the product of two such numbers is exact in `money.EXACT`
_DEEPEST_PAYLOAD = 32
_NUMERAL = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)


def period_charge(
    sub: Subscription, start: datetime, end: datetime, k: int, zone: ZoneInfo, *, position_id: Id, due: datetime
) -> Position:
    """The charge for [start, end), all or a part of period k: the price by its share of the nominal interval.

    Closed at once if it rounds to nothing (BILLING, Charges). `due` is the boundary at which it falls due.
    """
    assert sub.anchor is not None, "only a subscription that was activated is charged"
    terms = sub.terms
    covered = share(start, end, *nominal(terms, sub.anchor, k, zone))
    net_minor = prorate(terms.price_minor, covered)
    return Position(
        id=position_id,
        user_id=sub.user_id,
        subscription_id=sub.id,
        plan_id=sub.plan_id,
        kind="advance" if terms.bill_in_advance else "period",
        period_start=start,
        period_end=end,
        description=f"{terms.plan_name}, {_span(sub, start, end, zone)}",
        net_minor=net_minor,
        currency=terms.currency,
        tax_category=terms.tax_category,
        price_minor=terms.price_minor,
        share_numerator=covered[0],
        share_denominator=covered[1],
        closed_at=None if net_minor else due,
        created_at=due,
    )


def usage_position(
    sub: Subscription, record: UsageRecord, *, position_id: Id, due: datetime, zone: tzinfo = UTC
) -> Position:
    """The charge for one usage record, on a line of its own. `zone` is the billing zone its days are named in."""
    terms = sub.terms
    return Position(
        id=position_id,
        user_id=sub.user_id,
        subscription_id=sub.id,
        plan_id=sub.plan_id,
        kind="usage",
        source=record.id,
        period_start=record.period_start,
        period_end=record.period_end,
        description=f"{terms.plan_name}, usage {_span(sub, record.period_start, record.period_end, zone)}",
        net_minor=record.cost_minor,
        currency=terms.currency,
        tax_category=terms.tax_category,
        price_minor=record.cost_minor,
        closed_at=None if record.cost_minor else due,
        created_at=due,
    )


def usage_cost_minor(payload: Mapping[str, Any], currency: str) -> int:
    """Net cost in minor units: `totalCost`, else `usageCost`, else `units` x `unitPrice`, else 0; rounded once.

    A field that is null counts as absent. Raises `Invalid`, naming the field, for what isn't a number from 0 up.
    """
    for field in ("totalCost", "usageCost"):
        if payload.get(field) is not None:
            return to_minor(_amount(payload, field), currency)
    if payload.get("units") is None or payload.get("unitPrice") is None:
        return 0
    cost = EXACT.multiply(_amount(payload, "units"), _amount(payload, "unitPrice"))
    if cost >= _LARGEST_AMOUNT:
        raise Invalid("units x unitPrice is too large")
    return to_minor(cost, currency)


def usage_digest(subscription_id: Id, period_start: datetime, period_end: datetime, payload: Mapping[str, Any]) -> str:
    """SHA-256 (hex) that is the same for the same usage, however its JSON was written: order, spaces, 1.5 or 1.50.

    Raises `Invalid` for a payload nested beyond reason.
    """
    instants = [instant.astimezone(UTC).isoformat(timespec="microseconds") for instant in (period_start, period_end)]
    return hashlib.sha256(_canonical([subscription_id, *instants, payload]).encode()).hexdigest()


def _span(sub: Subscription, start: datetime, end: datetime, zone: tzinfo) -> str:
    """The period in words: local days, the last one included; with the time of day for plans by the hour."""
    begin, until = start.astimezone(zone), end.astimezone(zone)
    if sub.terms.interval != "hour":
        first, last = begin.date(), max(start, end - timedelta(microseconds=1)).astimezone(zone).date()
        return f"{first}" if first == last else f"{first} to {last}"
    # Where the clocks change within the period, only the offset tells 02:30 from 02:30.
    clock = "%H:%M" if begin.utcoffset() == until.utcoffset() else "%H:%M %z"
    day = "" if begin.date() == until.date() else f"{until.date()} "
    return f"{begin.date()} {begin.strftime(clock)} to {day}{until.strftime(clock)}"


def _amount(payload: Mapping[str, Any], field: str) -> Decimal:
    value = payload[field]
    if isinstance(value, float):
        raise TypeError(f"{field} lost its exact value before it got here")
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise Invalid(f"{field} must be a number")
    if isinstance(value, str) and not _NUMERAL.fullmatch(value):
        raise Invalid(f"{field} must be a number")
    amount = Decimal(value)
    if not amount.is_finite():
        raise Invalid(f"{field} must be a number")
    if amount < 0:
        raise Invalid(f"{field} must not be negative")
    _, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int), "a finite number has an integral exponent"
    if amount >= _LARGEST_AMOUNT or len(digits) > _MOST_DIGITS or exponent < -_MOST_DIGITS:
        raise Invalid(f"{field} is too large or has too many digits")
    return amount


def _canonical(value: object, depth: int = 0) -> str:
    """One text for each JSON value: keys sorted, numbers without trailing zeros."""
    if depth > _DEEPEST_PAYLOAD:
        raise Invalid(f"payload is nested deeper than {_DEEPEST_PAYLOAD} levels")
    match value:
        case Mapping():
            fields = (f"{json.dumps(key)}:{_canonical(value[key], depth + 1)}" for key in sorted(value))
            return "{" + ",".join(fields) + "}"
        case list() | tuple():
            return "[" + ",".join(_canonical(part, depth + 1) for part in value) + "]"
        case None | bool() | str():
            return json.dumps(value)
        case int() | Decimal():
            return _canonical_number(Decimal(value))
        case _:
            raise TypeError(f"{type(value).__name__} is not an exact JSON value")


def _canonical_number(number: Decimal) -> str:
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "JSON has no infinite numbers"
    written = "".join(map(str, digits))
    significant = written.rstrip("0")
    return f"{'-' * sign}{significant}e{exponent + len(written) - len(significant)}" if significant else "0"
