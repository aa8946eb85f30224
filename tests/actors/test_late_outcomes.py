"""Outcomes that come twice, since an effect may run twice, are acted on once; those that come late are waited for."""

from zoneinfo import ZoneInfo

import pytest

from decabilld.actors.tenant.dispatch import decide
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import AttemptStatus, Entity, PaymentAttempt, ServerStep
from decabilld.domain.policy import BillingPolicy
from decabilld.ids import new_id
from decabilld.messages.commands import (
    ConfirmCheckoutFailed,
    ConfirmNamePublished,
    ConfirmServerAddress,
    ConfirmServerCreated,
    ConfirmServerRefused,
    ConfirmServerRemoved,
    ConfirmSwitched,
)
from decabilld.messages.decision import Command, Context, Decision, Effect
from decabilld.messages.server_effects import AwaitAddress, CreateServer, PublishName
from tests.store import samples

ANNA = samples.user()
PLAN = samples.plan()


def decided(command: Command, *known: Entity) -> Decision:
    policy = BillingPolicy(zone=ZoneInfo("UTC"), online_payment=True)
    context = Context(
        tenant_id="t", now=samples.NOW, wall=samples.NOW, policy=policy, new_id=new_id, who="outbox", cause="test"
    )
    return decide(TenantState(tenant_id="t").with_changes([ANNA, PLAN, *known]), command, context)


@pytest.mark.parametrize(
    ("kind", "said", "steps"),
    [
        (ConfirmServerCreated, {"server_id": "1", "public_ip": "203.0.113.7"}, ("create",)),
        (ConfirmServerAddress, {"server_id": "1", "public_ip": "203.0.113.7"}, ("await_address",)),
        (ConfirmNamePublished, {}, ("publish_name",)),
        (ConfirmServerRefused, {"step": "create", "reason": "sold out", "no_capacity": True}, ("create",)),
        (ConfirmServerRefused, {"step": "await_address", "reason": "gone", "no_capacity": True}, ("await_address",)),
        (ConfirmSwitched, {"power": "stop"}, ("switch",)),
        (ConfirmServerRemoved, {}, ("remove",)),
    ],
)
@pytest.mark.parametrize("step", ["create", "await_address", "publish_name", "switch", "remove", None])
def test_what_is_not_under_way_has_no_outcome(
    kind: type[Command], said: dict[str, object], steps: tuple[str, ...], step: ServerStep | None
) -> None:
    bought = samples.subscription(ANNA, PLAN, awaits_server=True, cancel_effective_at=None)
    item = samples.item(bought, step=step, provisioning_status="pending")
    decision = decided(kind(item_id=item.id, subscription_id=bought.id, **said), bought, item)
    assert bool(decision.changes) == (step in steps)
    assert bool(decision.changes or decision.entries or decision.effects) == (step in steps)


@pytest.mark.parametrize("status", ["open", "processing", "paid", "expired", "failed"])
def test_an_attempt_that_has_got_further_did_not_fail_to_open(status: AttemptStatus) -> None:
    attempt = PaymentAttempt(
        id=new_id(), invoice_id=new_id(), user_id=ANNA.id, amount_minor=1190, currency="EUR", status=status,
        created_at=samples.NOW, updated_at=samples.NOW,
    )  # fmt: skip
    late = ConfirmCheckoutFailed(attempt_id=attempt.id, reason="no answer", in_doubt=True)
    assert decided(late, attempt) == Decision(reply=attempt)


@pytest.mark.parametrize("kind", [CreateServer, AwaitAddress, PublishName])
def test_no_order_ends_since_a_provider_is_away_for_half_an_hour(kind: type[Effect]) -> None:
    pauses = (min(2.0**attempt, kind.pause_seconds_max) for attempt in range(1, kind.attempts_max))
    assert 0.8 * sum(pauses) > 1_800
