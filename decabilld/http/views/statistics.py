"""Statistics on the wire: a point for every day or month asked for, also those in which nothing was invoiced."""

from datetime import date, timedelta

from decabilld.domain.money import to_decimal
from decabilld.store.statistics import GroupBy, PeriodTotal, ProductTotal, Scope

MANUAL = "Manual invoices"
MONTHS_A_YEAR = 12


def months_between(first: date, last: date) -> int:
    """How many months two days touch, both included."""
    return (last.year - first.year) * MONTHS_A_YEAR + last.month - first.month + 1


def periods(first: date, last: date, group_by: GroupBy) -> list[str]:
    """The names of all periods that two days touch, in order: `2026-01-31` or `2026-01`."""
    if group_by == "day":
        return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
    months = (first.year * MONTHS_A_YEAR + first.month - 1 + n for n in range(months_between(first, last)))
    return [f"{month // MONTHS_A_YEAR:04d}-{month % MONTHS_A_YEAR + 1:02d}" for month in months]


def statistics_summary_view(totals: list[PeriodTotal], scope: Scope, group_by: GroupBy) -> dict[str, object]:
    gross = {total.period: total.gross_minor for total in totals}
    return {
        "series": [
            {"period": period, "totalGross": to_decimal(gross.get(period, 0), scope.currency)}
            for period in periods(scope.first, scope.last, group_by)
        ],
        "totalGross": to_decimal(sum(gross.values()), scope.currency),
        "paidCount": sum(total.paid_count for total in totals),
        "from": scope.first.isoformat(),
        "to": scope.last.isoformat(),
        "groupBy": group_by,
    }


def statistics_by_product_view(totals: list[ProductTotal], scope: Scope) -> dict[str, object]:
    return {
        "items": [
            {
                "planId": total.plan_id,
                "planName": total.name or MANUAL,
                "totalGross": to_decimal(total.gross_minor, scope.currency),
            }
            for total in totals
        ],
        "totalGross": to_decimal(sum(total.gross_minor for total in totals), scope.currency),
        "from": scope.first.isoformat(),
        "to": scope.last.isoformat(),
    }
