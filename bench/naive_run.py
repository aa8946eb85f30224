"""Naive accrual and billing: customer by customer, a transaction each, with the statements that anyone would write.

The amounts are read, not computed, and the journal has no chain: all to the advantage of the naive.
"""

from typing import Any

from psycopg2.extras import Json, RealDictCursor

from bench.naive import JOURNAL_SQL
from bench.world import TENANT
from decabilld.ids import new_id

_POSITION_SQL = """
INSERT INTO positions (tenant_id, id, user_id, subscription_id, plan_id, kind, source, period_start, period_end,
                       description, net_minor, currency, tax_category, price_minor, share_numerator, share_denominator,
                       created_at)
SELECT tenant_id, %s, user_id, id, plan_id, 'period', '', period_end, period_end + interval '1 day', number, 1999,
       'EUR', 'standard', 1999, 1, 1, now()
FROM subscriptions WHERE tenant_id = %s AND id = %s"""
_ADVANCE_SQL = """
UPDATE subscriptions SET period_index = period_index + 1, period_start = period_end,
    period_end = period_end + interval '1 day', charged_through = period_end, updated_at = now()
WHERE tenant_id = %s AND id = %s"""
_DRAW_SQL = """
INSERT INTO number_ranges (tenant_id, id, series, last) VALUES (%s, %s, 'INV-2026', 1)
ON CONFLICT (tenant_id, series) DO UPDATE SET last = number_ranges.last + 1 RETURNING last"""
_INVOICE_SQL = """
INSERT INTO invoices (tenant_id, id, user_id, subscription_id, subscription_ids, origin, number, status, currency,
                      lines, tax_groups, subtotal_net_minor, tax_total_minor, total_gross_minor, paid_minor,
                      balance_minor, seller, buyer, issued_at, issue_date, due_date, overdue_from,
                      created_at, updated_at)
VALUES (%s, %s, %s, %s, %s::uuid[], 'billing_run', %s, 'issued', 'EUR', %s, '[]', %s, %s, %s, 0, %s, '{}', %s, now(),
        now(), now(), now(), now(), now())"""
_CLOSE_SQL = "UPDATE positions SET invoice_id = %s, closed_at = now() WHERE tenant_id = %s AND id = ANY(%s::uuid[])"
_OPEN_SQL = "SELECT * FROM positions WHERE tenant_id = %s AND user_id = %s AND closed_at IS NULL ORDER BY period_start"
_PROFILE_SQL = "SELECT * FROM customer_profiles WHERE tenant_id = %s AND user_id = %s"
_OUTBOX_SQL = """
INSERT INTO outbox (tenant_id, id, kind, lane, cause, payload, due_at, attempts, created_at)
VALUES (%s, %s, 'RenderDocument', 'documents', '', %s, now(), 0, now())"""


def accrue(connection: Any, user_id: str) -> None:
    """The charges of a customer's subscriptions."""
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM subscriptions WHERE tenant_id = %s AND user_id = %s", (TENANT, user_id))
        for (subscription_id,) in cursor.fetchall():
            position_id = new_id()
            cursor.execute(_POSITION_SQL, (position_id, TENANT, subscription_id))
            cursor.execute(_ADVANCE_SQL, (TENANT, subscription_id))
            cursor.execute(
                JOURNAL_SQL, (TENANT, "position.accrued", "Accrued", "job", "positions", position_id, user_id)
            )


def bill(connection: Any, user_id: str) -> None:
    """One invoice of a customer's open positions."""
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_OPEN_SQL, (TENANT, user_id))
        positions = cursor.fetchall()
        cursor.execute(_PROFILE_SQL, (TENANT, user_id))
        buyer = {name: str(value) for name, value in cursor.fetchone().items()}
        cursor.execute(_DRAW_SQL, (TENANT, new_id()))
        number = f"INV-2026-{cursor.fetchone()['last']:05}"
        lines = [{name: str(value) for name, value in position.items()} for position in positions]
        net = sum(position["net_minor"] for position in positions)
        tax = (net * 19 + 50) // 100
        invoice_id, first = new_id(), positions[0]["subscription_id"]
        subscriptions = [position["subscription_id"] for position in positions]
        sums = (net, tax, net + tax, net + tax)
        cursor.execute(
            _INVOICE_SQL, (TENANT, invoice_id, user_id, first, subscriptions, number, Json(lines), *sums, Json(buyer))
        )
        cursor.execute(_CLOSE_SQL, (invoice_id, TENANT, [position["id"] for position in positions]))
        cursor.execute(_OUTBOX_SQL, (TENANT, new_id(), invoice_id))
        cursor.execute(JOURNAL_SQL, (TENANT, "invoice.issued", number, "job", "invoices", invoice_id, user_id))
