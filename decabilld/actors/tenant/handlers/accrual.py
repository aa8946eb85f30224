"""A subscription's way through time: at each boundary its charge, at its effective date the last one and the end.

Everything is computed from the subscription's own instants, never from when it happens to be looked at: so the result
after any outage equals that of a daemon that never stopped (BILLING, "Outage equivalence").
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from decabilld.actors.tenant.handlers import notices
from decabilld.actors.tenant.handlers.items import abandon
from decabilld.actors.tenant.indexes import ITEMS_OF_SUBSCRIPTION, USAGE_OF_SUBSCRIPTION, subscription_due
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.charges import period_charge, usage_position
from decabilld.domain.entities import Entity, Position, Subscription, UsageRecord
from decabilld.domain.lifecycle import SUBSCRIPTION, step
from decabilld.domain.periods import boundary, reminder_instant
from decabilld.domain.refusals import Invalid
from decabilld.messages.decision import Context, Decision, Effect, Entry

BOUNDARIES_MAX = 1_000
"""Boundaries that one decision passes; a subscription with more is still due, and goes on in the next one."""


def pass_boundaries(state: TenantState, subscription: Subscription, context: Context) -> Decision:
    """What `subscription` owes up to now, boundary by boundary; reply: the subscription as it then stands.

    `subscription` may differ from the state's: a handler that has just set its effective date passes the new one.
    """
    walk = Walk(subscription, state.find(USAGE_OF_SUBSCRIPTION, subscription.id), context)
    for _ in range(BOUNDARIES_MAX):
        due = subscription_due(walk.subscription)
        if due is None or due > context.now:
            break
        walk.pass_one(due)
    changes: list[Entity] = [walk.subscription, *walk.changes]
    effects: list[Effect] = []
    if not walk.subscription.live:
        for item in state.each(ITEMS_OF_SUBSCRIPTION, subscription.id):
            left, removal = abandon(item, context)
            changes.append(left)
            effects += removal
        effects += notices.subscription_ended(state, walk.subscription, context)
    return Decision(
        reply=walk.subscription, changes=tuple(changes), entries=tuple(walk.entries), effects=tuple(effects)
    )


def charge_elapsed(state: TenantState, subscription: Subscription, context: Context) -> Decision:
    """What `subscription` owes up to now, the elapsed part of the current period too; reply: as it then stands.

    In advance nothing has elapsed. A part that comes to less than one minor unit stays with the rest of its period.
    Raises Invalid while there are more boundaries to pass than one decision can.
    """
    passed = pass_boundaries(state, subscription, context)
    here: Subscription = passed.reply  # type: ignore[assignment]
    due = subscription_due(here)
    if due is None or here.terms.bill_in_advance or here.awaits_server:
        return passed
    if due <= context.now:
        raise Invalid("Charges of this subscription are still being written; try again shortly")
    usage = state.with_changes(passed.changes).find(USAGE_OF_SUBSCRIPTION, here.id)
    walk = Walk(here, usage, context)
    walk.charge_period(context.now)
    if any(isinstance(part, Position) and not part.net_minor for part in walk.changes):
        walk = Walk(here, usage, context)
    walk.charge_used(context.now, last=False)
    return Decision(
        reply=walk.subscription,
        changes=(*passed.changes, walk.subscription, *walk.changes),
        entries=(*passed.entries, *walk.entries),
    )


def begun(subscription: Subscription, context: Context) -> Subscription:
    """The subscription in its first period, which begins now; nothing of it is charged yet."""
    terms, policy = subscription.terms, context.policy
    end = boundary(terms, context.now, 1, policy.zone)
    return replace(
        subscription,
        status="active",
        anchor=context.now,
        period_index=0,
        period_start=context.now,
        period_end=end,
        charged_through=context.now,
        remind_at=reminder_instant(terms, context.now, end, policy.reminder_days, policy.zone),
        updated_at=context.now,
    )


def never_begun(subscription: Subscription) -> Subscription:
    """The subscription without the periods that it would have had: its server never came up."""
    return replace(
        subscription,
        anchor=None,
        period_index=0,
        period_start=None,
        period_end=None,
        charged_through=None,
        remind_at=None,
        awaits_server=False,
    )


def first_advance_charge(subscription: Subscription, context: Context) -> tuple[Position, Entry]:
    """The charge that a subscription billed in advance begins with."""
    assert subscription.period_start is not None, "it has begun"
    return _period_position(
        subscription, subscription.period_start, _end_of(subscription), subscription.period_start, context
    )


class Walk:
    """One subscription on its way; gathers what changes."""

    def __init__(self, subscription: Subscription, usage: Sequence[UsageRecord], context: Context) -> None:
        self.subscription, self.context = subscription, context
        self.changes: list[Entity] = []
        self.entries: list[Entry] = []
        self._usage = sorted(usage, key=lambda record: (record.period_start, record.recorded_at, record.id))

    def pass_one(self, instant: datetime) -> None:
        """The boundary or end at `instant`: charge what ends there, then end or begin the next period."""
        subscription = self.subscription
        ends = subscription.cancel_effective_at == instant
        if not subscription.terms.bill_in_advance and not subscription.awaits_server:
            self.charge_period(instant)
            self.charge_used(instant, last=ends)
        if ends:
            self._end(instant)
        else:
            self._begin_next(instant)

    def charge_period(self, end: datetime) -> None:
        """What has elapsed up to `end` and isn't charged yet."""
        subscription = self.subscription
        start = subscription.charged_through
        assert start is not None, "an active subscription has an anchor"
        if start < end:
            self._add(*_period_position(subscription, start, end, end, self.context))
            self.subscription = replace(subscription, charged_through=end)

    def charge_used(self, end: datetime, *, last: bool) -> None:
        """The usage that goes with the charge up to `end`; all of it if `last`."""
        for record in list(self._usage):
            if last or (record.period_start < end and record.recorded_at <= end):
                self._usage.remove(record)
                self._charge_usage(record, max(end, record.recorded_at))

    def _charge_usage(self, record: UsageRecord, due: datetime) -> None:
        position, entry = charge_usage(self.subscription, record, due, self.context)
        self._add(position, entry)
        self.changes.append(replace(record, position_id=position.id))

    def _begin_next(self, start: datetime) -> None:
        subscription, zone = self.subscription, self.context.policy.zone
        assert subscription.anchor is not None
        k = subscription.period_index + 1
        end = boundary(subscription.terms, subscription.anchor, k + 1, zone)
        self.subscription = replace(
            subscription,
            period_index=k,
            period_start=start,
            period_end=end,
            remind_at=reminder_instant(subscription.terms, start, end, self.context.policy.reminder_days, zone),
            updated_at=self.context.now,
        )
        if subscription.terms.bill_in_advance:
            self._add(*_period_position(self.subscription, start, end, start, self.context))
            self.subscription = replace(self.subscription, charged_through=end)

    def _end(self, instant: datetime) -> None:
        subscription = self.subscription
        self.subscription = ended = replace(
            never_begun(subscription) if subscription.awaits_server else subscription,
            status=step(SUBSCRIPTION, self.subscription.status, "end"),
            ended_at=instant,
            updated_at=self.context.now,
        )
        self.entries.append(
            Entry(
                kind="subscription.ended",
                message=f"Subscription {ended.number} ended",
                entity=ended,
                user_id=ended.user_id,
                data={"effective_at": instant.isoformat()},
            )
        )

    def _add(self, position: Position, entry: Entry) -> None:
        self.changes.append(position)
        self.entries.append(entry)


def charge_usage(
    subscription: Subscription, record: UsageRecord, due: datetime, context: Context
) -> tuple[Position, Entry]:
    """The position of one usage record, due at `due`."""
    position = usage_position(subscription, record, position_id=context.new_id(), due=due, zone=context.policy.zone)
    return position, _accrued(position)


def _period_position(
    subscription: Subscription, start: datetime, end: datetime, due: datetime, context: Context
) -> tuple[Position, Entry]:
    position = period_charge(
        subscription,
        start,
        end,
        subscription.period_index,
        context.policy.zone,
        position_id=context.new_id(),
        due=due,
    )
    return position, _accrued(position)


def _accrued(position: Position) -> Entry:
    return Entry(
        kind="position.accrued",
        message=position.description,
        entity=position,
        user_id=position.user_id,
        data={
            "subscription_id": position.subscription_id,
            "kind": position.kind,
            "period_start": position.period_start.isoformat(),
            "period_end": position.period_end.isoformat(),
            "price_minor": position.price_minor,
            "share": f"{position.share_numerator}/{position.share_denominator}",
            "net_minor": position.net_minor,
            "currency": position.currency,
        },
    )


def _end_of(subscription: Subscription) -> datetime:
    assert subscription.period_end is not None, "a period that has begun has an end"
    return subscription.period_end
