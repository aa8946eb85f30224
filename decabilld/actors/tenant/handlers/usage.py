"""Metered use: each record is billed exactly once, whenever it comes (BILLING, "Charges")."""

from msgspec.structs import replace

from decabilld.actors.tenant.handlers.accrual import charge_usage
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.charges import usage_cost_minor
from decabilld.domain.entities import Subscription, UsageRecord
from decabilld.domain.refusals import Invalid, NotFound
from decabilld.messages.commands import RecordUsage
from decabilld.messages.decision import Context, Decision, Entry

YEARS = range(1970, 3000)
"""Others are mistakes; at the calendar's own ends a record could be neither named in local days nor billed."""


def record_usage(state: TenantState, command: RecordUsage, context: Context) -> Decision:
    """Kept for the charge that it goes with; after the last charge it becomes a position at once. Twice is once."""
    subscription = state.get(Subscription, command.subscription_id)
    if subscription is None:
        raise NotFound("Subscription")
    known = state.get(UsageRecord, command.record_id)
    if known is not None:
        return Decision(reply=known)
    if subscription.terms.bill_in_advance:
        raise Invalid("A subscription that is billed in advance takes no usage")
    if subscription.anchor is None:
        raise Invalid("The subscription has not begun")
    if subscription.awaits_server:
        raise Invalid("The subscription's server is not there yet")
    if command.period_end < command.period_start:
        raise Invalid("periodEnd: lies before periodStart")
    if command.period_start.year < YEARS.start or command.period_end.year >= YEARS.stop:
        raise Invalid(f"periodStart, periodEnd: must lie in the years {YEARS.start} to {YEARS.stop - 1}")
    record = UsageRecord(
        id=command.record_id,
        subscription_id=subscription.id,
        period_start=command.period_start,
        period_end=command.period_end,
        payload=command.payload,
        digest=command.digest,
        cost_minor=usage_cost_minor(command.payload, subscription.terms.currency),
        recorded_at=context.now,
    )
    entry = Entry(
        kind="usage.recorded",
        message=f"Usage of {subscription.number} recorded",
        entity=record,
        user_id=subscription.user_id,
        data={"subscription_id": subscription.id, "cost_minor": record.cost_minor, "digest": record.digest},
    )
    if subscription.live:
        return Decision(reply=record, changes=(record,), entries=(entry,))
    position, accrued = charge_usage(subscription, record, context.now, context)
    billed = replace(record, position_id=position.id)
    return Decision(reply=billed, changes=(billed, position), entries=(entry, accrued))
