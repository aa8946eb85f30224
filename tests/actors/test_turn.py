"""The turn: one commit for a batch, the one at fault found, nothing seen that isn't durable."""

import asyncio
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from decabilld.actors.draft import Bug, Replayed
from decabilld.actors.mailbox import CAPACITY
from decabilld.actors.ports import Batch, Busy, CommitInDoubt, Unavailable
from decabilld.domain.entities import User
from decabilld.domain.refusals import Conflict, IdempotencyMismatch, NotFound
from decabilld.messages.commands import CreateUser, MoveTestClock, UpdateCustomerProfile
from decabilld.store.tenant_store import PostgresTenantStore
from tests.actors.stage import TENANT, Stage, key, new_user, outcomes, profile_of, profiles, tell

NUL = "not\x00storable"


async def test_what_waits_together_is_committed_together(stage: Stage) -> None:
    actor = await stage.actor()
    users = [await new_user(actor, f"user{n}") for n in range(20)]
    before = await stage.commits()
    await asyncio.gather(*(tell(actor, profile_of(user, city=user.email)) for user in users))
    assert await stage.commits() == before + 1
    assert profiles(actor.published()) == {user.id: user.email for user in users}
    assert (await stage.reloaded()).rows == {name: rows for name, rows in actor.published().rows.items() if rows}


async def test_a_later_command_of_a_batch_sees_what_an_earlier_one_decided(stage: Stage) -> None:
    actor = await stage.actor()
    twice = [CreateUser(email=email, password_hash="x") for email in ("anna@example.org", "ANNA@example.org")]
    first, second = await outcomes(*(tell(actor, command) for command in twice))
    assert isinstance(first, User)
    assert isinstance(second, Conflict)


async def test_the_one_command_that_the_database_refuses_fails_alone(stage: Stage) -> None:
    actor = await stage.actor()
    users = [await new_user(actor, f"user{n}") for n in range(16)]
    cities = [NUL if n == 11 else "Leipzig" for n in range(16)]
    answers = await outcomes(
        *(tell(actor, profile_of(user, city=city)) for user, city in zip(users, cities, strict=True))
    )
    assert [n for n, answer in enumerate(answers) if isinstance(answer, Exception)] == [11]
    assert isinstance(answers[11], Bug)
    assert len(profiles(actor.published())) == 15
    assert profiles(await stage.reloaded()) == profiles(actor.published())


async def test_a_bug_in_a_decision_fails_its_own_request_and_leaves_no_trace(stage: Stage) -> None:
    actor = await stage.actor()
    users = [await new_user(actor, f"user{n}") for n in range(4)]
    before = await stage.commits()
    faulty = profile_of(users[0], no_such_field=1)
    answers = await outcomes(tell(actor, faulty), *(tell(actor, profile_of(user, city="Hof")) for user in users[1:]))
    assert isinstance(answers[0], Bug)
    assert profiles(actor.published()) == {user.id: "Hof" for user in users[1:]}
    assert await stage.commits() == before + 1


async def test_a_refusal_is_told_and_writes_nothing(stage: Stage) -> None:
    actor = await stage.actor()
    before = await stage.commits()
    (refused,) = await outcomes(tell(actor, UpdateCustomerProfile(user_id=str(uuid4()), fields={})))
    assert isinstance(refused, NotFound)
    assert await stage.commits() == before


async def test_a_full_mailbox_refuses_and_those_inside_are_served(stage: Stage) -> None:
    actor = await stage.actor()
    user = await new_user(actor)
    answers = await outcomes(*(tell(actor, profile_of(user, city=str(n))) for n in range(CAPACITY + 50)))
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert {type(answer) for answer in refused} == {Busy}
    assert len(refused) == 50
    assert profiles(actor.published()) == {user.id: str(CAPACITY - 1)}


async def test_who_is_gone_before_the_turn_is_not_served(stage: Stage) -> None:
    actor = await stage.actor()
    user = await new_user(actor)
    with psycopg2.connect(stage.dsn) as holder:  # the turn before hangs until this transaction ends
        holder.cursor().execute("SELECT FROM tenant_heads WHERE tenant_id = %s FOR UPDATE", (TENANT,))
        held = asyncio.create_task(tell(actor, profile_of(user, city="first")))
        await asyncio.sleep(0.05)
        gone = asyncio.create_task(tell(actor, profile_of(user, city="gone")))
        late = asyncio.create_task(tell(actor, profile_of(user, city="late"), timeout_seconds=0.01))
        await asyncio.sleep(0.05)
        gone.cancel()
        assert profiles(actor.published()) == {}  # what isn't durable is not seen
    await held
    with pytest.raises(Unavailable) as caught:
        await late
    assert caught.value.outcome_unknown
    await tell(actor, profile_of(user, country="DE"))
    assert profiles(actor.published()) == {user.id: "first"}


async def test_two_owners_at_once_leave_one(stage: Stage) -> None:
    first = await stage.actor()
    user = await new_user(first)
    second = await stage.actor()
    with pytest.raises(Unavailable):
        await tell(first, profile_of(user, city="fenced"))
    await stage.until(lambda: first.fenced)
    with pytest.raises(Unavailable):
        first.published()
    await tell(second, profile_of(user, city="Hof"))
    assert profiles(await stage.reloaded()) == {user.id: "Hof"}
    assert not second.fenced


async def test_a_lost_connection_leaves_the_outcome_open_and_the_actor_loads_anew(stage: Stage) -> None:
    actor = await stage.actor()
    user = await new_user(actor)
    with psycopg2.connect(stage.dsn) as holder:
        holder.cursor().execute("SELECT FROM tenant_heads WHERE tenant_id = %s FOR UPDATE", (TENANT,))
        asked = asyncio.create_task(tell(actor, profile_of(user, city="lost")))
        await asyncio.sleep(0.05)
        waiting = asyncio.create_task(tell(actor, profile_of(user, city="never begun")))
        await asyncio.sleep(0)
        await stage.value(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT advance_head%%' "
            "AND pid <> pg_backend_pid()"
        )
        for task, unknown in ((asked, True), (waiting, False)):
            with pytest.raises(Unavailable) as caught:
                await task
            assert caught.value.outcome_unknown is unknown
    await stage.until(lambda: actor.reason_down is None)
    assert profiles(actor.published()) == profiles(await stage.reloaded()) == {}
    await tell(actor, profile_of(user, city="Hof"))
    assert profiles(actor.published()) == {user.id: "Hof"}


class Doubtful(PostgresTenantStore):
    """Commits, and then loses the answer."""

    doubtful = False

    async def commit(self, batch: Batch) -> None:
        await super().commit(batch)
        if self.doubtful:
            self.doubtful = False
            raise CommitInDoubt("the answer is lost")


async def test_what_was_committed_in_doubt_is_there_after_loading_anew(stage: Stage) -> None:
    store = Doubtful(stage.dsn, TENANT, "5c1f46d4-5b8c-4a9e-9f3e-0a1b2c3d4e5f", stage.pool)
    actor = await stage.actor(store)
    user = await new_user(actor)
    store.doubtful = True
    with pytest.raises(Unavailable) as caught:
        await tell(actor, profile_of(user, city="Hof"))
    assert caught.value.outcome_unknown
    await stage.until(lambda: actor.reason_down is None)
    assert profiles(actor.published()) == {user.id: "Hof"}
    await tell(actor, profile_of(user, city="Ulm"))  # and the chain goes on from the head that was found
    assert await stage.value("SELECT count(*) = max(seq) FROM journal WHERE tenant_id = %s", TENANT)


class Broken(PostgresTenantStore):
    """Fails in a way that nobody foresaw."""

    broken = False

    async def commit(self, batch: Batch) -> None:
        if self.broken:
            self.broken = False
            raise RuntimeError("unforeseen")
        await super().commit(batch)


async def test_an_actor_that_crashes_answers_and_starts_over(stage: Stage) -> None:
    store = Broken(stage.dsn, TENANT, "5c1f46d4-5b8c-4a9e-9f3e-0a1b2c3d4e5f", stage.pool)
    actor = await stage.actor(store)
    user = await new_user(actor)
    store.broken = True
    with pytest.raises(Unavailable):
        await tell(actor, profile_of(user, city="crashed"))
    await stage.until(lambda: actor.reason_down is None)
    await tell(actor, profile_of(user, city="Hof"))
    assert profiles(await stage.reloaded()) == {user.id: "Hof"}


async def test_stopping_serves_who_is_inside_and_nobody_else(stage: Stage) -> None:
    actor = await stage.actor()
    user = await new_user(actor)
    inside = [asyncio.create_task(tell(actor, profile_of(user, city=str(n)))) for n in range(3)]
    await asyncio.sleep(0)
    actor.stop()
    with pytest.raises(Unavailable):
        await tell(actor, profile_of(user, city="late"))
    await asyncio.gather(*inside)
    assert profiles(await stage.reloaded()) == {user.id: "2"}


# --- idempotency keys -------------------------------------------------------------------------------------------------


def sign_up(email: str = "anna@example.org") -> CreateUser:
    return CreateUser(email=email, password_hash="x")


async def test_the_same_key_is_answered_the_same_at_once_later_and_after_a_restart(stage: Stage) -> None:
    actor = await stage.actor()
    first, second = await asyncio.gather(*(tell(actor, sign_up(), idempotency=key("k")) for _ in range(2)))
    assert isinstance(first, Replayed)
    assert first == second
    assert await tell(actor, sign_up(), idempotency=key("k")) == first
    await stage.stop()
    again = await stage.actor()
    assert await tell(again, sign_up(), idempotency=key("k")) == first
    assert len(again.published().all(User)) == 1


async def test_a_key_is_its_callers_and_stands_for_one_request(stage: Stage) -> None:
    actor = await stage.actor()
    await tell(actor, sign_up(), idempotency=key("k"))
    with pytest.raises(IdempotencyMismatch):
        await tell(actor, sign_up("bert@example.org"), idempotency=key("k", "another body"))
    other = await tell(actor, sign_up("carl@example.org"), idempotency=key("k", who="user:other"))
    assert isinstance(other, Replayed)
    assert len(actor.published().all(User)) == 2


async def test_a_refusal_uses_no_key_up(stage: Stage) -> None:
    actor = await stage.actor()
    await new_user(actor)
    for _ in range(2):
        with pytest.raises(Conflict):
            await tell(actor, sign_up(), idempotency=key("k"))
    assert await tell(actor, sign_up("bert@example.org"), idempotency=key("k"))


async def test_keys_are_forgotten_after_a_day(stage: Stage) -> None:
    actor = await stage.actor()
    first = await tell(actor, sign_up(), idempotency=key("k"))
    await stage.value("UPDATE idempotency_answers SET expires_at = now() - interval '1 second' RETURNING 1")
    second = await tell(actor, sign_up("bert@example.org"), idempotency=key("k", "another body"))
    assert second != first
    assert await stage.value("SELECT count(*) FROM idempotency_answers") == 1


async def test_a_key_of_long_work_is_kept_when_the_work_is_done(stage: Stage) -> None:
    actor = await stage.actor()
    there = actor.now().replace(year=actor.now().year + 3, day=1)  # some steps of work away
    first: Any = await tell(actor, MoveTestClock(to=there), idempotency=key("k"), timeout_seconds=30)
    commits = await stage.commits()
    assert await tell(actor, MoveTestClock(to=there), idempotency=key("k")) == first
    assert await stage.commits() == commits
