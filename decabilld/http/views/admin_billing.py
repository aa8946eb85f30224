"""What the operator sees: runs of billing, the audit log."""

from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import BillingRun, Timetable
from decabilld.domain.ids import id_of
from decabilld.domain.journal import JournalRow
from decabilld.domain.money import to_decimal
from decabilld.http.views.wire import instant

PROCESSES = {
    "billing_run.queued": "invoice.bill_now",
    "billing_run.started": "invoice.billing_run",
    "invoice.created": "invoice.create",
    "invoice.updated": "invoice.update",
    "invoice.deleted": "invoice.delete",
    "invoice.issued": "invoice.issue",
    "invoice.voided": "invoice.void",
    "invoice.marked_paid": "invoice.mark_paid",
    "invoice.marked_unpaid": "invoice.mark_unpaid",
    "invoice.became_overdue": "invoice.overdue",
    "payment.initiated": "payment.init",
    "payment.checkout_opened": "payment.init",
    "payment.checkout_in_doubt": "payment.init",
    "payment.checkout_failed": "payment.init",
    "payment.checkout_closing": "payment.init",
}
"""What the contract calls the process that a journal entry tells of; one that isn't here bears the entry's own name.
Whatever Stripe has told is a `payment.webhook`."""


def summary_view(state: TenantState, currency: str) -> dict[str, object]:
    """The tenant's running totals: what is owed gross, what is not invoiced yet net."""
    return {
        "activeSubscriptionsCount": state.tally("subscriptions_active"),
        "openOverdueCount": state.tally("invoices_open"),
        "openOverdueTotal": to_decimal(state.tally(f"open_minor:{currency}"), currency),
        "unbilledTotal": to_decimal(state.tally(f"unbilled_minor:{currency}"), currency),
    }


def bill_now_view(run: BillingRun) -> dict[str, object]:
    return {"queued": True, "requestId": run.id, "userCount": run.user_count}


def run_view(run: BillingRun) -> dict[str, object]:
    return {
        "requestId": run.id,
        "status": run.status,
        "userCount": run.user_count,
        "done": run.done,
        "failed": run.failed,
        "invoices": run.invoices,
        "errors": [{"userId": error.user_id, "message": error.message} for error in run.errors],
    }


def audit_log_view(row: JournalRow, tenant_id: str) -> dict[str, object]:
    """A journal row; its id is derived from its place, which never changes. `context` keeps the journal's own word."""
    return {
        "id": id_of("journal", tenant_id, str(row.seq)),
        "process": "payment.webhook" if row.who == "stripe" else PROCESSES.get(row.kind, row.kind),
        "level": row.level,
        "message": row.message,
        "invoiceId": row.invoice_id,
        "userId": row.user_id,
        "context": {**row.data, "kind": row.kind, "who": row.who, "cause": row.cause, "seq": row.seq},
        "createdAt": instant(row.at),
    }


def test_clock_view(timetable: Timetable) -> dict[str, object]:
    assert timetable.test_clock is not None, "it was just set"
    return {"now": instant(timetable.test_clock)}
