"""What is well-formed and can't be meant: refused where it comes in, not met later by what must go on."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from decabilld.actors.tenant.dispatch import decide
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Entity, Timetable
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Invalid
from decabilld.ids import new_id
from decabilld.messages.commands import MoveTestClock, RecordUsage, UpdateServiceType
from decabilld.messages.decision import Command, Context, Decision
from tests.domain.builders import BERLIN
from tests.store import samples

BOUGHT = samples.subscription(samples.user(), samples.plan())


def decided(command: Command, *known: Entity, zone: ZoneInfo = BERLIN) -> Decision:
    policy = BillingPolicy(zone=zone, test_clock=True, providers=frozenset({"hetzner"}))
    context = Context(
        tenant_id="t", now=samples.NOW, wall=samples.NOW, policy=policy, new_id=new_id, who="api-key", cause="test"
    )
    return decide(TenantState(tenant_id="t").with_changes(known), command, context)


@pytest.mark.parametrize(
    ("start", "zone"),
    [(datetime(9999, 12, 31, 23, 30, tzinfo=UTC), BERLIN), (datetime.min.replace(tzinfo=UTC), ZoneInfo("Asia/Tokyo"))],
)
def test_usage_at_the_ends_of_the_calendar(start: datetime, zone: ZoneInfo) -> None:
    """It would have kept its subscription from being charged, billed and ended."""
    record = RecordUsage(
        subscription_id=BOUGHT.id, period_start=start, period_end=start + timedelta(minutes=1), payload={},
        digest="d", record_id=new_id(),
    )  # fmt: skip
    with pytest.raises(Invalid, match="1970 to 2999"):
        decided(record, BOUGHT, zone=zone)


def test_a_test_clock_that_would_walk_for_hours() -> None:
    clock = Timetable(id=new_id(), billing_date_done=samples.NOW.date(), zone="UTC", test_clock=samples.NOW)
    with pytest.raises(Invalid, match="move there in steps"):
        decided(MoveTestClock(to=datetime(9999, 12, 31, tzinfo=UTC)), clock)


def test_a_schema_without_the_locations_that_a_plan_lets_customers_choose_from() -> None:
    schema = {"properties": {"location": {"type": "string", "enum": ["fsn1"]}}}
    kind = samples.service_type(provider="hetzner", config_schema=schema)
    plan = samples.plan(kind, allow_customer_location_selection=True)
    with pytest.raises(Invalid, match="enum"):
        decided(UpdateServiceType(service_type_id=kind.id, fields={"config_schema": {}}), kind, plan)
    assert decided(UpdateServiceType(service_type_id=kind.id, fields={"name": "Cloud"}), kind, plan).changes
