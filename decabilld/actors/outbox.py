"""Runs a tenant's effects: at least once, some at a time, again with growing pauses, from the database after a restart.

Owns when an effect runs. What it does is its runner's; what its outcome means is decided by the actor like anything.
Each effect has its lane, and each lane its limit: a billing run leaves thousands of documents and notices, a cloud may
take half a minute for each answer, and nobody's checkout may wait for either. Documents wait for the end of long work,
too; who asks for one gets it at once anyway.
"""

import asyncio
import random
import re
import time
from collections import Counter
from datetime import datetime, timedelta

import msgspec
import structlog
from msgspec.structs import replace

from decabilld.actors.actor import TenantActor
from decabilld.actors.draft import Bug
from decabilld.actors.mailbox import Postponed, Settled
from decabilld.actors.ports import Busy, GivenUp, OutboxRow, Runners, TenantStore, Unavailable
from decabilld.actors.watch import Attempt, Attempted, Unwatched, Watch
from decabilld.clock import Clock
from decabilld.domain.refusals import Refusal
from decabilld.messages.commands import ConfirmEffectDone, GiveUpEffect
from decabilld.messages.decision import Command, Lane
from decabilld.messages.effects import AnyEffect, decode_effect
from decabilld.tasks import spawn

AT_A_TIME: dict[Lane, int] = {"prompt": 16, "servers": 16, "backorders": 4, "documents": 4}
HELD_BACK_SECONDS = 0.5
EFFECT_SECONDS = 120.0
IDLE_SECONDS = 30.0
REPORT_SECONDS = 120.0
"""Nobody waits for an outcome to be kept; and an effect whose outcome is given up too early runs twice."""
_ADDRESS = re.compile(r"[^\s<>\"'()]+@[^\s<>\"'()]+")
_log = structlog.get_logger("outbox")


class Outbox:
    """One tenant's effects, up to `AT_A_TIME` of each lane; documents only while the actor is at no long work."""

    def __init__(
        self, actor: TenantActor, store: TenantStore, runners: Runners, clock: Clock, watch: Watch | None = None
    ) -> None:
        self._actor, self._store, self._runners, self._clock = actor, store, runners, clock
        self._watch = watch or Unwatched()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._taken: Counter[str] = Counter()
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
                async with asyncio.timeout(pause):
                    await self._wanted.wait()
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
        if self._actor.reason_down is not None:
            return IDLE_SECONDS
        held_back = self._actor.at_long_work
        longest = HELD_BACK_SECONDS if held_back else IDLE_SECONDS
        now = self._clock()
        if room := self._room(held_back=held_back):
            for row in await self._store.due_effects(now, room, list(self._under_way)):
                self._start(row)
        if not (still_open := list(self._room(held_back=held_back))):
            return longest
        following = await self._store.next_effect_at(still_open, list(self._under_way))
        return longest if following is None else min(max((following - now).total_seconds(), 0.05), longest)

    def _room(self, *, held_back: bool) -> dict[str, int]:
        """How many more may be started, for each lane where any may."""
        room = {lane: most - self._taken[lane] for lane, most in AT_A_TIME.items()}
        return {lane: more for lane, more in room.items() if more > 0 and not (held_back and lane == "documents")}

    def _start(self, row: OutboxRow) -> None:
        task = spawn(self._run(row), name=f"effect {row.kind} {row.id}")
        self._under_way[row.id] = task
        self._taken[row.lane] += 1
        task.add_done_callback(lambda _: self._finished(row))

    def _finished(self, row: OutboxRow) -> None:
        del self._under_way[row.id]
        self._taken[row.lane] -= 1
        self._wanted.set()

    async def _run(self, row: OutboxRow) -> None:
        # Whatever is logged on the way belongs to what wanted the effect.
        structlog.contextvars.bind_contextvars(tenant=self._actor.tenant_id, correlation_id=row.cause)
        began = time.perf_counter()
        how, outcome, settles = await self._attempted(row)
        self._watch.attempted(
            Attempt(tenant_id=self._actor.tenant_id, row=row, outcome=how, began=began, ended=time.perf_counter())
        )
        try:
            await self._report(row, outcome, settles)
        except (Refusal, Bug) as error:
            await self._report_undecided(row, settles, error)

    async def _attempted(self, row: OutboxRow) -> tuple[Attempted, Command, Settled | Postponed]:
        """One attempt: how it ended, and what is to be told of it."""
        try:
            effect = decode_effect(row.payload)
        except msgspec.ValidationError as error:
            return "given_up", *_given_up(row, _said(f"not understood by this version: {error}"), self._clock())
        try:
            async with asyncio.timeout(EFFECT_SECONDS):
                outcome = await self._runners[type(effect)](self._actor.tenant_id, effect)
        except GivenUp as refused:
            reason = _said(str(refused))
            _log.error("effect_refused", effect=row.kind, id=row.id, reason=reason)
            return "given_up", *_given_up(row, reason, self._clock())
        except Exception as error:  # noqa: BLE001 (whatever an outsider does wrong: logged and tried again)
            return self._postponed(row, effect, error)
        return "done", outcome, Settled(row.id)

    def _postponed(
        self, row: OutboxRow, effect: AnyEffect, error: Exception
    ) -> tuple[Attempted, Command, Settled | Postponed]:
        reason = _said(f"{type(error).__name__}: {error}")
        attempts = row.attempts + 1
        _log.warning("effect_failed", effect=row.kind, id=row.id, attempts=attempts, reason=reason)
        if attempts >= effect.attempts_max:
            return "given_up", *_given_up(row, reason, self._clock())
        pause = min(2.0 ** min(attempts, 30), effect.pause_seconds_max) * random.uniform(0.8, 1.2)  # noqa: S311 (jitter, not a secret)
        due_at = self._clock() + timedelta(seconds=pause)
        again = replace(row, attempts=attempts, last_error=reason, due_at=due_at)
        return "failed", ConfirmEffectDone(), Postponed(again)

    async def _report(self, row: OutboxRow, outcome: Command, settles: Settled | Postponed) -> None:
        """Said again while the actor surely hasn't heard it: run again instead, the effect might mail somebody twice.

        Where it may have been heard, the row tells: if that still stands, the effect runs again, safe by its id.
        Raises the actor's Refusal or Bug.
        """
        told = False
        while True:
            try:
                await self._actor.ask(
                    outcome, who="outbox", cause=row.cause, settles=settles, timeout_seconds=REPORT_SECONDS
                )
                return
            except (Busy, Unavailable) as error:
                if not told:
                    reason = f"{type(error).__name__}: {error}"
                    _log.warning("effect_outcome_not_kept", effect=row.kind, id=row.id, reason=reason)
                told = True
                await asyncio.sleep(1.0)
                unknown = isinstance(error, Unavailable) and error.outcome_unknown
                if unknown or self._stopping or self._actor.fenced:
                    return

    async def _report_undecided(self, row: OutboxRow, settles: Settled | Postponed, error: Exception) -> None:
        """The outcome can't be decided: as if the attempt had failed, so that its pauses grow and it has an end."""
        outcome: Command = ConfirmEffectDone()
        if isinstance(settles, Settled):
            _, outcome, settles = self._postponed(row, decode_effect(row.payload), error)
        try:
            await self._report(row, outcome, settles)
        except (Refusal, Bug):
            await self._report(row, ConfirmEffectDone(), settles)


def _said(reason: str) -> str:
    """An outsider's words as they may be kept: without addresses, which are personal data and the journal keeps for
    ever, and without what PostgreSQL can't store."""
    storable = reason.encode(errors="replace").decode().replace("\0", "")
    return _ADDRESS.sub("<address>", storable)[:500]


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
