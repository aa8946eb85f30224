"""The lives of subscriptions and invoices, as tables: (status, event) -> status. What isn't listed can't happen.

Owns which event may follow which status, and no more: dates, amounts and whoever asks are weighed by the handlers
before they take the step. Rules that the tables tell:

Subscription
- It begins `active` if there was capacity, else `pending_backorder`.
- A backorder is fulfilled once, or cancelled for good.
- What never came up, refused by the provider for good, goes back to the backorders if the customer allowed that; if
  they have cancelled meanwhile, it ends.
- Cancelling only sets a date; until then it can be resumed; reaching it ends the subscription. Without anything to
  wait for, `cancel` and `end` follow each other in one decision.
- Nothing leads out of `canceled`.

Invoice
- A draft gets out of that status by being issued, and never back. One with a total of zero is issued and paid in one
  decision.
- What is owed is paid in full or in part. Part of an overdue invoice paid leaves it `partially_paid`, as long as
  it isn't marked unpaid.
- Only what nothing at all was paid of becomes overdue.
- A payment can be taken back: to `issued`, or to `overdue` if the due date has passed.
- Voiding is for what is owed, never for what is paid. Nothing leads out of `void`.
"""

from collections.abc import Mapping
from typing import Literal, TypeVar

from decabilld.domain.entities import InvoiceStatus, SubscriptionStatus
from decabilld.domain.refusals import Invalid

SubscriptionEvent = Literal[
    "backorder_fulfilled",
    "backorder_cancelled",
    "refused_with_backorder",
    "refused_for_good",
    "cancel",
    "resume",
    "end",
]
InvoiceEvent = Literal["issue", "pay_part", "pay_all", "become_overdue", "void", "mark_unpaid", "mark_unpaid_overdue"]

SUBSCRIPTION: dict[tuple[SubscriptionStatus, SubscriptionEvent], SubscriptionStatus] = {
    ("pending_backorder", "backorder_fulfilled"): "active",
    ("pending_backorder", "backorder_cancelled"): "canceled",
    ("active", "refused_with_backorder"): "pending_backorder",
    ("active", "refused_for_good"): "canceled",
    ("active", "cancel"): "pending_cancel",
    ("pending_cancel", "refused_for_good"): "canceled",
    ("pending_cancel", "resume"): "active",
    ("pending_cancel", "end"): "canceled",
}

INVOICE: dict[tuple[InvoiceStatus, InvoiceEvent], InvoiceStatus] = {
    ("draft", "issue"): "issued",
    ("issued", "pay_part"): "partially_paid",
    ("issued", "pay_all"): "paid",
    ("issued", "become_overdue"): "overdue",
    ("issued", "void"): "void",
    ("partially_paid", "pay_part"): "partially_paid",
    ("partially_paid", "pay_all"): "paid",
    ("partially_paid", "void"): "void",
    ("partially_paid", "mark_unpaid"): "issued",
    ("partially_paid", "mark_unpaid_overdue"): "overdue",
    ("overdue", "pay_part"): "partially_paid",
    ("overdue", "pay_all"): "paid",
    ("overdue", "void"): "void",
    ("paid", "mark_unpaid"): "issued",
    ("paid", "mark_unpaid_overdue"): "overdue",
}

_REFUSALS: dict[str, str] = {
    "backorder_fulfilled": "A subscription that is {} can't be activated from a backorder",
    "backorder_cancelled": "A subscription that is {} has no backorder to cancel",
    "refused_with_backorder": "A subscription that is {} can't become a backorder",
    "refused_for_good": "A subscription that is {} can't be refused by its provider",
    "cancel": "A subscription that is {} can't be cancelled",
    "resume": "A subscription that is {} can't be resumed",
    "end": "A subscription that is {} can't be ended",
    "issue": "An invoice that is {} can't be issued",
    "pay_part": "An invoice that is {} can't be paid",
    "pay_all": "An invoice that is {} can't be paid",
    "become_overdue": "An invoice that is {} can't become overdue",
    "void": "An invoice that is {} can't be voided",
    "mark_unpaid": "An invoice that is {} can't be marked unpaid",
    "mark_unpaid_overdue": "An invoice that is {} can't be marked unpaid",
}

_STATUS_WORDS = {
    "draft": "a draft",
    "partially_paid": "partially paid",
    "pending_backorder": "waiting for capacity",
    "pending_cancel": "about to be cancelled",
    "canceled": "cancelled",
}

Status = TypeVar("Status", bound=str)
Event = TypeVar("Event", bound=str)


def step(table: Mapping[tuple[Status, Event], Status], status: Status, event: Event) -> Status:
    """The status after the event. Raises `Invalid`, in words for the caller, if it can't happen in this status."""
    after = table.get((status, event))
    if after is None:
        raise Invalid(_REFUSALS[event].format(_STATUS_WORDS.get(status, status)))
    return after
