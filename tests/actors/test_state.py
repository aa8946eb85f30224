"""The state's one `put`: whatever was put in whatever batches, indexes and tallies are those of a state built anew."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from decabilld.actors.tenant.indexes import (
    POSITIONS_OF_USER,
    SUBSCRIPTIONS_DUE,
    SUBSCRIPTIONS_OF_PLAN,
    SUBSCRIPTIONS_OF_USER,
    Index,
)
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Entity, Position, Subscription
from tests.store import samples

MOMENT = datetime(2024, 3, 1, tzinfo=UTC)
BUYERS = [samples.user() for _ in range(2)]
PLAN = samples.plan()
SUBSCRIPTIONS = [samples.subscription(BUYERS[n % 2], PLAN) for n in range(24)]
POSITIONS = [samples.position(SUBSCRIPTIONS[n]) for n in range(24)]

WATCHED: tuple[Index[Any], ...] = (
    SUBSCRIPTIONS_OF_USER,
    SUBSCRIPTIONS_OF_PLAN,
    SUBSCRIPTIONS_DUE,
    POSITIONS_OF_USER,
)

subscriptions = st.builds(
    lambda which, status, hours: replace(
        SUBSCRIPTIONS[which], status=status, period_end=MOMENT + timedelta(hours=hours), cancel_effective_at=None
    ),
    st.integers(0, 23),
    st.sampled_from(("active", "active", "pending_cancel", "canceled")),
    st.integers(0, 3),
)
positions = st.builds(
    lambda which, closed: replace(POSITIONS[which], closed_at=MOMENT if closed else None),
    st.integers(0, 23),
    st.booleans(),
)
batches = st.lists(st.lists(st.one_of(subscriptions, positions), max_size=40), max_size=8)


def shown(state: TenantState) -> dict[str, Any]:
    buckets = {
        index.name: {key: sorted(entity.id for entity in state.each(index, key)) for key in state.keys(index)}
        for index in WATCHED
    }
    counts = {name: {key: len(ids) for key, ids in found.items()} for name, found in buckets.items()}
    assert counts["subscriptions_of_user"] == {
        key: state.count(SUBSCRIPTIONS_OF_USER, key) for key in state.keys(SUBSCRIPTIONS_OF_USER)
    }
    return {
        "rows": {kind.table: dict(state.all(kind)) for kind in (Subscription, Position)},
        "buckets": buckets,
        "active": state.tally("subscriptions_active"),
        "unbilled": state.tally("unbilled_minor:EUR"),
    }


@settings(max_examples=150, deadline=None)
@given(batches)
def test_any_batches_lead_to_the_state_built_anew(changes: list[list[Entity]]) -> None:
    state = TenantState(tenant_id="acme")
    last: dict[str, Entity] = {}
    for batch in changes:
        state = state.with_changes(batch).published()
        last.update({entity.id: entity for entity in batch})
    anew = TenantState(tenant_id="acme").with_changes(entity for entity in last.values() if entity.live)
    assert shown(state) == shown(anew)


def test_a_subscription_that_ends_is_counted_once_however_often_it_is_put() -> None:
    subscription = SUBSCRIPTIONS[0]
    ended = replace(subscription, status="canceled")
    state = TenantState(tenant_id="acme").with_changes([subscription]).with_changes([ended, ended])
    assert state.ended[subscription.user_id] == 1
    assert state.with_changes([ended]).ended[subscription.user_id] == 1
    loaded = state.published().with_loaded([ended]).with_changes([ended])
    assert loaded.ended[subscription.user_id] == 1


def test_a_state_that_was_left_is_not_changed() -> None:
    before = TenantState(tenant_id="acme").with_changes([SUBSCRIPTIONS[0]])
    kept = shown(before)
    before.with_changes([replace(SUBSCRIPTIONS[0], status="canceled"), SUBSCRIPTIONS[1]])
    assert shown(before) == kept


@given(st.sets(st.integers(0, 23), min_size=1))
@settings(max_examples=30, deadline=None)
def test_what_is_removed_leaves_no_trace(gone: set[int]) -> None:
    everything = TenantState(tenant_id="t").with_changes([*SUBSCRIPTIONS, *POSITIONS])
    removed = [POSITIONS[n] for n in gone]
    kept = [position for position in POSITIONS if position not in removed]
    after = everything.with_changes([], removed)
    assert shown(after) == shown(TenantState(tenant_id="t").with_changes([*SUBSCRIPTIONS, *kept]))
    assert all(after.get(Position, position.id) is None for position in removed)
