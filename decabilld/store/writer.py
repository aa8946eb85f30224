"""The only writer: turns a batch into one list of statements, which PostgreSQL runs in one round trip and transaction.

Owns the SQL of writing, made once per table from its columns; whoever runs it owns the connection and what errors
mean. The fence comes first: a process that lost the tenant writes nothing.
"""

from collections.abc import Sequence
from functools import cache

import msgspec
from msgspec import Struct

from decabilld.actors.ports import Batch, OutboxRow, StoredAnswer
from decabilld.domain.entities import (
    Backorder,
    BillingRun,
    CustomerProfile,
    Entity,
    Id,
    Invoice,
    LinkedSubject,
    NumberRange,
    OneTimeCode,
    OrphanServer,
    Payment,
    PaymentAttempt,
    Position,
    RevokedToken,
    ServicePlan,
    ServiceType,
    Subscription,
    SubscriptionItem,
    Timetable,
    UsageRecord,
    User,
    WebhookEvent,
)
from decabilld.domain.journal import JournalRow
from decabilld.store.columns import columns

FENCED = "DB001"
"""SQLSTATE of a fence that didn't hold, see `advance_head` in the migrations."""

WRITE_ORDER: tuple[type[Entity], ...] = (
    User,
    OneTimeCode,
    RevokedToken,
    LinkedSubject,
    CustomerProfile,
    ServiceType,
    ServicePlan,
    Subscription,
    SubscriptionItem,
    Backorder,
    OrphanServer,
    Invoice,
    Position,
    UsageRecord,
    PaymentAttempt,
    Payment,
    WebhookEvent,
    NumberRange,
    BillingRun,
    Timetable,
)
"""What is referred to comes before what refers to it."""

INSERT_ONLY: frozenset[type[Struct]] = frozenset({Payment, WebhookEvent, JournalRow})
"""Never written twice: a second row of the same key is refused."""

_FENCE = "SELECT advance_head(%s, %s, %s, %s, %s, %s)"
_DELETE_DONE = "DELETE FROM outbox WHERE tenant_id = %s AND id = ANY(%s::uuid[])"
_DELETE_EXPIRED = "DELETE FROM idempotency_answers WHERE tenant_id = %s AND expires_at < now()"

_DELETE_FORGOTTEN = "DELETE FROM revoked_tokens WHERE tenant_id = %s AND forgotten"

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Statements:
    """SQL and its parameters, in the order in which they run."""

    def __init__(self) -> None:
        self._sql: list[str] = []
        self.params: list[object] = []

    @property
    def sql(self) -> str:
        return ";\n".join(self._sql)

    def add(self, sql: str, *params: object) -> None:
        self._sql.append(sql)
        self.params.extend(params)


def statements(tenant_id: str, owner: Id, batch: Batch) -> Statements:
    """Everything that `batch` writes for a tenant that `owner` has.

    Raises UnicodeEncodeError or msgspec.EncodeError for a value that JSON can't carry.
    """
    made = Statements()
    head = batch.head
    made.add(_FENCE, tenant_id, owner, batch.expected.n, head.n, head.seq, head.digest)
    for entity in batch.removed:
        made.add(f"DELETE FROM {entity.table} WHERE tenant_id = %s AND id = %s", tenant_id, entity.id)  # noqa: S608
    by_kind: dict[type[Entity], list[Entity]] = {}
    for entity in batch.entities:
        by_kind.setdefault(type(entity), []).append(entity)
    for kind in sorted(by_kind, key=WRITE_ORDER.index):
        _add_rows(made, tenant_id, kind, by_kind[kind])
    if RevokedToken in by_kind:
        made.add(_DELETE_FORGOTTEN, tenant_id)
    _add_rows(made, tenant_id, JournalRow, batch.journal)
    if batch.done_effects:
        made.add(_DELETE_DONE, tenant_id, list(batch.done_effects))
    _add_rows(made, tenant_id, OutboxRow, list({row.id: row for row in batch.outbox}.values()))
    if batch.answers:
        made.add(_DELETE_EXPIRED, tenant_id)
        _add_rows(made, tenant_id, StoredAnswer, batch.answers)
    return made


def _add_rows(made: Statements, tenant_id: str, kind: type[Struct], rows: Sequence[Struct]) -> None:
    if rows:
        made.add(upsert(kind), tenant_id, _encode(rows).decode())


_TABLES: dict[type[Struct], tuple[str, tuple[str, ...]]] = {
    JournalRow: ("journal", ("seq",)),
    OutboxRow: ("outbox", ("id",)),
    StoredAnswer: ("idempotency_answers", ("who", "key")),
}
"""Table and key of the rows that are no entities."""


def table_of(kind: type[Struct]) -> tuple[str, tuple[str, ...]]:
    """A kind's table and its key, but for the tenant that every key begins with."""
    return _TABLES.get(kind) or (kind.table, ("id",))  # type: ignore[attr-defined]


@cache
def upsert(kind: type[Struct]) -> str:
    """The statement that writes rows of a kind: its parameters are the tenant and the rows as a JSON array."""
    table, key = table_of(kind)
    names = [f'"{column.name}"' for column in columns(kind)]
    typed = ", ".join(f'"{column.name}" {column.sql_type}' for column in columns(kind))
    # Nested values are parsed once by jsonb, twice by json; flat rows are quicker as json (decisions/004).
    form = "jsonb" if any(column.sql_type == "jsonb" for column in columns(kind)) else "json"
    sql = (
        f"INSERT INTO {table} (tenant_id, {', '.join(names)}) "  # noqa: S608 (all names are our own)
        f"SELECT %s, {', '.join(names)} FROM {form}_to_recordset(%s::{form}) AS r({typed})"
    )
    if kind in INSERT_ONLY:
        return sql
    updates = ", ".join(f"{name} = excluded.{name}" for name in names if name.strip('"') not in key)
    return f"{sql} ON CONFLICT (tenant_id, {', '.join(key)}) DO UPDATE SET {updates}"
