"""Statistics for the operator: what was invoiced, when and of what."""

from datetime import date

from aiohttp import web

from decabilld.domain.periods import local_date
from decabilld.domain.refusals import Invalid
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.http.routes.admin_invoices import TAG
from decabilld.http.schemas import statistics
from decabilld.http.views.statistics import months_between, statistics_by_product_view, statistics_summary_view
from decabilld.store.statistics import GroupBy, Scope

DAYS = 30
MONTHS = 12
POINTS_MAX = 3660
"""Ten years of days."""
_COUNTED = (
    "Counted by issue date in the billing zone, in the tenant's currency; void invoices and drafts are left out. "
)


@operation(
    "GET",
    "/admin/billing/statistics/summary",
    id="getAdminBillingStatisticsSummary",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="What was invoiced, over time",
    description=f"{_COUNTED}A point for every day or month from `from` to `to`, at most {POINTS_MAX}; by default the "
    f"last {DAYS} days, or {MONTHS} months. `paidCount`: how many of these invoices are paid.",
    answer=statistics.BillingStatisticsSummarySchema,
    query=statistics.StatisticsSummaryQuery,
)
async def get_statistics_summary(call: Call) -> web.Response:
    group_by: GroupBy = call.query["group_by"]
    scope = _scope(call, group_by)
    days = (scope.last - scope.first).days + 1
    points = days if group_by == "day" else months_between(scope.first, scope.last)
    if points > POINTS_MAX:
        raise Invalid(f"from: {points} {group_by}s are too many; at most {POINTS_MAX}")
    totals = await call.deps.readers.statistics.by_period(scope, group_by)
    return call.answer(statistics_summary_view(totals, scope, group_by))


@operation(
    "GET",
    "/admin/billing/statistics/by-product",
    id="getAdminBillingStatisticsByProduct",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="What was invoiced, by product",
    description=f"{_COUNTED}The gross of the invoices' lines by plan, the largest first; what was invoiced by hand "
    f"under a name of its own. By default the last {DAYS} days.",
    answer=statistics.BillingStatisticsByProductSchema,
    query=statistics.StatisticsQuery,
)
async def get_statistics_by_product(call: Call) -> web.Response:
    scope = _scope(call, "day")
    return call.answer(statistics_by_product_view(await call.deps.readers.statistics.by_product(scope), scope))


def _scope(call: Call, group_by: GroupBy) -> Scope:
    """Raises Invalid for a range that ends before it begins."""
    policy, query = call.deps.policy, call.query
    last: date = query.get("last") or local_date(call.now, policy.zone)
    first: date = query.get("first") or _default_first(last, group_by)
    if first > last:
        raise Invalid(f"from: {first.isoformat()} comes after {last.isoformat()}")
    return Scope(
        tenant_id=call.tenant_id, currency=policy.currency, first=first, last=last, user_id=query.get("user_id")
    )


def _default_first(last: date, group_by: GroupBy) -> date:
    """The first of so many days, or of the first of so many months, that end with `last`; the calendar's at least."""
    if group_by == "day":
        return date.fromordinal(max(last.toordinal() - DAYS + 1, 1))
    year, month = divmod(last.year * 12 + last.month - MONTHS, 12)
    return date(year, month + 1, 1) if year else date.min
