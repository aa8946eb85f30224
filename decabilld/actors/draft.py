"""One batch in the making: decides command after command on a state that nobody sees yet, and gathers what to write.

Pure but for the log line of a bug. A draft that isn't committed is dropped, and nothing of it has happened.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from decabilld.actors.mailbox import Envelope, Postponed, Settled
from decabilld.actors.ports import Batch, Head, IdempotencyKey, OutboxRow, StoredAnswer
from decabilld.actors.tenant.dispatch import decide
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Entity, Id, Timetable
from decabilld.domain.journal import JournalRow, digest_of
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import IdempotencyMismatch, Refusal
from decabilld.ids import new_id
from decabilld.messages.decision import Context, Decision, Deferred, Entry, HandedOn

IDEMPOTENCY_KEPT = timedelta(hours=24)
_log = structlog.get_logger("actor")


class Bug(Exception):
    """A handler failed in a way it may not; the caller is told no more than that."""


class Replayed(Struct, frozen=True):
    """The reply to a repeated idempotency key: what was answered the first time."""

    status: int
    body: bytes


class Outcome(Struct, frozen=True):
    """What to tell the sender of an envelope once the batch is committed."""

    envelope: Envelope
    reply: object = None
    error: Exception | None = None


class Draft:
    """Gathers the decisions of one batch over a published state. `waiting`: whoever waits for an effect's outcome."""

    def __init__(
        self,
        state: TenantState,
        head: Head,
        *,
        wall: datetime,
        policy: BillingPolicy,
        answers: list[StoredAnswer],
        waiting: Mapping[Id, Sequence[Envelope]],
    ) -> None:
        self.state, self.policy = state, policy
        self._wall, self._head, self._expected = wall, head, head
        self._entities: dict[tuple[str, Id], Entity] = {}
        self._removed: list[Entity] = []
        self._journal: list[JournalRow] = []
        self._outbox: list[OutboxRow] = []
        self._done: list[Id] = []
        self._answers = {(answer.who, answer.key): answer for answer in answers}
        self._new_answers: list[StoredAnswer] = []
        self._waiting = {effect_id: list(envelopes) for effect_id, envelopes in waiting.items()}
        self._under_way = {
            (key.who, key.key): (effect_id, key.request_digest)
            for effect_id, envelopes in waiting.items()
            for envelope in envelopes
            if (key := envelope.idempotency) is not None
        }
        """Keys of requests whose answer is that of an effect."""
        self.outcomes: list[Outcome] = []
        self.successors: list[Envelope] = []

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self._entities or self._removed or self._journal or self._outbox or self._done or self._new_answers)

    def take(self, envelope: Envelope) -> None:
        """Decide one command; its outcome, good or bad, is remembered for after the commit."""
        try:
            stored = self._stored_answer(envelope.idempotency)
            if stored is not None:
                self.outcomes.append(Outcome(envelope, stored))
                return
            context = self._context(envelope)
            decision = decide(self.state, envelope.command, context)
            written = self._chained(decision.entries, context)
            reply = self._answered(envelope, decision.reply)
        except Refusal as refusal:
            self.outcomes.append(Outcome(envelope, error=refusal))
            return
        except Exception:  # noqa: BLE001 (a bug in a handler: logged, fails its own request alone)
            _log.exception(
                "command_failed",
                tenant=self.state.tenant_id,
                command=type(envelope.command).__name__,
                correlation_id=envelope.cause,
            )
            if (instead := instead_of(envelope)) is not None:
                self.successors.append(instead)
            else:
                self.outcomes.append(Outcome(envelope, error=Bug()))
            return
        self._journal += written
        self._adopt(envelope, decision, reply)

    def batch(self) -> Batch:
        return Batch(
            expected=self._expected,
            head=replace(self._head, n=self._expected.n + 1),
            entities=list(self._entities.values()),
            removed=self._removed,
            journal=self._journal,
            outbox=self._outbox,
            done_effects=self._done,
            answers=self._new_answers,
        )

    @property
    def wants_effects(self) -> bool:
        return bool(self._outbox)

    def _context(self, envelope: Envelope) -> Context:
        return Context(
            tenant_id=self.state.tenant_id,
            now=now_of(self.state, self._wall),
            wall=self._wall,
            policy=self.policy,
            new_id=new_id,
            who=envelope.who,
            cause=envelope.cause,
        )

    def _stored_answer(self, key: IdempotencyKey | None) -> Replayed | Deferred | None:
        """What the key was answered before, or will be. Raises IdempotencyMismatch."""
        if key is None:
            return None
        stored, under_way = self._answers.get((key.who, key.key)), self._under_way.get((key.who, key.key))
        digest = stored.request_digest if stored else under_way[1] if under_way else key.request_digest
        if digest != key.request_digest:
            raise IdempotencyMismatch("This Idempotency-Key was used with another request; take a new one.")
        if stored is not None:
            return Replayed(stored.status, stored.body.encode())
        return Deferred(under_way[0]) if under_way else None

    def _adopt(self, envelope: Envelope, decision: Decision, reply: object) -> None:
        if decision.changes or decision.removed:
            self.state = self.state.with_changes(decision.changes, decision.removed)
            for entity in decision.changes:
                self._entities[entity.table, entity.id] = entity
            for entity in decision.removed:
                self._entities.pop((entity.table, entity.id), None)
                self._removed.append(entity)
        if self._journal:
            self._head = replace(self._head, seq=self._journal[-1].seq, digest=self._journal[-1].digest)
        for effect in decision.effects:
            payload = msgspec.json.encode(effect).decode()
            row = OutboxRow(
                id=effect.id,
                kind=type(effect).__name__,
                lane=effect.lane,
                cause=envelope.cause,
                payload=payload,
                due_at=self._wall,
                created_at=self._wall,
            )
            self._outbox.append(row)
        match envelope.settles:
            case Settled(effect_id):
                self._done.append(effect_id)
            case Postponed(row):
                self._outbox.append(row)
        self._hand_on(envelope, decision, reply)

    def _hand_on(self, envelope: Envelope, decision: Decision, reply: object) -> None:
        handed_on = isinstance(decision.reply, HandedOn)
        for number, command in enumerate(decision.then):
            successor = Envelope(command, who=envelope.who, cause=envelope.cause)
            if handed_on and number == 0:
                successor.future, successor.deadline = envelope.future, envelope.deadline
                successor.idempotency = envelope.idempotency
            self.successors.append(successor)
        if handed_on:
            return
        self.outcomes.append(Outcome(envelope, reply))

    def _answered(self, envelope: Envelope, reply: object) -> object:
        """The reply, or what is kept for its idempotency key, so that first and repeated answers are the same bytes."""
        if envelope.settles is not None:
            self._answer_waiting(envelope.settles.answered_id, reply)
        key = envelope.idempotency
        if key is None or isinstance(reply, HandedOn | Refusal):
            return reply
        if isinstance(reply, Deferred):
            self._waiting.setdefault(reply.effect_id, []).append(envelope)
            self._under_way[key.who, key.key] = (reply.effect_id, key.request_digest)
            return reply
        if (key.who, key.key) in self._answers:
            return reply  # several that wait for one effect may have the same key
        status, body = key.render(reply)
        answer = StoredAnswer(
            who=key.who,
            key=key.key,
            request_digest=key.request_digest,
            status=status,
            body=body.decode(),
            expires_at=self._wall + IDEMPOTENCY_KEPT,
        )
        self._answers[key.who, key.key] = answer
        self._new_answers.append(answer)
        return Replayed(status, body)

    def _answer_waiting(self, effect_id: Id | None, reply: object) -> None:
        """Keep the outcome for the keys of those who wait for it, also of those who are gone by now."""
        for waiter in self._waiting.pop(effect_id or "", ()):
            if (key := waiter.idempotency) is not None:
                self._under_way.pop((key.who, key.key), None)
                if reply is not None:
                    self._answered(waiter, reply)

    def _chained(self, entries: Iterable[Entry], context: Context) -> list[JournalRow]:
        """The entries as rows that follow the journal's end."""
        rows: list[JournalRow] = []
        seq, digest = self._head.seq, self._head.digest
        for entry in entries:
            seq += 1
            row = JournalRow(
                seq=seq,
                at=entry.at or context.now,
                kind=entry.kind,
                level=entry.level,
                message=entry.message,
                who=context.who,
                cause=context.cause,
                entity=entry.entity.table,
                entity_id=entry.entity.id,
                user_id=entry.user_id,
                invoice_id=entry.invoice_id,
                data=entry.data,
            )
            digest = digest_of(digest, row)
            rows.append(replace(row, digest=digest))
        return rows


def instead_of(envelope: Envelope) -> Envelope | None:
    """What is to be tried instead of a command that is faulty; whoever asked waits for that."""
    command = envelope.command.if_faulty()
    if command is None:
        return None
    return Envelope(command, who=envelope.who, cause=envelope.cause, future=envelope.future)


def now_of(state: TenantState, wall: datetime) -> datetime:
    """The tenant's time: where its test clock stands, else real time."""
    for timetable in state.all(Timetable).values():
        return timetable.test_clock or wall
    return wall
