"""Each lane has its own limit: neither documents nor slow clouds hold up a checkout, nor documents the long work."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec

from decabilld.actors.actor import TenantActor
from decabilld.actors.outbox import AT_A_TIME
from decabilld.actors.ports import Runners
from decabilld.domain.entities import Invoice
from decabilld.ids import new_id
from decabilld.messages.commands import ConfirmCheckoutOpened, ConfirmEffectDone, InitiatePayment
from decabilld.messages.decision import Command
from decabilld.messages.effects import CreateServer, OpenCheckout, RemoveServer, RenderDocument
from tests.actors.stage import Stage, days_pass, subscribed, tell

FAR = datetime(2100, 1, 1, tzinfo=UTC)
WRITE = """
INSERT INTO outbox (tenant_id, id, kind, lane, cause, payload, due_at, attempts, created_at)
VALUES ('acme', %s, %s, %s, 'test', %s, '2020-01-01Z', 0, now()) RETURNING 1"""


class Outside:
    """Makes documents once `open`, and notes whether the actor was at long work when it was asked to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.asked = self.at_long_work = 0
        self.servers: Counter[str] = Counter()
        self.actor: TenantActor | None = None

    @property
    def runners(self) -> Runners:
        return {
            RenderDocument: self.render,
            OpenCheckout: self.checkout,
            CreateServer: self.serve,
            RemoveServer: self.serve,
        }

    async def render(self, tenant_id: str, effect: Any) -> Command:
        self.asked += 1
        self.at_long_work += self.actor is not None and self.actor.at_long_work
        await self.open.wait()
        return ConfirmEffectDone()

    async def serve(self, tenant_id: str, effect: Any) -> Command:
        self.servers[type(effect).__name__] += 1
        await self.open.wait()
        return ConfirmEffectDone()

    async def checkout(self, tenant_id: str, effect: Any) -> Command:
        return ConfirmCheckoutOpened(
            attempt_id=effect.id, session_id="cs_1", checkout_url="https://pay", expires_at=FAR
        )


async def test_a_checkout_is_opened_while_documents_wait(stage: Stage) -> None:
    outside = Outside()
    actor = await stage.actor(runners=outside.runners)
    await subscribed(actor, *(f"customer-{number}" for number in range(AT_A_TIME["prompt"] + 4)), days=2)
    await days_pass(actor, 40)
    await stage.until(lambda: outside.asked == AT_A_TIME["documents"])
    assert await stage.value("SELECT count(*) FROM outbox") > AT_A_TIME["prompt"]
    invoice = next(iter(actor.published().all(Invoice).values()))
    attempt = await tell(actor, InitiatePayment(user_id=invoice.user_id, invoice_id=invoice.id), timeout_seconds=3)
    assert attempt.checkout_url == "https://pay"
    assert outside.asked == AT_A_TIME["documents"]


async def test_a_checkout_is_opened_and_a_document_made_while_a_slow_cloud_is_asked(stage: Stage) -> None:
    outside = Outside()
    actor = await stage.actor(runners=outside.runners)
    await subscribed(actor, "anna", days=2)
    await days_pass(actor, 40)
    invoice = next(iter(actor.published().all(Invoice).values()))
    documents = await stage.value("SELECT count(*) FROM outbox")
    half = AT_A_TIME["servers"]
    for number in range(2 * half):
        kind = RemoveServer if number % 2 else CreateServer
        effect = kind(id=new_id(), item_id=new_id(), subscription_id=new_id(), user_id=new_id())
        payload = msgspec.json.encode(effect).decode()
        await stage.value(WRITE, effect.id, kind.__name__, kind.lane, payload)
    actor.on_effects()
    await stage.until(lambda: outside.servers.total() == half)
    attempt = await tell(actor, InitiatePayment(user_id=invoice.user_id, invoice_id=invoice.id), timeout_seconds=3)
    assert attempt.checkout_url == "https://pay"
    assert outside.servers.total() == half
    assert outside.asked == min(documents, AT_A_TIME["documents"])
    outside.open.set()
    async with asyncio.timeout(10):
        while await stage.value("SELECT count(*) FROM outbox"):  # noqa: ASYNC110 - as a watcher would
            await asyncio.sleep(0.02)
    assert outside.servers == {"CreateServer": half, "RemoveServer": half}


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
