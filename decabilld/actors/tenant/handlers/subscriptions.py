"""Subscriptions: order, cancel, resume."""

from datetime import datetime

from msgspec.structs import replace

from decabilld.actors.tenant.handlers import notices
from decabilld.actors.tenant.handlers.accrual import begun, first_advance_charge, pass_boundaries
from decabilld.actors.tenant.handlers.backorders import new_backorder
from decabilld.actors.tenant.handlers.catalog import NOTHING_DEPLOYED, plan_of, service_type_of
from decabilld.actors.tenant.handlers.items import begin, new_item
from decabilld.actors.tenant.handlers.numbers import Numbers
from decabilld.actors.tenant.indexes import PROFILE_OF_USER
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import ServicePlan, ServiceType, Subscription
from decabilld.domain.invoices import check_profile
from decabilld.domain.lifecycle import SUBSCRIPTION, step
from decabilld.domain.numbering import SUBSCRIPTION_SERIES, subscription_number
from decabilld.domain.periods import (
    add_local_days,
    boundary,
    first_boundary_at_or_after,
    local_date,
    period_at,
)
from decabilld.domain.pricing import terms_of
from decabilld.domain.refusals import CommitmentNotOver, Invalid, NoCapacity, NotFound
from decabilld.messages.commands import CancelSubscription, OrderSubscription, ResumeSubscription
from decabilld.messages.decision import Context, Decision, Entry


def order_subscription(state: TenantState, command: OrderSubscription, context: Context) -> Decision:
    """The plan's terms are kept as they are sold now. Without a server to deploy it is active at once.

    With one it is active too, but nothing is charged before its server is there; without room for it now it waits,
    if the customer wants that. Raises NoCapacity if not.
    """
    check_profile(state.first(PROFILE_OF_USER, command.user_id))
    plan = plan_of(state, command.plan_id)
    service_type = orderable(state, plan, context)
    terms, numbers = terms_of(plan, context.policy.currency), Numbers(state)
    waiting = Subscription(
        id=context.new_id(),
        number=subscription_number(numbers.draw(SUBSCRIPTION_SERIES)),
        plan_id=plan.id,
        user_id=command.user_id,
        status="pending_backorder",
        terms=terms,
        created_at=context.now,
        updated_at=context.now,
    )
    if service_type is None:
        subscription, first_charge = _started(waiting, context)
        after = Decision(changes=(subscription, *first_charge.changes), entries=first_charge.entries)
    else:
        after = _deployed(state, command, plan, service_type, waiting, context)
        subscription = after.reply  # type: ignore[assignment]
    entry = Entry(
        kind="subscription.ordered",
        message=f"Subscription {subscription.number} of {plan.name} ordered",
        entity=subscription,
        user_id=subscription.user_id,
        data={"plan_id": plan.id, "price_minor": terms.price_minor, "currency": terms.currency},
    )
    told = (
        after.effects
        if subscription.status == "pending_backorder"
        else (*after.effects, *notices.subscription_ordered(state, subscription, context))
    )
    return Decision(
        reply=subscription,
        changes=(*after.changes, *numbers.changes),
        entries=(entry, *after.entries),
        effects=told,
    )


def _started(waiting: Subscription, context: Context) -> tuple[Subscription, Decision]:
    """Begun now; in advance its first period is charged at once."""
    subscription = begun(waiting, context)
    if not subscription.terms.bill_in_advance:
        return subscription, Decision()
    position, entry = first_advance_charge(subscription, context)
    return replace(subscription, charged_through=position.period_end), Decision(changes=(position,), entries=(entry,))


def _deployed(
    state: TenantState,
    command: OrderSubscription,
    plan: ServicePlan,
    service_type: ServiceType,
    waiting: Subscription,
    context: Context,
) -> Decision:
    """The order of a server; reply: its subscription."""
    assert command.secrets is not None, "the edge gives an order of a server its keys"
    item = new_item(
        state,
        plan,
        service_type,
        command.requested_config,
        command.secrets,
        context,
        subscription_id=waiting.id,
        user_id=waiting.user_id,
        auto_backorder=command.auto_backorder,
    )
    if command.no_capacity is None:
        item, effect = begin(item, "create", context)
        subscription = replace(begun(waiting, context), awaits_server=True)
        return Decision(reply=subscription, changes=(subscription, item), effects=(effect,))
    if not command.auto_backorder:
        raise NoCapacity(command.no_capacity)
    backorder, entry = new_backorder(item, plan.id, command.no_capacity, context, command.preferred_alternatives)
    return Decision(
        reply=waiting,
        changes=(waiting, item, backorder),
        entries=(entry,),
        effects=notices.order_backordered(state, waiting, context),
    )


def cancel_subscription(state: TenantState, command: CancelSubscription, context: Context) -> Decision:
    """Sets the effective date; one that is now ends it in the same decision."""
    subscription = owned_subscription(state, command.subscription_id, command.user_id)
    status = step(SUBSCRIPTION, subscription.status, "cancel")
    _check_commitment(subscription, context)
    cancelled = replace(
        subscription,
        status=status,
        cancel_requested_at=context.now,
        cancel_effective_at=effective_date(subscription, context),
        updated_at=context.now,
    )
    entry = Entry(
        kind="subscription.cancel_scheduled",
        message=f"Cancellation of {cancelled.number} scheduled",
        entity=cancelled,
        user_id=cancelled.user_id,
        data={"effective_at": _iso(cancelled.cancel_effective_at), "reason": command.reason},
    )
    after = pass_boundaries(state, cancelled, context)
    # What ends at once is told as ended.
    told = after.effects or notices.cancel_scheduled(state, cancelled, context)
    return replace(after, entries=(entry, *after.entries), effects=told)


def resume_subscription(state: TenantState, command: ResumeSubscription, context: Context) -> Decision:
    """Takes a cancellation back, before its effective date."""
    subscription = owned_subscription(state, command.subscription_id, command.user_id)
    status = step(SUBSCRIPTION, subscription.status, "resume")
    if subscription.cancel_effective_at is not None and subscription.cancel_effective_at <= context.now:
        raise Invalid("The subscription has reached its end and can't be resumed")
    resumed = replace(
        subscription,
        status=status,
        cancel_requested_at=None,
        cancel_effective_at=None,
        resumed_at=context.now,
        updated_at=context.now,
    )
    entry = Entry(
        kind="subscription.resumed",
        message=f"Subscription {resumed.number} resumed",
        entity=resumed,
        user_id=resumed.user_id,
        data={"reason": command.reason},
    )
    return Decision(reply=resumed, changes=(resumed,), entries=(entry,))


def owned_subscription(state: TenantState, subscription_id: str, user_id: str) -> Subscription:
    """Raises NotFound, also for another customer's."""
    subscription = state.get(Subscription, subscription_id)
    if subscription is None or subscription.user_id != user_id:
        raise NotFound("Subscription")
    return subscription


def effective_date(subscription: Subscription, context: Context) -> datetime:
    """When a cancellation asked for now takes effect (BILLING, "Subscription lifecycle")."""
    terms, zone, now = subscription.terms, context.policy.zone, context.now
    assert subscription.anchor is not None, "an active subscription has an anchor"
    if terms.bill_in_advance:
        # A period that begins now is charged now, hence lasts to its end.
        return boundary(terms, subscription.anchor, period_at(terms, subscription.anchor, now, zone) + 1, zone)
    noticed = add_local_days(now, terms.notice_days, zone)
    if terms.cancel_at_period_end:
        return first_boundary_at_or_after(terms, subscription.anchor, noticed, zone)
    return noticed


def orderable(state: TenantState, plan: ServicePlan, context: Context) -> ServiceType | None:
    """The service type of what is to be deployed; None where nothing is. Raises Invalid for what isn't offered."""
    if not plan.is_active:
        raise Invalid("This plan is not offered any more")
    if plan.service_type_id is None:
        return None
    service_type = service_type_of(state, plan.service_type_id)
    if not service_type.is_active:
        raise Invalid("This service is not offered any more")
    if service_type.provider == NOTHING_DEPLOYED:
        return None
    if service_type.provider not in context.policy.providers_ready:
        raise Invalid(f"The provider {service_type.provider!r} is not set up here, so nothing can be deployed")
    return service_type


def _check_commitment(subscription: Subscription, context: Context) -> None:
    terms, zone = subscription.terms, context.policy.zone
    assert subscription.anchor is not None, "an active subscription has an anchor"
    over = add_local_days(subscription.anchor, terms.min_commitment_days, zone)
    if terms.min_commitment_days and context.now < over:
        raise CommitmentNotOver(
            f"The minimum commitment of {terms.min_commitment_days} days is not over; "
            f"it can be cancelled from {local_date(over, zone).isoformat()}"
        )


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
