"""How live entities are found other than by id, and what is counted of them: tables, kept by the state's one `put`."""

from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Generic, TypeVar

from decabilld.domain.entities import (
    Backorder,
    CustomerProfile,
    Entity,
    Invoice,
    PaymentAttempt,
    Position,
    RevokedToken,
    ServicePlan,
    ServiceType,
    Subscription,
    SubscriptionItem,
    UsageRecord,
    User,
)

E = TypeVar("E", bound=Entity)
SECONDS_AN_HOUR = 3600


class Index(Generic[E]):
    """Live entities of one kind by a key; entities whose key is None are not in it."""

    __slots__ = ("key", "kind", "name")

    def __init__(self, name: str, kind: type[E], key: Callable[[E], Hashable | None]) -> None:
        self.name, self.kind, self.key = name, kind, key


def due_hour(instant: datetime) -> int:
    """The hour since the epoch that an instant lies in: what is due is looked up by it, bucket by bucket."""
    return int(instant.timestamp()) // SECONDS_AN_HOUR


def subscription_due(subscription: Subscription) -> datetime | None:
    """When a subscription next needs a decision: its period's end or its own, whichever is first."""
    if not subscription.live:
        return None
    end = subscription.cancel_effective_at
    period_end = None if subscription.awaits_server else subscription.period_end
    if end is not None and period_end is not None:
        return min(end, period_end)
    return end or period_end


def reminder_due(subscription: Subscription) -> datetime | None:
    """When the customer is to be reminded of the renewal; None while there is none to be told."""
    reminded = subscription.status == "active" and not subscription.awaits_server
    return subscription.remind_at if reminded else None


def invoice_due(invoice: Invoice) -> datetime | None:
    """When an invoice of which nothing is paid becomes overdue; None for any other."""
    return invoice.overdue_from if invoice.status == "issued" else None


def backorder_due(backorder: Backorder) -> datetime | None:
    """When a backorder is next tried by itself; None if it isn't."""
    return backorder.retry_at if backorder.status == "pending" else None


def _hour(instant: datetime | None) -> int | None:
    return None if instant is None else due_hour(instant)


USER_BY_EMAIL = Index("user_by_email", User, lambda user: user.email_key)
ADMINS = Index("admins", User, lambda user: "admin" if user.role == "admin" else None)
REVOKED_BY_HOUR = Index("revoked_by_hour", RevokedToken, lambda token: due_hour(token.expires_at))
PROFILE_OF_USER = Index("profile_of_user", CustomerProfile, lambda profile: profile.user_id)
SERVICE_TYPE_BY_KEY = Index("service_type_by_key", ServiceType, lambda service_type: service_type.key)
PLANS_OF_TYPE = Index("plans_of_type", ServicePlan, lambda plan: plan.service_type_id)
SUBSCRIPTIONS_OF_USER = Index("subscriptions_of_user", Subscription, lambda subscription: subscription.user_id)
SUBSCRIPTIONS_OF_PLAN = Index("subscriptions_of_plan", Subscription, lambda subscription: subscription.plan_id)
SUBSCRIPTIONS_DUE = Index("subscriptions_due", Subscription, lambda s: _hour(subscription_due(s)))
REMINDERS_DUE = Index("reminders_due", Subscription, lambda s: _hour(reminder_due(s)))
ITEMS_OF_SUBSCRIPTION = Index("items_of_subscription", SubscriptionItem, lambda item: item.subscription_id)
ITEM_BY_HOSTNAME = Index("item_by_hostname", SubscriptionItem, lambda item: item.hostname)
BACKORDER_OF_ITEM = Index("backorder_of_item", Backorder, lambda backorder: backorder.item_id)
BACKORDERS_DUE = Index("backorders_due", Backorder, lambda backorder: _hour(backorder_due(backorder)))
USAGE_OF_SUBSCRIPTION = Index("usage_of_subscription", UsageRecord, lambda record: record.subscription_id)
POSITIONS_OF_USER = Index("positions_of_user", Position, lambda position: position.user_id)
POSITIONS_OF_SUBSCRIPTION = Index("positions_of_subscription", Position, lambda position: position.subscription_id)
INVOICES_OF_USER = Index("invoices_of_user", Invoice, lambda invoice: invoice.user_id)
INVOICES_DUE = Index("invoices_due", Invoice, lambda invoice: _hour(invoice_due(invoice)))
ATTEMPTS_OF_INVOICE = Index("attempts_of_invoice", PaymentAttempt, lambda attempt: attempt.invoice_id)

INDEXES: dict[type[Entity], tuple[Index, ...]] = {}  # type: ignore[type-arg]
for _index in [value for value in globals().values() if isinstance(value, Index)]:
    INDEXES[_index.kind] = (*INDEXES.get(_index.kind, ()), _index)


def _tally_subscription(subscription: Subscription) -> tuple[tuple[str, int], ...]:
    return (("subscriptions_active", 1),) if subscription.status in ("active", "pending_cancel") else ()


def _tally_invoice(invoice: Invoice) -> tuple[tuple[str, int], ...]:
    if invoice.status == "draft":
        return ()
    return (
        ("invoices_open", 1),
        (f"invoices_open:{invoice.status}", 1),
        (f"open_minor:{invoice.currency}", invoice.balance_minor),
    )


def _tally_position(position: Position) -> tuple[tuple[str, int], ...]:
    return ((f"unbilled_minor:{position.currency}", position.net_minor),)


TALLIES: dict[type[Entity], Callable[..., tuple[tuple[str, int], ...]]] = {
    Subscription: _tally_subscription,
    Invoice: _tally_invoice,
    Position: _tally_position,
}
