"""A piece of long work is what one commit can take, also after an outage that left hundreds of charges to each."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from decabilld.actors.tenant.handlers.accrual import BOUNDARIES_MAX
from decabilld.actors.tenant.handlers.timetable import next_piece
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Entity, Invoice, Position, Timetable
from decabilld.domain.policy import BillingPolicy
from decabilld.ids import new_id
from decabilld.messages.commands import CHANGES_ENOUGH, DoDueWork
from decabilld.messages.decision import Context
from tests.domain.builders import at, plan_terms
from tests.store import samples

CUSTOMERS, HOURS = 9, 960
ORDERED = at("2026-01-10 12:00")
BACK = ORDERED + timedelta(hours=HOURS)


def hourly(number: int) -> list[Entity]:
    """A customer with a plan that was charged last when it was ordered."""
    user = samples.user(billing_day=12)
    complete = {"email": "anna@example.org", "address_line1": "Weg 7", "city": "Berlin"}
    bought = samples.subscription(
        user, samples.plan(), number=f"SUB-{number:06d}", terms=plan_terms("hour"), anchor=ORDERED, period_index=0,
        period_start=ORDERED, period_end=ORDERED + timedelta(hours=1), charged_through=ORDERED,
        cancel_effective_at=None,
    )  # fmt: skip
    return [user, samples.profile(user, **complete), bought]


def test_forty_days_of_hours_are_made_up_in_pieces_that_a_commit_can_take() -> None:
    policy = BillingPolicy(zone=ZoneInfo("UTC"), issuer=samples.PARTY)
    context = Context(tenant_id="t", now=BACK, wall=BACK, policy=policy, new_id=new_id, who="job:start", cause="test")
    timetable = Timetable(id=new_id(), billing_date_done=ORDERED.date(), zone="UTC")
    state = TenantState(tenant_id="t").with_changes([timetable, *(one for n in range(CUSTOMERS) for one in hourly(n))])
    written: list[Entity] = []
    largest = 0
    while (piece := next_piece(state, DoDueWork(), context)) is not None:
        state = state.with_changes(piece.changes).published()
        written += piece.changes
        largest = max(largest, len(piece.changes))
    assert largest <= CHANGES_ENOUGH + BOUNDARIES_MAX + 2
    charged = [one for one in written if isinstance(one, Position) and one.closed_at is None]
    assert len(charged) == CUSTOMERS * HOURS
    assert [len(one.lines) for one in written if isinstance(one, Invoice)] == [HOURS] * CUSTOMERS
