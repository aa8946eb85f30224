"""The lives of subscriptions and invoices: every step that is allowed, and that nothing else is."""

from typing import Any, get_args

import pytest

from decabilld.domain.entities import InvoiceStatus, SubscriptionStatus
from decabilld.domain.lifecycle import INVOICE, SUBSCRIPTION, InvoiceEvent, SubscriptionEvent, step
from decabilld.domain.refusals import Invalid

STEPS = {
    "subscription": """
        pending_backorder  backorder_fulfilled     active
        pending_backorder  backorder_cancelled     canceled
        active             refused_with_backorder  pending_backorder
        active             refused_for_good        canceled
        active             cancel                  pending_cancel
        pending_cancel     resume                  active
        pending_cancel     refused_for_good        canceled
        pending_cancel     end                     canceled
    """,
    "invoice": """
        draft           issue                issued
        issued          pay_part             partially_paid
        issued          pay_all              paid
        issued          become_overdue       overdue
        issued          void                 void
        partially_paid  pay_part             partially_paid
        partially_paid  pay_all              paid
        partially_paid  void                 void
        partially_paid  mark_unpaid          issued
        partially_paid  mark_unpaid_overdue  overdue
        overdue         pay_part             partially_paid
        overdue         pay_all              paid
        overdue         void                 void
        paid            mark_unpaid          issued
        paid            mark_unpaid_overdue  overdue
    """,
}
TABLES: dict[str, Any] = {"subscription": SUBSCRIPTION, "invoice": INVOICE}
EVERY_PAIR = [
    (kind, status, event)
    for kind, statuses, events in (
        ("subscription", get_args(SubscriptionStatus), get_args(SubscriptionEvent)),
        ("invoice", get_args(InvoiceStatus), get_args(InvoiceEvent)),
    )
    for status in statuses
    for event in events
]


def allowed(kind: str) -> dict[tuple[str, str], str]:
    rows = [line.split() for line in STEPS[kind].strip().splitlines()]
    return {(status, event): after for status, event, after in rows}


@pytest.mark.parametrize(("kind", "status", "event"), EVERY_PAIR)
def test_every_step_is_allowed_or_refused_in_words(kind: str, status: str, event: str) -> None:
    after = allowed(kind).get((status, event))
    if after is not None:
        assert step(TABLES[kind], status, event) == after
    else:
        with pytest.raises(Invalid, match=rf"^An? {kind} that is [a-z ]+ (can't|has no) ") as refusal:
            step(TABLES[kind], status, event)
        assert "_" not in str(refusal.value)


@pytest.mark.parametrize(
    ("table", "status", "event", "sentence"),
    [
        (SUBSCRIPTION, "active", "resume", "A subscription that is active can't be resumed"),
        (SUBSCRIPTION, "pending_cancel", "cancel", "A subscription that is about to be cancelled can't be cancelled"),
        (SUBSCRIPTION, "canceled", "resume", "A subscription that is cancelled can't be resumed"),
        (INVOICE, "paid", "void", "An invoice that is paid can't be voided"),
        (INVOICE, "void", "void", "An invoice that is void can't be voided"),
        (INVOICE, "draft", "pay_all", "An invoice that is a draft can't be paid"),
    ],
)
def test_refusals_name_what_was_tried(table: Any, status: str, event: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        step(table, status, event)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("table", "status", "events", "end"),
    [
        (SUBSCRIPTION, "active", "cancel resume cancel end", "canceled"),
        (SUBSCRIPTION, "pending_backorder", "backorder_fulfilled cancel refused_for_good", "canceled"),
        (INVOICE, "draft", "issue become_overdue pay_part pay_all", "paid"),
        (INVOICE, "draft", "issue pay_all mark_unpaid_overdue void", "void"),
    ],
)
def test_lives(table: Any, status: str, events: str, end: str) -> None:
    for event in events.split():
        status = step(table, status, event)
    assert status == end
