"""Runs a tenant's effects: at least once, some at a time, again with growing pauses, from the database after a restart.

Owns when an effect runs. What it does is its runner's; what its outcome means is decided by the actor like anything.
Documents and notices go last: a billing run leaves thousands, and neither the run nor somebody's checkout may wait for
them; who asks for a document gets it at once anyway.
"""

import asyncio
import random
from datetime import datetime, timedelta

import msgspec
import structlog
from msgspec.structs import replace

from decabilld.actors.actor import TenantActor
from decabilld.actors.draft import Bug
from decabilld.actors.mailbox import Postponed, Settled
from decabilld.actors.ports import Busy, GivenUp, OutboxRow, Runners, TenantStore, Unavailable
from decabilld.clock import Clock
from decabilld.domain.refusals import Refusal
from decabilld.ids import new_id
from decabilld.messages.commands import ConfirmEffectDone, GiveUpEffect
from decabilld.messages.decision import Command
from decabilld.messages.effects import AnyEffect, MailDocument, RenderDocument, SendNotice, decode_effect
from decabilld.tasks import spawn

AT_A_TIME, LAST_AT_A_TIME = 16, 4
LAST = tuple(kind.__name__ for kind in (RenderDocument, MailDocument, SendNotice))
"""As the index `outbox_due_before_documents` names them."""
HELD_BACK_SECONDS = 0.5
EFFECT_SECONDS = 120.0
IDLE_SECONDS = 30.0
_log = structlog.get_logger("outbox")


class Outbox:
    """One tenant's effects, up to `AT_A_TIME` under way; those of `LAST` only while the actor is at no long work."""

    def __init__(self, actor: TenantActor, store: TenantStore, runners: Runners, clock: Clock) -> None:
        self._actor, self._store, self._runners, self._clock = actor, store, runners, clock
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._last: set[str] = set()
        self._wanted = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """There may be something to do."""
        self._wanted.set()

    async def run(self) -> None:
        """Until stopped. A database that is away is waited for."""
        while not self._stopping:
            self._wanted.clear()
            try:
                pause = await self._start_due()
            except Unavailable:
                pause = 1.0
            try:
                await asyncio.wait_for(self._wanted.wait(), pause)
            except TimeoutError:
                continue

    async def stop(self, seconds: float) -> None:
        """Start nothing more; give what is under way some time, then leave it to the next start."""
        self._stopping = True
        self._wanted.set()
        if self._under_way:
            _, pending = await asyncio.wait(self._under_way.values(), timeout=seconds)
            for task in pending:
                task.cancel()

    async def _start_due(self) -> float:
        """Start what is due and there is room for; seconds until there may be more."""
        room = AT_A_TIME - len(self._under_way)
        if room <= 0 or self._actor.reason_down is not None:
            return IDLE_SECONDS
        now = self._clock()
        rows = await self._store.due_effects(now, room, list(self._under_way), without=LAST)
        self._start(rows)
        if len(rows) == room:
            return IDLE_SECONDS
        held_back = self._actor.at_long_work
        room_for_last = 0 if held_back else min(room - len(rows), LAST_AT_A_TIME - len(self._last))
        if room_for_last > 0:
            last = await self._store.due_effects(now, room_for_last, list(self._under_way))
            self._start(last)
            room_for_last -= len(last)
        longest = HELD_BACK_SECONDS if held_back else IDLE_SECONDS
        following = await self._store.next_effect_at(list(self._under_way), without=() if room_for_last > 0 else LAST)
        return longest if following is None else min(max((following - now).total_seconds(), 0.05), longest)

    def _start(self, rows: list[OutboxRow]) -> None:
        for row in rows:
            task = spawn(self._run(row), name=f"effect {row.kind} {row.id}")
            self._under_way[row.id] = task
            if row.kind in LAST:
                self._last.add(row.id)
            task.add_done_callback(lambda _, effect_id=row.id: self._finished(effect_id))  # type: ignore[misc]

    def _finished(self, effect_id: str) -> None:
        self._under_way.pop(effect_id, None)
        self._last.discard(effect_id)
        self._wanted.set()

    async def _run(self, row: OutboxRow) -> None:
        try:
            effect = decode_effect(row.payload)
        except msgspec.ValidationError as error:
            await self._report(row, *_given_up(row, f"not understood by this version: {error}", self._clock()))
            return
        try:
            outcome = await asyncio.wait_for(self._runners[type(effect)](self._actor.tenant_id, effect), EFFECT_SECONDS)
        except GivenUp as refused:
            _log.error("effect_refused", tenant=self._actor.tenant_id, effect=row.kind, id=row.id, reason=str(refused))
            await self._report(row, *_given_up(row, str(refused)[:500], self._clock()))
        except Exception as error:  # noqa: BLE001 (whatever an outsider does wrong: logged and tried again)
            await self._postpone(row, effect, error)
        else:
            await self._report(row, outcome, Settled(row.id))

    async def _postpone(self, row: OutboxRow, effect: AnyEffect, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"[:500]
        attempts = row.attempts + 1
        _log.warning("effect_failed", tenant=self._actor.tenant_id, effect=row.kind, id=row.id, attempts=attempts,
                     reason=reason)  # fmt: skip
        if attempts >= effect.attempts_max:
            await self._report(row, *_given_up(row, reason, self._clock()))
            return
        pause = min(2.0 ** min(attempts, 30), effect.pause_seconds_max) * random.uniform(0.8, 1.2)  # noqa: S311 (jitter, not a secret)
        due_at = self._clock() + timedelta(seconds=pause)
        again = replace(row, attempts=attempts, last_error=reason, due_at=due_at)
        await self._report(row, ConfirmEffectDone(), Postponed(again))

    async def _report(self, row: OutboxRow, outcome: Command, settles: Settled | Postponed) -> None:
        try:
            await self._actor.ask(outcome, who="outbox", cause=new_id(), settles=settles)
        except (Busy, Unavailable, Refusal, Bug) as error:
            # The row still stands, so the effect runs again: effects are safe to repeat by their id.
            reason = f"{type(error).__name__}: {error}"
            _log.warning("effect_outcome_not_kept", effect=row.kind, id=row.id, reason=reason)
            await asyncio.sleep(1.0)


def _given_up(row: OutboxRow, reason: str, now: datetime) -> tuple[GiveUpEffect, Postponed]:
    concerned = msgspec.json.decode(row.payload)
    command = GiveUpEffect(
        effect_id=row.id,
        effect_kind=row.kind,
        reason=reason,
        invoice_id=concerned.get("invoice_id"),
        user_id=concerned.get("user_id"),
        item_id=concerned.get("item_id"),
        subscription_id=concerned.get("subscription_id"),
    )
    return command, Postponed(replace(row, attempts=row.attempts + 1, last_error=reason, failed_at=now))
