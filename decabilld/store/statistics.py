"""What was invoiced, counted by PostgreSQL for the operator's statistics.

Counted are issued invoices that aren't void, by their issue date (a calendar day of the billing zone), in one
currency. Which days are asked for, and how the answer looks, is the edge's affair.
"""

from datetime import date
from typing import Literal

from msgspec import Struct

from decabilld.domain.entities import Id
from decabilld.store.pool import Pool
from decabilld.store.rows import S, decoder, unavailable

GroupBy = Literal["day", "month"]

_COUNTED = """
    i.tenant_id = %(tenant)s AND i.status NOT IN ('draft', 'void') AND i.currency = %(currency)s
    AND i.issue_date BETWEEN %(first)s AND %(last)s AND (%(user)s::uuid IS NULL OR i.user_id = %(user)s)"""
_BY_PERIOD = f"""
SELECT coalesce(json_agg(r), '[]')::text FROM (
    SELECT to_char(i.issue_date, %(form)s) AS period, sum(i.total_gross_minor)::bigint AS gross_minor,
        count(*) FILTER (WHERE i.status = 'paid') AS paid_count
    FROM invoices i WHERE {_COUNTED} GROUP BY 1
) AS r"""  # noqa: S608
_BY_PRODUCT = f"""
SELECT coalesce(json_agg(r), '[]')::text FROM (
    SELECT l.plan_id, p.name, sum(l.gross_minor)::bigint AS gross_minor
    FROM invoices i CROSS JOIN jsonb_to_recordset(i.lines) AS l(plan_id uuid, gross_minor bigint)
    LEFT JOIN service_plans p ON p.tenant_id = %(tenant)s AND p.id = l.plan_id
    WHERE {_COUNTED} GROUP BY l.plan_id, p.name ORDER BY gross_minor DESC, p.name, l.plan_id
) AS r"""  # noqa: S608
_FORMS: dict[GroupBy, str] = {"day": "YYYY-MM-DD", "month": "YYYY-MM"}


class Scope(Struct, frozen=True, kw_only=True):
    """Whose invoices, and issued from when to when, both days included. `user_id` None: everybody's."""

    tenant_id: str
    currency: str
    first: date
    last: date
    user_id: Id | None = None


class PeriodTotal(Struct, frozen=True):
    """What was invoiced in a period (`2026-01-31` or `2026-01`) that has any invoice."""

    period: str
    gross_minor: int
    paid_count: int


class ProductTotal(Struct, frozen=True):
    """What was invoiced of a plan, named as it is now; without a plan, by hand."""

    plan_id: Id | None
    name: str | None
    gross_minor: int


class Statistics:
    """Counts for any tenant over a shared pool. Raises Unavailable when the database is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def by_period(self, scope: Scope, group_by: GroupBy) -> list[PeriodTotal]:
        return await self._rows(PeriodTotal, _BY_PERIOD, scope, form=_FORMS[group_by])

    async def by_product(self, scope: Scope) -> list[ProductTotal]:
        """The largest first."""
        return await self._rows(ProductTotal, _BY_PRODUCT, scope)

    async def _rows(self, kind: type[S], sql: str, scope: Scope, **more: object) -> list[S]:
        wanted = {
            "tenant": scope.tenant_id,
            "currency": scope.currency,
            "first": scope.first,
            "last": scope.last,
            "user": scope.user_id,
        }
        async with unavailable():
            return decoder(kind).decode(await self._pool.fetch_value(sql, {**wanted, **more}))
