"""A tenant's actor: the only one to change that tenant. Owns the loop and the turn; what to decide is `tenant/`'s.

A turn drains the mailbox into a batch, decides it on a draft, commits the draft in one round trip, and only then
publishes the state, answers and starts effects. See DESIGN: "The turn, in detail".
"""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

import structlog

from decabilld.actors.draft import Bug, Draft, Outcome, instead_of, now_of
from decabilld.actors.mailbox import Envelope, Mailbox, Postponed, Settled
from decabilld.actors.ports import (
    CommitInDoubt,
    CommitRefused,
    CommitTooSlow,
    Fenced,
    Head,
    IdempotencyKey,
    StoredAnswer,
    TenantStore,
    Unavailable,
)
from decabilld.actors.tenant.dispatch import catch_up, due_since, opening_commands
from decabilld.actors.tenant.state import TenantState
from decabilld.actors.watch import Turn, Unwatched, Watch
from decabilld.clock import Clock
from decabilld.domain.entities import Entity, Id
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Refusal
from decabilld.ids import new_id
from decabilld.messages.decision import Command, Deferred
from decabilld.tasks import to_the_end

BATCH_MAX = 256
ASK_SECONDS = 10.0
LARGE_COMMIT = 20_000
"""Rows. If one of so many takes too long it is not the database that is slow: it would never go through."""
LOAD_PAGE = 2_000
RESTART_SECONDS_MIN, RESTART_SECONDS_MAX = 0.05, 1.0
_log = structlog.get_logger("actor")


class TenantActor:
    """One tenant's loop. `run` supervises itself until it is stopped or fenced."""

    def __init__(
        self,
        tenant_id: str,
        store: TenantStore,
        *,
        clock: Clock,
        policy: BillingPolicy,
        on_effects: Callable[[], None] = lambda: None,
        watch: Watch | None = None,
    ) -> None:
        self.tenant_id = tenant_id
        self.policy = policy
        self.on_effects = on_effects
        self.reason_down: str | None = "loading"
        self.fenced = False
        self.refused: str | None = None
        """Why the settings don't fit this tenant; it will not load before they do."""
        self.at_long_work = False
        self.turns = 0
        """Batches done since the beginning: as long as it grows, the loop isn't stuck."""
        self._store, self._clock, self._watch = store, clock, watch or Unwatched()
        self._mailbox = Mailbox()
        self._state = TenantState(tenant_id=tenant_id)
        self._head = Head(n=0, seq=0, digest="")
        self._waiting: dict[Id, list[Envelope]] = {}
        self._in_flight: Sequence[Envelope] = ()
        self._stopping = False
        self._claimed = False
        self._wall = clock()

    # --- for callers ---

    @property
    def mailbox_depth(self) -> int:
        return len(self._mailbox)

    @property
    def journal_seq(self) -> int:
        """The number of the journal's last entry."""
        return self._head.seq

    def published(self) -> TenantState:
        """The durable state. Raises Unavailable while it is not loaded."""
        if self.reason_down is not None:
            raise Unavailable(self.reason_down)
        return self._state

    def now(self) -> datetime:
        """The tenant's time."""
        return now_of(self.published(), self._wall_now())

    def late_by(self) -> timedelta:
        """How long the oldest due work waits; negative if none is due."""
        return self.now() - due_since(self.published(), self.policy)

    async def ask(
        self,
        command: Command,
        *,
        who: str,
        cause: str,
        timeout_seconds: float = ASK_SECONDS,
        idempotency: IdempotencyKey | None = None,
        settles: Settled | Postponed | None = None,
    ) -> object:
        """The command's reply, once it is durable. Raises its Refusal, Busy, Unavailable, or Bug."""
        self.published()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()
        envelope = Envelope(
            command,
            who=who,
            cause=cause,
            future=future,
            deadline=loop.time() + timeout_seconds,
            idempotency=idempotency,
            settles=settles,
        )
        self._mailbox.offer(envelope)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await future
        except TimeoutError:
            raise Unavailable("no answer in time", outcome_unknown=True) from None

    # --- the loop ---

    async def run(self) -> None:
        """Load, then turn after turn. A failure loads anew with growing pauses; fenced, it ends for good."""
        pause, told = RESTART_SECONDS_MIN, ""
        while not self._stopping:
            try:
                await self._start()
                pause = RESTART_SECONDS_MIN
                while len(self._mailbox) or not self._stopping:
                    self._in_flight = await self._mailbox.drain(BATCH_MAX)
                    await self._turn(self._in_flight)
                    self._in_flight = ()
                    self.turns += 1
            except Fenced:
                self.fenced = True
                self._fail_all("another process owns this tenant now", outcome_unknown=False)
                _log.error("tenant_fenced", tenant=self.tenant_id)
                break
            except (CommitInDoubt, Unavailable) as error:
                self._fail_all("database unavailable", outcome_unknown=isinstance(error, CommitInDoubt))
                reason = str(error)
                log = _log.debug if reason == told else _log.warning  # a long outage is told once
                log("tenant_restarts", tenant=self.tenant_id, reason=reason, pause_seconds=pause)
                told = reason
            except Refusal as refusal:
                self.refused = str(refusal)
                self._fail_all(self.refused, outcome_unknown=False)
                _log.error("tenant_refused_to_start", tenant=self.tenant_id, reason=self.refused)
                break
            except Exception:  # noqa: BLE001 (a bug in the loop itself: logged, and the tenant starts over)
                self._fail_all("internal error", outcome_unknown=True)
                _log.exception("tenant_crashed", tenant=self.tenant_id, pause_seconds=pause)
            await self._pause(pause)
            pause = min(pause * 2, RESTART_SECONDS_MAX)
        self._fail_all("stopping", outcome_unknown=False)
        await self._store.close()

    def stop(self) -> None:
        """Take no more requests, finish those that are there, then let `run` end."""
        self._stopping = True
        self.reason_down = "stopping"
        self._mailbox.wake()

    async def _pause(self, seconds: float) -> None:
        """Wait before loading anew, unless it is time to stop."""
        if not self._stopping:
            await asyncio.sleep(seconds)

    async def _start(self) -> None:
        self._head = await (self._store.reclaim() if self._claimed else self._store.claim())
        self._claimed = True
        state = self._state = await self._load()
        for command in opening_commands(state, self.policy):
            await self._turn([Envelope(command, who="job:start", cause=new_id())])
        self._mailbox.push(Envelope(catch_up(), who="job:start", cause=new_id()))
        if not self._stopping:
            self.reason_down = None
        _log.info("tenant_loaded", tenant=self.tenant_id, commits=self._head.n, journal_seq=self._head.seq)
        self.on_effects()

    async def _load(self) -> TenantState:
        # The collector would look at it all again and again as it grows: most of the time that loading took. Of
        # several tenants that load at once the first to finish turns it on again; that is only slower.
        gc.disable()
        try:
            entities, ended = await self._store.load_live()
            state = TenantState(tenant_id=self.tenant_id).with_ended_counts(ended)
            for page in _pages(entities):
                state = state.with_changes(page)
                await asyncio.sleep(0)  # other tenants share this loop
            return state
        finally:
            gc.enable()

    # --- the turn ---

    async def _turn(self, envelopes: Sequence[Envelope]) -> None:
        """Decide and commit a batch. Raises Fenced, CommitInDoubt or Unavailable, with nothing published."""
        loop_now = asyncio.get_running_loop().time()
        wanted = [envelope for envelope in envelopes if not envelope.abandoned(loop_now)]
        if not wanted:
            return
        began = time.perf_counter()
        draft = await self._draft(wanted)
        for envelope in wanted:
            draft.take(envelope)
        decided = time.perf_counter()
        if not draft.empty:
            batch = draft.batch()
            try:
                # A commit under way is never cancelled: its outcome would be unknown for no reason.
                await to_the_end(self._store.commit(batch), name=f"commit {self.tenant_id}")
            except CommitRefused as refused:
                await self._halve(wanted, refused)
                return
            except CommitTooSlow as late:
                if len(batch.entities) < LARGE_COMMIT:
                    raise
                await self._without_long_work(wanted, late)
                return
            self._head = batch.head
        committed = time.perf_counter()
        self._publish(draft)
        self._watch.turned(
            Turn(
                tenant_id=self.tenant_id,
                envelopes=wanted,
                began=began,
                decided=decided,
                committed=committed,
                ended=time.perf_counter(),
                written=not draft.empty,
            )
        )

    async def _draft(self, envelopes: Sequence[Envelope]) -> Draft:
        state = self._state
        needs = {
            need: None
            for envelope in envelopes
            for need in envelope.command.needs()
            if state.get(need[0], need[1]) is None
        }
        if needs:
            state = state.with_loaded(await self._store.load(needs))
        keys = [(e.idempotency.who, e.idempotency.key) for e in envelopes if e.idempotency is not None]
        answers: list[StoredAnswer] = await self._store.load_answers(keys) if keys else []
        return Draft(
            state, self._head, wall=self._wall_now(), policy=self.policy, answers=answers, waiting=self._waiting
        )

    async def _halve(self, envelopes: Sequence[Envelope], refused: CommitRefused) -> None:
        """Nothing happened: find the one at fault by halves; it alone fails."""
        if len(envelopes) == 1:
            envelope = envelopes[0]
            _log.error(
                "commit_refused",
                tenant=self.tenant_id,
                command=type(envelope.command).__name__,
                correlation_id=envelope.cause,
                reason=str(refused),
                constraint=refused.constraint,
            )
            if (instead := instead_of(envelope)) is not None:
                self._mailbox.push(instead)
            else:
                envelope.fail(Bug())
            return
        middle = len(envelopes) // 2
        await self._turn(envelopes[:middle])
        await self._turn(envelopes[middle:])

    async def _without_long_work(self, envelopes: Sequence[Envelope], late: CommitTooSlow) -> None:
        """Nothing happened: long work is tried in smaller pieces, requests without it. Raises `late` without any."""
        requests = []
        for envelope in envelopes:
            if (instead := instead_of(envelope)) is not None:
                self._mailbox.push(instead)
            else:
                requests.append(envelope)
        if len(requests) == len(envelopes):
            raise late
        _log.error("commit_too_slow", tenant=self.tenant_id, reason=str(late))
        await self._turn(requests)

    def _publish(self, draft: Draft) -> None:
        self._state = draft.state.published()
        self.at_long_work = bool(draft.successors)
        for envelope in draft.successors:
            if self._stopping:  # long work ends here; what is left of it is due again after the start
                envelope.fail(Unavailable("stopping", outcome_unknown=True))
            else:
                self._mailbox.push(envelope)
        for outcome in draft.outcomes:
            self._answer(outcome)
        if draft.wants_effects:
            self.on_effects()

    def _answer(self, outcome: Outcome) -> None:
        envelope, reply = outcome.envelope, outcome.reply
        if outcome.error is not None:
            envelope.fail(outcome.error)
            return
        if isinstance(reply, Deferred):
            if envelope.future is not None:
                self._waiting.setdefault(reply.effect_id, []).append(envelope)
            return
        waiting: Sequence[Envelope] = (envelope,)
        if envelope.settles is not None:
            # The outbox has told its outcome and needs no answer but that it is kept.
            envelope.answer(None)
            waiting = self._waiting.pop(envelope.settles.answered_id or "", ())
        for waiter in waiting:
            if isinstance(reply, Refusal):
                waiter.fail(reply)
            else:
                waiter.answer(reply)

    def _fail_all(self, reason: str, *, outcome_unknown: bool) -> None:
        self.reason_down = reason
        self.at_long_work = False
        for envelope in self._in_flight:
            envelope.fail(Unavailable(reason, outcome_unknown=outcome_unknown))
        self._in_flight = ()
        for waiters in self._waiting.values():
            for envelope in waiters:
                envelope.fail(Unavailable(reason, outcome_unknown=True))
        self._waiting.clear()
        for envelope in self._mailbox.take(len(self._mailbox)):
            envelope.fail(Unavailable(reason))

    def _wall_now(self) -> datetime:
        """Real time, never earlier than it was: a clock set back must not reorder what happened."""
        self._wall = max(self._wall, self._clock())
        return self._wall


def _pages(entities: Iterable[Entity]) -> Iterator[list[Entity]]:
    iterator = iter(entities)
    while page := list(islice(iterator, LOAD_PAGE)):
        yield page
