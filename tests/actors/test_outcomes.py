"""Outcomes of effects: kept once, however busy the actor is; never told in words that the journal may not keep."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from decabilld.actors.draft import Replayed
from decabilld.actors.ports import GivenUp, Unavailable
from decabilld.domain.refusals import IdempotencyMismatch
from decabilld.messages.commands import ConfirmSwitched, CreateUser, SwitchItem
from decabilld.messages.decision import Command
from decabilld.messages.effects import RenderDocument, SwitchServer
from tests.actors.stage import Stage, days_pass, key, subscribed, tell
from tests.actors.test_outbox import Outside, done
from tests.store import samples


async def test_an_effect_runs_once_though_its_outcome_comes_while_the_mailbox_is_full(stage: Stage) -> None:
    outside = Outside()
    actor = await stage.actor(runners=outside.runners)
    outside.open.clear()
    await subscribed(actor, "anna", days=2)
    await days_pass(actor, 40)
    await stage.until(lambda: outside.asked)
    mailbox = actor._mailbox
    capacity, mailbox._capacity = mailbox._capacity, 0
    outside.open.set()
    await asyncio.sleep(1.5)
    mailbox._capacity = capacity
    await done(stage)
    assert len(outside.asked) == len(set(outside.asked)) == await stage.value("SELECT count(*) FROM invoices")


async def test_an_outcome_that_cannot_be_decided_is_tried_again_after_pauses_and_has_an_end(stage: Stage) -> None:
    asked = 0

    async def absurd(tenant_id: str, effect: Any) -> Command:
        nonlocal asked
        asked += 1
        return CreateUser(email="anna@example.org", password_hash="x")  # a Conflict, always

    actor = await stage.actor(runners={RenderDocument: absurd})
    await subscribed(actor, "anna")
    await days_pass(actor, 32)
    async with asyncio.timeout(8):
        while not await stage.value("SELECT max(attempts) FROM outbox"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    asked_by_then = asked
    await asyncio.sleep(0.5)
    assert asked == asked_by_then
    async with asyncio.timeout(15):
        while not await stage.value("SELECT count(*) FROM outbox WHERE failed_at IS NOT NULL"):
            stage.clock.ahead += timedelta(hours=2)
            actor.on_effects()
            await asyncio.sleep(0.05)
    assert await stage.value("SELECT count(*) FROM journal WHERE kind = 'effect.given_up'") >= 1


async def test_what_an_outsider_says_is_kept_without_addresses_and_without_what_cannot_be_stored(stage: Stage) -> None:
    async def refused(tenant_id: str, effect: Any) -> Command:
        raise GivenUp("550 5.1.1 <anna@example.org>: user\0 unknown \udce4 (to anna@example.org)")

    actor = await stage.actor(runners={RenderDocument: refused})
    await subscribed(actor, "anna", days=2)
    await days_pass(actor, 40)
    async with asyncio.timeout(8):
        while await stage.value("SELECT count(*) FROM outbox WHERE failed_at IS NULL"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    said = await stage.value("SELECT message FROM journal WHERE kind = 'effect.given_up' LIMIT 1")
    assert said == "RenderDocument was given up: 550 5.1.1 <<address>>: user unknown ? (to <address>)"


async def test_a_key_of_a_request_that_waits_for_an_effect_stands_for_one_effect_too(stage: Stage) -> None:
    """For what is asked meanwhile, and for what is asked again after its caller was gone before the outcome came."""
    switched = 0
    open_again = asyncio.Event()

    async def switch(tenant_id: str, effect: Any) -> Command:
        nonlocal switched
        switched += 1
        await open_again.wait()
        return ConfirmSwitched(item_id=effect.item_id, subscription_id=effect.subscription_id, power=effect.power)

    actor = await stage.actor()
    (bought,) = await subscribed(actor, "anna")
    await stage.stop()
    item = samples.item(bought, step=None, service_type_id=None)
    store = stage.store()
    await store.commit(samples.batch(await store.claim(), [item]))
    await store.close()
    actor = await stage.actor(runners={SwitchServer: switch})
    restart = SwitchItem(user_id=bought.user_id, subscription_id=bought.id, item_id=item.id, power="restart")
    with pytest.raises(Unavailable):
        await tell(actor, restart, idempotency=key("k"), timeout_seconds=0.2)
    twice = [asyncio.create_task(tell(actor, restart, idempotency=key("k"))) for _ in range(2)]
    with pytest.raises(IdempotencyMismatch):
        await tell(actor, restart, idempotency=key("k", "another body"))
    open_again.set()
    assert [done.id for done in await asyncio.gather(*twice)] == [item.id, item.id]  # type: ignore[attr-defined]
    again = await tell(actor, restart, idempotency=key("k"))
    assert again == Replayed(201, f'{{"id":"{item.id}"}}'.encode())
    assert switched == 1
