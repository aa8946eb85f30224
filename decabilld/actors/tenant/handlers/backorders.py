"""Orders that capacity couldn't serve: kept, tried again with growing pauses, fulfilled or cancelled.

A backorder's item stays the same through all tries, and with it hostname and label: two servers can't come of it.
"""

from datetime import timedelta

from msgspec.structs import replace

from decabilld.actors.tenant.handlers import notices
from decabilld.actors.tenant.handlers.accrual import never_begun
from decabilld.actors.tenant.handlers.catalog import plan_of, service_type_of
from decabilld.actors.tenant.handlers.items import abandon, begin, configured
from decabilld.actors.tenant.indexes import BACKORDER_OF_ITEM
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Backorder, Entity, Subscription, SubscriptionItem
from decabilld.domain.lifecycle import SUBSCRIPTION, step
from decabilld.domain.refusals import Conflict, Invalid, NotFound
from decabilld.messages.commands import CancelBackorder, RetryBackorder
from decabilld.messages.decision import Context, Decision, Entry
from decabilld.messages.server_effects import CreateForBackorder

PAUSE_MAX = timedelta(hours=1)
ATTEMPTS_MAX = 1_000
"""Some six weeks of an attempt an hour; after that only the customer's own retry tries again."""


def new_backorder(
    item: SubscriptionItem, plan_id: str, reason: str, context: Context, preferred: dict[str, object] | None = None
) -> tuple[Backorder, Entry]:
    """An order that begins to wait."""
    assert item.service_type_id is not None, "what is deployed is of a service type"
    backorder = Backorder(
        id=context.new_id(),
        user_id=item.user_id,
        service_type_id=item.service_type_id,
        plan_id=plan_id,
        subscription_id=item.subscription_id,
        item_id=item.id,
        status="pending",
        failure_reason=reason,
        provider_errors={item.provider: reason},
        preferred_alternatives=preferred or {},
        retry_at=context.now + context.policy.backorder_retry,
        created_at=context.now,
        updated_at=context.now,
    )
    return backorder, _entry("backorder.created", f"Waits for capacity: {reason}", backorder)


def put_back(
    state: TenantState,
    item: SubscriptionItem,
    subscription: Subscription,
    reason: str,
    context: Context,
    *,
    no_capacity: bool,
) -> Decision:
    """A try has failed: the order waits for the next one; one that had begun is a backorder from now on."""
    backorder = state.first(BACKORDER_OF_ITEM, item.id)
    if backorder is None:
        waiting = replace(
            never_begun(subscription),
            status=step(SUBSCRIPTION, subscription.status, "refused_with_backorder"),
            updated_at=context.now,
        )
        backorder, entry = new_backorder(item, subscription.plan_id, reason, context)
        return Decision(
            changes=(item, waiting, backorder),
            entries=(entry,),
            effects=notices.order_backordered(state, waiting, context),
        )
    attempts = backorder.attempts + 1
    spent = attempts >= ATTEMPTS_MAX
    again = replace(
        backorder,
        status="failed" if spent else "pending",
        failure_reason=reason,
        provider_errors={item.provider: reason},
        attempts=attempts,
        retry_at=None if spent else context.now + (_pause(attempts, context) if no_capacity else PAUSE_MAX),
        updated_at=context.now,
    )
    return Decision(changes=(item, again), entries=(_entry("backorder.put_back", reason, again, level="warning"),))


def fulfilled(
    state: TenantState, item: SubscriptionItem, subscription: Subscription, context: Context
) -> tuple[Backorder, Entry]:
    backorder = state.first(BACKORDER_OF_ITEM, item.id)
    assert backorder is not None, "a subscription that waits has a backorder"
    done = replace(backorder, status="fulfilled", failure_reason=None, retry_at=None, updated_at=context.now)
    return done, _entry("backorder.fulfilled", f"Subscription {subscription.number} begins", done)


def retry_backorder(state: TenantState, command: RetryBackorder, context: Context) -> Decision:
    """Now, and with what is wished instead. One that is being tried already can't be given other wishes."""
    backorder = _own(state, command.backorder_id, command.user_id)
    if not backorder.live:
        raise Invalid(f"A backorder that is {backorder.status} can't be tried again")
    if backorder.status == "retrying":
        if command.config is not None:
            raise Conflict("The backorder is being tried at this moment; try again shortly")
        return Decision(reply=backorder)
    item = _item(state, backorder)
    if command.config is not None:
        plan, service_type = plan_of(state, backorder.plan_id), service_type_of(state, backorder.service_type_id)
        if (plan.service_type_id, service_type.provider) != (item.service_type_id, item.provider):
            raise Conflict("The service comes from another provider now; cancel the backorder and order anew")
        item = configured(item, plan, service_type, command.config, context)
        item = replace(item, sealed_secrets=command.sealed)
    return _try(replace(backorder, attempts=0), item, context, reason=command.reason)


def try_due_backorder(state: TenantState, backorder: Backorder, context: Context) -> Decision:
    return _try(backorder, _item(state, backorder), context)


def cancel_backorder(state: TenantState, command: CancelBackorder, context: Context) -> Decision:
    """The order ends; what a try that is under way makes is taken away again."""
    backorder = _own(state, command.backorder_id, command.user_id)
    if not backorder.live:
        raise Invalid(f"A backorder that is {backorder.status} can't be cancelled")
    subscription = state.get(Subscription, backorder.subscription_id)
    assert subscription is not None, "what waits for capacity is live"
    cancelled = replace(backorder, status="cancelled", retry_at=None, updated_at=context.now)
    ended = replace(
        subscription,
        status=step(SUBSCRIPTION, subscription.status, "backorder_cancelled"),
        cancel_requested_at=context.now,
        cancel_effective_at=context.now,
        ended_at=context.now,
        updated_at=context.now,
    )
    left, effects = abandon(_item(state, backorder), context)
    entry = _entry("backorder.cancelled", f"Backorder of {ended.number} cancelled", cancelled, reason=command.reason)
    changes: tuple[Entity, ...] = (cancelled, ended, left)
    told = notices.subscription_ended(state, ended, context)
    return Decision(reply=cancelled, changes=changes, entries=(entry,), effects=(*effects, *told))


def _try(backorder: Backorder, item: SubscriptionItem, context: Context, *, reason: str | None = None) -> Decision:
    trying = replace(backorder, status="retrying", retry_at=None, updated_at=context.now)
    item, effect = begin(item, "create", context, CreateForBackorder)
    entry = _entry("backorder.tried", f"Tried again (attempt {trying.attempts + 1})", trying, reason=reason)
    return Decision(reply=trying, changes=(trying, item), entries=(entry,), effects=(effect,))


def _pause(attempts: int, context: Context) -> timedelta:
    """Twice as long after each attempt, up to an hour."""
    return min(context.policy.backorder_retry * (1 << min(attempts, 20)), PAUSE_MAX)


def _own(state: TenantState, backorder_id: str, user_id: str) -> Backorder:
    backorder = state.get(Backorder, backorder_id)
    if backorder is None or backorder.user_id != user_id:
        raise NotFound("Backorder")
    return backorder


def _item(state: TenantState, backorder: Backorder) -> SubscriptionItem:
    item = state.get(SubscriptionItem, backorder.item_id)
    assert item is not None, "the item of a live backorder is live"
    return item


def _entry(kind: str, message: str, backorder: Backorder, *, level: str = "info", reason: str | None = None) -> Entry:
    return Entry(
        kind=kind,
        message=message,
        entity=backorder,
        user_id=backorder.user_id,
        level=level,
        data={"subscription_id": backorder.subscription_id, "item_id": backorder.item_id, "reason": reason},
    )
