"""What a billing run would issue, decided on a fork of a tenant's state: nothing is written, nobody waits for it.

The fork is walked through time as the test clock does, by the tenant's own handlers, so that a preview can't differ
from what then happens. Other work gets its turn between the pieces.
"""

import asyncio
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from decabilld.actors.tenant.handlers.billing import Billing
from decabilld.actors.tenant.handlers.timetable import next_due_instant, next_piece
from decabilld.actors.tenant.indexes import (
    POSITIONS_OF_USER,
    PROFILE_OF_USER,
    SUBSCRIPTIONS_OF_USER,
    USAGE_OF_SUBSCRIPTION,
)
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import BillingRun, Entity, Id, Invoice, RunError, User
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Invalid, NotFound, Refusal
from decabilld.ids import new_id
from decabilld.messages.commands import DoDueWork
from decabilld.messages.decision import Context

AT_A_TIME = 50
CHANGES_MAX = 50_000
CUSTOMERS_MAX = 5_000
_ON_THE_WAY = DoDueWork(at_a_time=AT_A_TIME)
_ON_ARRIVAL = DoDueWork(kinds=("charges",), at_a_time=AT_A_TIME)


class Preview(Struct, frozen=True, kw_only=True):
    """`errors` are the customers who have something to be billed, but can't be invoiced."""

    invoices: tuple[Invoice, ...]
    errors: tuple[RunError, ...]


async def preview(
    state: TenantState, *, now: datetime, at: datetime, only_user_id: Id | None, policy: BillingPolicy
) -> Preview:
    """The invoices that a run over every customer (or one) at `at` would issue, after the billing days until then.

    Raises Invalid for an instant before `now`, and for what takes too much work; NotFound for an unknown user.
    """
    if at < now:
        raise Invalid(f"at: lies in the past; it is {now.isoformat()}")
    context = Context(
        tenant_id=state.tenant_id,
        now=now,
        wall=now,
        policy=replace(policy, mail=False),
        new_id=new_id,
        who="preview",
        cause="preview",
    )
    fork = state if only_user_id is None else _only_of(state, only_user_id)
    return await _billed(await _walked(fork, at, context), replace(context, now=at))


async def _walked(state: TenantState, at: datetime, context: Context) -> TenantState:
    """The state at `at`, before the billing of that instant."""
    now, changes = context.now, 0
    while True:
        work = _ON_ARRIVAL if now == at else _ON_THE_WAY
        piece = next_piece(state, work, replace(context, now=now))
        if piece is not None:
            state = state.with_changes(piece.changes).published()
            changes += len(piece.changes)
        elif now == at:
            return state
        else:
            now = min(max(next_due_instant(state, context.policy), now), at)
            changes += 1
        if changes > CHANGES_MAX:
            raise Invalid("Too much happens until then; ask for one customer (userId) or an earlier instant (at)")
        await asyncio.sleep(0)


async def _billed(state: TenantState, context: Context) -> Preview:
    customers = sorted(state.keys(POSITIONS_OF_USER))
    if len(customers) > CUSTOMERS_MAX:
        raise Invalid(f"More than {CUSTOMERS_MAX} customers have something to be billed; ask for one (userId)")
    billing = Billing(state, context)
    errors: list[RunError] = []
    for number, user_id in enumerate(customers):
        try:
            billing.bill_customer(user_id, "bill_now")
        except Refusal as refusal:
            errors.append(RunError(user_id=user_id, message=refusal.message))
        if number % AT_A_TIME == 0:
            await asyncio.sleep(0)
    invoices = tuple(change for change in billing.changes if isinstance(change, Invoice))
    return Preview(invoices=invoices, errors=tuple(errors))


def _only_of(state: TenantState, user_id: Id) -> TenantState:
    """As if there were no other customer: all that the billing of one looks at."""
    user = state.get(User, user_id)
    if user is None:
        raise NotFound("User")
    subscriptions = state.find(SUBSCRIPTIONS_OF_USER, user_id)
    kept: list[Entity] = [
        state.timetable,
        user,
        *state.each(PROFILE_OF_USER, user_id),
        *subscriptions,
        *state.each(POSITIONS_OF_USER, user_id),
        *state.all(BillingRun).values(),
    ]
    for subscription in subscriptions:
        usage = state.find(USAGE_OF_SUBSCRIPTION, subscription.id)
        kept.extend(usage)
    return TenantState(tenant_id=state.tenant_id).with_changes(kept)
