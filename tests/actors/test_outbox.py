"""Effects: at least once, again after failures and restarts, given up for all to see, their outcomes just commands."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from decabilld.actors.actor import TenantActor
from decabilld.actors.ports import Runners
from decabilld.domain.entities import Invoice, PaymentAttempt
from decabilld.domain.refusals import PaymentProviderFailed
from decabilld.messages.commands import (
    ConfirmCheckoutFailed,
    ConfirmCheckoutOpened,
    ConfirmEffectDone,
    InitiatePayment,
)
from decabilld.messages.decision import Command
from decabilld.messages.effects import OpenCheckout, RenderDocument
from tests.actors.stage import Stage, days_pass, subscribed, tell

FAR = datetime(2100, 1, 1, tzinfo=UTC)
OPEN_ROWS = "SELECT count(*) FROM outbox WHERE failed_at IS NULL"


class Outside:
    """An outsider that fails as often as it is told, and remembers what it was asked to do."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failures = 0
        self.open = asyncio.Event()
        self.open.set()

    @property
    def runners(self) -> Runners:
        return {RenderDocument: self.run, OpenCheckout: self.run}

    async def run(self, tenant_id: str, effect: Any) -> Command:
        self.asked.append(effect.id)
        await self.open.wait()
        if self.failures:
            self.failures -= 1
            raise ConnectionError("away")
        if isinstance(effect, RenderDocument):
            return ConfirmEffectDone()
        return ConfirmCheckoutOpened(
            attempt_id=effect.id, session_id="cs_1", checkout_url="https://pay", expires_at=FAR
        )


async def an_invoice(actor: TenantActor) -> Invoice:
    """Of a customer, the first of some."""
    await subscribed(actor, "anna", days=2)
    await days_pass(actor, 40)
    return next(iter(actor.published().all(Invoice).values()))


async def done(stage: Stage) -> None:
    async with asyncio.timeout(10):
        while await stage.value(OPEN_ROWS):  # noqa: ASYNC110 - as a watcher would
            await asyncio.sleep(0.01)


async def test_an_effect_runs_once_and_leaves_no_row(stage: Stage) -> None:
    outside = Outside()
    actor = await stage.actor(runners=outside.runners)
    await an_invoice(actor)
    await done(stage)
    issued = await stage.value("SELECT count(*) FROM invoices")
    assert issued > 0
    assert len(outside.asked) == len(set(outside.asked)) == issued
    assert await stage.value("SELECT count(*) FROM outbox") == 0


async def test_an_effect_that_fails_is_tried_again_after_a_pause(stage: Stage) -> None:
    outside = Outside()
    outside.failures = 1
    actor = await stage.actor(runners=outside.runners)
    await an_invoice(actor)
    await stage.until(lambda: outside.failures == 0)
    async with asyncio.timeout(5):
        while not await stage.value("SELECT max(attempts) FROM outbox"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    pause = await stage.value("SELECT extract(epoch FROM due_at - now())::float FROM outbox WHERE attempts = 1")
    assert 0.5 < pause < 2.5
    assert await stage.value("SELECT last_error FROM outbox WHERE attempts = 1") == "ConnectionError: away"
    await done(stage)
    assert len(outside.asked) == len(set(outside.asked)) + 1


async def test_effects_that_were_under_way_are_resumed_after_a_restart(stage: Stage) -> None:
    outside = Outside()
    outside.open.clear()
    actor = await stage.actor(runners=outside.runners)
    await an_invoice(actor)
    await stage.until(lambda: outside.asked)
    await stage.stop()
    assert await stage.value(OPEN_ROWS) > 0
    outside.open.set()
    await stage.actor(runners=outside.runners)
    await done(stage)
    issued = await stage.value("SELECT count(*) FROM invoices")
    assert len(set(outside.asked)) == issued


async def test_an_effect_given_up_is_in_the_journal_and_told_to_who_waits(stage: Stage) -> None:
    outside = Outside()
    actor = await stage.actor(runners=outside.runners)
    invoice = await an_invoice(actor)
    await done(stage)
    outside.failures = OpenCheckout.attempts_max
    pay = InitiatePayment(user_id=invoice.user_id, invoice_id=invoice.id)
    waiting = asyncio.create_task(tell(actor, pay, timeout_seconds=20, cause="payment-17"))
    async with asyncio.timeout(15):
        while outside.failures:
            await asyncio.sleep(0.05)
            stage.clock.ahead += timedelta(seconds=1)
            actor.on_effects()
    with pytest.raises(PaymentProviderFailed, match="away"):
        await waiting
    assert await stage.value("SELECT attempts FROM outbox WHERE failed_at IS NOT NULL") == OpenCheckout.attempts_max
    assert await stage.value("SELECT count(*) FROM journal WHERE kind = 'effect.given_up'") == 1
    # Asked again, it is the same attempt, under the same key.
    attempt = await tell(actor, pay)
    assert attempt.checkout_url == "https://pay"
    # What became of the effect is kept under the correlation id of the request that wanted it.
    assert await stage.value("SELECT cause FROM journal WHERE kind = 'effect.given_up'") == "payment-17"
    assert len(actor.published().all(PaymentAttempt)) == 1
    assert await stage.value("SELECT count(*) FROM outbox") == 0


async def test_everybody_who_asked_gets_the_outcome(stage: Stage) -> None:
    outside = Outside()
    actor = await stage.actor(runners=outside.runners)
    invoice = await an_invoice(actor)
    await done(stage)
    outside.open.clear()
    pay = InitiatePayment(user_id=invoice.user_id, invoice_id=invoice.id)
    asked = [asyncio.create_task(tell(actor, pay)) for _ in range(3)]
    await stage.until(lambda: actor.published().all(PaymentAttempt))
    asked.append(asyncio.create_task(tell(actor, pay)))
    await asyncio.sleep(0.02)
    assert not any(task.done() for task in asked)
    outside.open.set()
    attempts = await asyncio.gather(*asked)
    assert {attempt.checkout_url for attempt in attempts} == {"https://pay"}
    assert len({attempt.id for attempt in attempts}) == 1


async def test_a_refusal_as_outcome_is_kept_and_told(stage: Stage) -> None:
    async def refuse(tenant_id: str, effect: Any) -> Command:
        return ConfirmCheckoutFailed(attempt_id=effect.id, reason="no money for that")

    outside = Outside()
    actor = await stage.actor(runners={**outside.runners, OpenCheckout: refuse})
    invoice = await an_invoice(actor)
    with pytest.raises(PaymentProviderFailed, match="no money for that"):
        await tell(actor, InitiatePayment(user_id=invoice.user_id, invoice_id=invoice.id))
    await done(stage)
    assert await stage.value("SELECT status FROM payment_attempts") == "failed"
    assert not actor.published().all(PaymentAttempt)
