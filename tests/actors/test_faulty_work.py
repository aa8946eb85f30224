"""Due work with one faulty among many: it alone is left out, by bug or by the database's refusal, and is noted."""

from datetime import UTC, datetime, timedelta

import pytest

from decabilld.actors.actor import TenantActor
from decabilld.domain.entities import BillingRun, Id, Invoice, Position
from decabilld.messages.commands import DoDueWork, StartBillNow
from tests.actors.stage import Stage, subscribed, tell

NAMES = [f"customer{n}" for n in range(7)]


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """In March 2024, on the 5th: no billing day comes before April."""
    stage.clock.ahead = datetime(2024, 3, 5, 12, tzinfo=UTC) - datetime.now(UTC)
    return stage


async def charged(stage: Stage) -> set[Id]:
    """Subscriptions that have a charge."""
    return set(await stage.value("SELECT coalesce(array_agg(DISTINCT subscription_id::text), '{}') FROM positions"))


async def work(actor: TenantActor) -> None:
    await tell(actor, DoDueWork(kinds=("charges",)), timeout_seconds=30)


async def test_a_subscription_that_the_database_refuses_stops_no_other(stage: Stage) -> None:
    actor = await stage.actor()
    subscriptions = await subscribed(actor, *NAMES)
    faulty = subscriptions[3]
    # A charge of the same period that memory doesn't know of: the second wall holds.
    await stage.value(
        "INSERT INTO positions SELECT tenant_id, gen_random_uuid(), user_id, id, plan_id, 'period', '', anchor, "
        "period_end, 'x', 1, 'EUR', 'standard', 1, 1, 1, NULL, NULL, now() FROM subscriptions WHERE id = %s "
        "RETURNING 1",
        faulty.id,
    )
    stage.clock.ahead += timedelta(days=1, hours=1)
    await work(actor)
    assert len(actor.published().all(Position)) == 6
    assert await charged(stage) == {subscription.id for subscription in subscriptions}
    assert await stage.value("SELECT count(*) FROM positions WHERE subscription_id = %s", faulty.id) == 1
    commits = await stage.commits()
    await work(actor)  # again at the next tick, again in vain, and nothing else happens
    assert await stage.commits() == commits


async def test_a_subscription_with_a_bug_stops_no_other(stage: Stage) -> None:
    actor = await stage.actor()
    subscriptions = await subscribed(actor, *NAMES)
    faulty = subscriptions[5]
    await stage.stop()
    # Charged up to before it began: what no rule of ours can lead to.
    await stage.value(
        "UPDATE subscriptions SET charged_through = anchor - interval '1 year' WHERE id = %s RETURNING 1", faulty.id
    )
    again = await stage.actor()
    stage.clock.ahead += timedelta(days=1, hours=1)
    await work(again)
    assert await charged(stage) == {subscription.id for subscription in subscriptions} - {faulty.id}


async def test_a_customer_who_can_not_be_billed_is_noted_and_stops_no_other(stage: Stage) -> None:
    actor = await stage.actor()
    subscriptions = await subscribed(actor, *NAMES, days=2)
    stage.clock.ahead += timedelta(days=1)
    await tell(actor, DoDueWork())  # their billing day passes
    stage.clock.ahead += timedelta(days=1, hours=1)
    await work(actor)
    faulty = subscriptions[2]
    before = len(actor.published().all(Position))
    await stage.stop()
    # An amount whose gross no column can hold.
    await stage.value(
        "UPDATE positions SET net_minor = %s WHERE subscription_id = %s RETURNING 1", 2**63 - 1, faulty.id
    )
    again = await stage.actor()
    run = await tell(again, StartBillNow())
    await stage.until(lambda: again.published().get(BillingRun, run.id) is None)
    (error,) = await stage.value("SELECT errors FROM billing_runs WHERE id = %s", run.id)
    assert error == {"user_id": faulty.user_id, "message": "Internal error; the log says more"}
    assert await stage.value("SELECT array[done, failed, invoices] FROM billing_runs WHERE id = %s", run.id) == [
        7,
        1,
        6,
    ]
    invoices = again.published().all(Invoice).values()
    assert sorted(invoice.user_id for invoice in invoices) == sorted(
        subscription.user_id for subscription in subscriptions if subscription.id != faulty.id
    )
    assert len(again.published().all(Position)) == before - 6
    numbers = sorted(invoice.number or "" for invoice in invoices)
    assert [number[-5:] for number in numbers] == [f"{n:05d}" for n in range(1, 7)]


async def test_overdue_invoices_are_found_beside_faulty_charges(stage: Stage) -> None:
    actor = await stage.actor()
    (subscription, *_) = await subscribed(actor, "anna", "bert", days=2)
    stage.clock.ahead += timedelta(days=2, hours=1)
    await work(actor)
    await tell(actor, StartBillNow())
    await stage.until(lambda: len(actor.published().all(Invoice)) == 2)
    await stage.stop()
    await stage.value(
        "UPDATE subscriptions SET charged_through = anchor - interval '1 year' WHERE id = %s RETURNING 1",
        subscription.id,
    )
    again = await stage.actor()
    stage.clock.ahead += timedelta(days=31)
    await tell(again, DoDueWork(kinds=("overdue",)), timeout_seconds=30)
    await tell(again, DoDueWork(kinds=("overdue",), at_a_time=1, singly_left=300), timeout_seconds=30)
    statuses = {invoice.status for invoice in again.published().all(Invoice).values()}
    assert statuses == {"overdue"}


async def test_a_customer_with_more_than_a_commit_can_take_is_noted_and_stops_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("decabilld.actors.actor.LARGE_COMMIT", 1)
    actor = await stage.actor()
    subscriptions = await subscribed(actor, *NAMES, days=2)
    stage.clock.ahead += timedelta(days=2, hours=1)
    await work(actor)
    faulty = subscriptions[4]
    # What the database says when the time is up.
    await stage.value(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION USING ERRCODE = 'query_canceled'; END$$; "
        f"CREATE TRIGGER late BEFORE UPDATE ON positions FOR EACH ROW WHEN (NEW.user_id = '{faulty.user_id}') "
        "EXECUTE FUNCTION late(); SELECT 1"
    )
    run = await tell(actor, StartBillNow())
    await stage.until(lambda: actor.published().get(BillingRun, run.id) is None)
    (error,) = await stage.value("SELECT errors FROM billing_runs WHERE id = %s", run.id)
    assert error["user_id"] == faulty.user_id
    assert len(actor.published().all(Invoice)) == 6
