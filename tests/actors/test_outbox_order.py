"""Documents go last: they hold up neither a checkout nor the long work that they come from."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from decabilld.actors.actor import TenantActor
from decabilld.actors.outbox import AT_A_TIME, LAST_AT_A_TIME
from decabilld.actors.ports import Runners
from decabilld.domain.entities import Invoice
from decabilld.messages.commands import ConfirmCheckoutOpened, ConfirmEffectDone, InitiatePayment
from decabilld.messages.decision import Command
from decabilld.messages.effects import OpenCheckout, RenderDocument
from tests.actors.stage import Stage, days_pass, subscribed, tell

FAR = datetime(2100, 1, 1, tzinfo=UTC)


class Outside:
    """Makes documents once `open`, and notes whether the actor was at long work when it was asked to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.asked = self.at_long_work = 0
        self.actor: TenantActor | None = None

    @property
    def runners(self) -> Runners:
        return {RenderDocument: self.render, OpenCheckout: self.checkout}

    async def render(self, tenant_id: str, effect: Any) -> Command:
        self.asked += 1
        self.at_long_work += self.actor is not None and self.actor.at_long_work
        await self.open.wait()
        return ConfirmEffectDone()

    async def checkout(self, tenant_id: str, effect: Any) -> Command:
        return ConfirmCheckoutOpened(
            attempt_id=effect.id, session_id="cs_1", checkout_url="https://pay", expires_at=FAR
        )


async def test_a_checkout_is_opened_while_documents_wait(stage: Stage) -> None:
    outside = Outside()
    actor = await stage.actor(runners=outside.runners)
    await subscribed(actor, *(f"customer-{number}" for number in range(AT_A_TIME + 4)), days=2)
    await days_pass(actor, 40)
    await stage.until(lambda: outside.asked == LAST_AT_A_TIME)
    assert await stage.value("SELECT count(*) FROM outbox") > AT_A_TIME
    invoice = next(iter(actor.published().all(Invoice).values()))
    attempt = await tell(actor, InitiatePayment(user_id=invoice.user_id, invoice_id=invoice.id), timeout_seconds=3)
    assert attempt.checkout_url == "https://pay"
    assert outside.asked == LAST_AT_A_TIME


async def test_documents_wait_for_the_end_of_long_work_and_are_then_all_made(stage: Stage) -> None:
    outside = Outside()
    outside.open.set()
    actor = outside.actor = await stage.actor(runners=outside.runners)
    await subscribed(actor, *(f"customer-{number}" for number in range(40)))
    await days_pass(actor, 150)
    issued = await stage.value("SELECT count(*) FROM invoices")
    assert issued >= 40
    async with asyncio.timeout(10):
        while await stage.value("SELECT count(*) FROM outbox"):  # noqa: ASYNC110 - as a watcher would
            await asyncio.sleep(0.05)
    assert (outside.asked, outside.at_long_work) == (issued, 0)
