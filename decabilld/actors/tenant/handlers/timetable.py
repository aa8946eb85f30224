"""The tenant's time: what is due, in which order, and the test clock that walks through it.

One notion of "the next piece of due work" serves both: in real time pieces are decided now; under a test clock each
at the instant it fell due, so that a year passed in one call equals a year of waiting.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from msgspec.structs import replace

from decabilld.actors.tenant.handlers import notices
from decabilld.actors.tenant.handlers.accrual import pass_boundaries
from decabilld.actors.tenant.handlers.backorders import try_due_backorder
from decabilld.actors.tenant.handlers.billing import (
    billing_instant,
    continue_run,
    next_customers,
    start_due_run,
)
from decabilld.actors.tenant.handlers.billing import (
    open_timetable as new_timetable,
)
from decabilld.actors.tenant.indexes import (
    BACKORDERS_DUE,
    INVOICES_DUE,
    REMINDERS_DUE,
    SUBSCRIPTIONS_DUE,
    Index,
    backorder_due,
    due_hour,
    invoice_due,
    reminder_due,
    subscription_due,
)
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import BillingRun, Entity, Id, Invoice, Subscription, Timetable
from decabilld.domain.lifecycle import INVOICE, step
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Invalid
from decabilld.messages.commands import CHANGES_ENOUGH, DoDueWork, MoveTestClock, OpenTimetable
from decabilld.messages.decision import Context, Decision, Entry, HandedOn

E = TypeVar("E", bound=Entity)
LONGEST_WAY = timedelta(days=36_525)
"""Of a test clock in one call: each billing day is a step, and nobody could stop it."""


def open_timetable(state: TenantState, command: OpenTimetable, context: Context) -> Decision:
    """Opens a new tenant's; moves one without subscriptions to the zone that is set now."""
    for known in state.all(Timetable).values():
        moved = replace(known, zone=context.policy.zone.key)
        entry = Entry(kind="tenant.zone_changed", message=f"Billing zone is now {moved.zone}", entity=moved)
        return Decision(changes=(moved,), entries=(entry,))
    timetable = new_timetable(state, context)
    entry = Entry(
        kind="tenant.opened", message="Tenant opened", entity=timetable, data={"billing_zone": timetable.zone}
    )
    return Decision(changes=(timetable,), entries=(entry,))


def do_due_work(state: TenantState, command: DoDueWork, context: Context) -> Decision:
    """One piece of what is due, then a successor for the rest."""
    if command.at_a_time == 1 and command.target is None:
        target = next_target(state, command, context)
        if target is not None:
            return _on(Decision(), replace(command, target=target))
    piece = next_piece(state, command, context)
    if piece is None:
        return Decision()
    return _on(piece, _after(command))


def _after(command: DoDueWork) -> DoDueWork:
    """After one by one for a while, as many as usual again."""
    if command.target is None:
        return command
    left = command.singly_left - 1
    if left > 0:
        return replace(command, target=None, singly_left=left)
    return DoDueWork(kinds=command.kinds, skip=command.skip)


def _on(decision: Decision, successor: DoDueWork | MoveTestClock) -> Decision:
    return replace(decision, reply=HandedOn(), then=(successor,))


def next_target(state: TenantState, command: DoDueWork, context: Context) -> Id | None:
    """The one entity that the next piece would begin with."""
    if _charges_first(command):
        for subscription in _due(state, SUBSCRIPTIONS_DUE, subscription_due, command, context):
            return subscription.id
    if "billing" in command.kinds:
        for run in _live_runs(state):
            for user_id in next_customers(state, run, 1):
                return user_id
    if "overdue" in command.kinds:
        for invoice in _due(state, INVOICES_DUE, invoice_due, command, context):
            return invoice.id
    if "reminders" in command.kinds and context.policy.mail:
        for subscription in _due(state, REMINDERS_DUE, reminder_due, command, context):
            return subscription.id
    if "backorders" in command.kinds:
        for backorder in _due(state, BACKORDERS_DUE, backorder_due, command, context):
            return backorder.id
    return None


def next_piece(state: TenantState, command: DoDueWork, context: Context) -> Decision | None:
    """What comes next of the due work, some at a time; None when nothing is due.

    Order: charges and endings, then billing runs, then invoices past due, reminders of renewals,
    backorders to be tried again.
    """
    if _charges_first(command):
        subscriptions = islice(_due(state, SUBSCRIPTIONS_DUE, subscription_due, command, context), command.at_a_time)
        if passed := _passed(state, subscriptions, context):
            return _joined(passed)
    if "billing" in command.kinds:
        for run in _live_runs(state):
            customers = next_customers(state, run, command.at_a_time)
            return continue_run(state, run, customers, frozenset(command.skip), context)
        if (started := start_due_run(state, context)) is not None:
            return started
    if "overdue" in command.kinds:
        invoices = tuple(islice(_due(state, INVOICES_DUE, invoice_due, command, context), command.at_a_time))
        if invoices:
            return _joined(_become_overdue(state, invoice, context) for invoice in invoices)
    if "reminders" in command.kinds and context.policy.mail:
        renewing = tuple(islice(_due(state, REMINDERS_DUE, reminder_due, command, context), command.at_a_time))
        if renewing:
            return _joined(_remind(state, subscription, context) for subscription in renewing)
    if "backorders" in command.kinds:
        backorders = tuple(islice(_due(state, BACKORDERS_DUE, backorder_due, command, context), command.at_a_time))
        if backorders:
            return _joined(try_due_backorder(state, backorder, context) for backorder in backorders)
    return None


def _passed(state: TenantState, subscriptions: Iterable[Subscription], context: Context) -> list[Decision]:
    """The way of each up to now, until there is enough for one commit."""
    passed: list[Decision] = []
    changes = 0
    for subscription in subscriptions:
        passed.append(pass_boundaries(state, subscription, context))
        changes += len(passed[-1].changes)
        if changes >= CHANGES_ENOUGH:
            break
    return passed


def _charges_first(command: DoDueWork) -> bool:
    """What is billed must be charged before, and nobody is reminded of a period that has begun."""
    return any(kind in command.kinds for kind in ("charges", "billing", "reminders"))


def move_test_clock(state: TenantState, command: MoveTestClock, context: Context) -> Decision:
    """Some steps of the way: the work of each due instant at that instant, then the target itself."""
    if not context.policy.test_clock:
        raise Invalid("The test clock is off; start with TEST_CLOCK=true")
    if command.to < context.now:
        raise Invalid(f"now: the test clock can't go back; it stands at {context.now.isoformat()}")
    if command.to - context.now > LONGEST_WAY:
        raise Invalid(f"now: lies more than {LONGEST_WAY.days} days ahead; move there in steps")
    work, gathered = DoDueWork(), _Gathered(state)
    now = context.now
    while gathered.count < work.at_a_time:
        here = replace(context, now=now)
        piece = next_piece(gathered.state, work, here)
        if piece is not None:
            gathered.add(piece, now)
        elif now == command.to:
            timetable = replace(gathered.state.timetable, test_clock=now)
            gathered.add(Decision(changes=(timetable,)), now)
            return replace(gathered.decision(), reply=timetable)
        else:
            now = min(max(next_instant(gathered.state, context.policy), now), command.to)
            gathered.add(Decision(changes=(replace(gathered.state.timetable, test_clock=now),)), now)
    return _on(gathered.decision(), command)


def next_instant(state: TenantState, policy: BillingPolicy) -> datetime:
    """When something is to be done next: something due, a backorder to be tried, somebody to be reminded."""
    due = next_due_instant(state, policy)
    due = min(due, _earliest_due(state, BACKORDERS_DUE, backorder_due, due))
    return min(due, _earliest_due(state, REMINDERS_DUE, reminder_due, due)) if policy.mail else due


def next_due_instant(state: TenantState, policy: BillingPolicy) -> datetime:
    """When something falls due next, reminders aside; the next billing hour at the latest."""
    following = state.timetable.billing_date_done + timedelta(days=1)
    earliest = billing_instant(following, policy)
    return min(
        earliest,
        _earliest_due(state, SUBSCRIPTIONS_DUE, subscription_due, earliest),
        _earliest_due(state, INVOICES_DUE, invoice_due, earliest),
    )


def _earliest_due(
    state: TenantState, index: Index[E], due_of: Callable[[E], datetime | None], otherwise: datetime
) -> datetime:
    hour = min(state.keys(index), default=None)
    dues = () if hour is None else (due_of(entity) for entity in state.each(index, hour))
    return min((due for due in dues if due is not None), default=otherwise)


def _due(
    state: TenantState,
    index: Index[E],
    due_of: Callable[[E], datetime | None],
    command: DoDueWork,
    context: Context,
) -> Iterator[E]:
    """What is due of an index, bucket by bucket; only the target when there is one."""
    for hour in sorted(key for key in state.keys(index) if key <= due_hour(context.now)):
        for entity in state.each(index, hour):
            due = due_of(entity)
            if due is None or due > context.now or entity.id in command.skip:
                continue
            if command.target in (None, entity.id):
                yield entity


def _live_runs(state: TenantState) -> list[BillingRun]:
    return sorted(state.all(BillingRun).values(), key=lambda run: (run.created_at, run.id))


def _become_overdue(state: TenantState, invoice: Invoice, context: Context) -> Decision:
    overdue = replace(invoice, status=step(INVOICE, invoice.status, "become_overdue"), updated_at=context.now)
    entry = Entry(
        kind="invoice.became_overdue",
        message=f"Invoice {invoice.number} is overdue",
        entity=overdue,
        user_id=invoice.user_id,
        invoice_id=invoice.id,
        data={"balance_minor": invoice.balance_minor, "currency": invoice.currency},
    )
    effects = notices.invoice_overdue(state, overdue, context)
    return Decision(changes=(overdue,), entries=(entry,), effects=effects)


def _remind(state: TenantState, subscription: Subscription, context: Context) -> Decision:
    """Once a period: the next one has its own instant."""
    reminded = replace(subscription, remind_at=None)
    entry = Entry(
        kind="subscription.renewal_reminded",
        message=f"Reminder that {subscription.number} renews",
        entity=reminded,
        user_id=subscription.user_id,
        data={"renews_at": None if subscription.period_end is None else subscription.period_end.isoformat()},
    )
    return Decision(
        changes=(reminded,), entries=(entry,), effects=notices.renewal_reminder(state, subscription, context)
    )


class _Gathered:
    """Several decisions as one, each decided on the state that the one before left."""

    def __init__(self, state: TenantState) -> None:
        self.state, self.count = state, 0
        self._parts: list[Decision] = []

    def add(self, part: Decision, at: datetime) -> None:
        """`at` is the instant that it was decided at."""
        self.state = self.state.with_changes(part.changes)
        self.count += len(part.changes)
        self._parts.append(replace(part, entries=tuple(replace(entry, at=at) for entry in part.entries)))

    def decision(self) -> Decision:
        return _joined(self._parts)


def _joined(parts: Iterable[Decision]) -> Decision:
    parts = tuple(parts)
    return Decision(
        changes=tuple(change for part in parts for change in part.changes),
        entries=tuple(entry for part in parts for entry in part.entries),
        effects=tuple(effect for part in parts for effect in part.effects),
    )
