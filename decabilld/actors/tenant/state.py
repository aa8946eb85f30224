"""A tenant's state: every live entity of it as one immutable value, with its indexes and tallies.

Owns how entities are kept and found in memory, not what they mean. `with_changes` is the only way from one state to
the next; a state that is not published is simply dropped. Reads see the published state and need no lock.
"""

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, TypeVar

from immutables import Map
from msgspec import Struct
from msgspec.structs import replace

from decabilld.actors.tenant.indexes import INDEXES, TALLIES, Index
from decabilld.domain.entities import Entity, Id, NumberRange, Subscription, Timetable

E = TypeVar("E", bound=Entity)
Bucket = tuple[Id, ...] | Map[Id, None]
"""The ids under a key of an index: a tuple while they are few, as mostly; a map costs eight times as much."""
TUPLE_MAX = 8
_EMPTY: Map[Any, Any] = Map()


class TenantState(Struct, frozen=True, kw_only=True):
    """`rows` and `indexes` map a table's or index's name to a persistent map; all are replaced, never changed.

    `closed` holds what this batch closed or was loaded because a command named it; it is empty once published.
    `ended` counts a user's ended subscriptions, which only PostgreSQL has.
    """

    tenant_id: str
    rows: dict[str, Map[Id, Any]] = {}
    indexes: dict[str, Map[Hashable, Bucket]] = {}
    tallies: Map[str, int] = _EMPTY
    ended: Map[Id, int] = _EMPTY
    closed: Map[tuple[str, Id], Any] = _EMPTY

    def get(self, kind: type[E], entity_id: Id | None) -> E | None:
        """The entity with that id, live or closed in this batch; None for an unknown one."""
        if entity_id is None:
            return None
        found = self.rows.get(kind.table, _EMPTY).get(entity_id)
        if found is None and self.closed:
            found = self.closed.get((kind.table, entity_id))
        return found

    def all(self, kind: type[E]) -> Map[Id, E]:
        """Every live entity of a kind, by id, in no order."""
        return self.rows.get(kind.table, _EMPTY)

    def each(self, index: Index[E], key: Hashable) -> Iterator[E]:
        """Live entities under a key, in no order, one at a time: a bucket may be large."""
        rows = self.rows.get(index.kind.table, _EMPTY)
        return (rows[entity_id] for entity_id in self.indexes.get(index.name, _EMPTY).get(key, ()))

    def find(self, index: Index[E], key: Hashable) -> list[E]:
        """Live entities under a key, in no order."""
        return list(self.each(index, key))

    def first(self, index: Index[E], key: Hashable) -> E | None:
        """The live entity under a key that is unique, or None."""
        return next(self.each(index, key), None)

    def keys(self, index: Index[Any]) -> Iterable[Any]:
        """The keys of an index that have a live entity."""
        return self.indexes.get(index.name, _EMPTY).keys()

    def count(self, index: Index[Any], key: Hashable) -> int:
        return len(self.indexes.get(index.name, _EMPTY).get(key, ()))

    def keys_count(self, index: Index[Any]) -> int:
        """How many keys of an index have a live entity."""
        return len(self.indexes.get(index.name, _EMPTY))

    def tally(self, name: str) -> int:
        """A running total, see `indexes.TALLIES`."""
        return self.tallies.get(name, 0)

    @property
    def timetable(self) -> Timetable:
        for row in self.all(Timetable).values():
            return row
        raise LookupError(f"tenant {self.tenant_id} has no timetable yet")

    def number_range(self, range_id: Id) -> NumberRange | None:
        return self.get(NumberRange, range_id)

    def with_loaded(self, entities: Iterable[Entity]) -> "TenantState":
        """With closed entities at hand that commands of this batch have named."""
        loaded = {(entity.table, entity.id): entity for entity in entities if not entity.live}
        return replace(self, closed=self.closed.update(loaded)) if loaded else self

    def with_changes(self, changes: Iterable[Entity], removed: Iterable[Entity] = ()) -> "TenantState":
        """The state in which these entities are as given, and those live ones are not any more."""
        return _Change(self).apply(changes, removed)

    def published(self) -> "TenantState":
        """This state as readers may keep it: without what only its batch needed."""
        return replace(self, closed=_EMPTY) if self.closed else self

    def with_ended_counts(self, counts: Iterable[tuple[Id, int]]) -> "TenantState":
        return replace(self, ended=Map(counts))


class _Change:
    """One step from a state to the next; touches only the maps that it must."""

    def __init__(self, state: TenantState) -> None:
        self.state = state
        self.rows: dict[str, Any] = {}
        self.moves: dict[str, dict[Hashable, dict[Id, bool]]] = {}
        self.tallies: dict[str, int] = {}
        self.ended: dict[Id, int] = {}
        self.closed: dict[tuple[str, Id], Any] = {}

    def apply(self, changes: Iterable[Entity], removed: Iterable[Entity]) -> TenantState:
        for entity in changes:
            self.put(entity)
        for entity in removed:
            self.remove(entity)
        state = self.state
        return TenantState(
            tenant_id=state.tenant_id,
            rows={**state.rows, **{name: rows.finish() for name, rows in self.rows.items()}},
            indexes={
                **state.indexes,
                **{name: _moved(state.indexes.get(name, _EMPTY), moves) for name, moves in self.moves.items()},
            },
            tallies=_added(state.tallies, self.tallies),
            ended=_added(state.ended, self.ended),
            closed=state.closed.update(self.closed) if self.closed else state.closed,
        )

    def put(self, entity: Entity) -> None:
        kind = type(entity)
        rows = self._rows_of(kind)
        old = rows.get(entity.id)
        new = entity if entity.live else None
        if new is None:
            key = kind.table, entity.id
            known_closed = old is None and (key in self.closed or key in self.state.closed)
            self.closed[key] = entity
            if old is not None:
                del rows[entity.id]
            if kind is Subscription and not known_closed:
                self._count_ended(entity.user_id, 1)  # type: ignore[attr-defined]
        else:
            rows[entity.id] = new
        self._reindex(kind, entity.id, old, new)
        self._retally(kind, old, new)

    def remove(self, entity: Entity) -> None:
        kind = type(entity)
        old = self._rows_of(kind).pop(entity.id)
        self._reindex(kind, entity.id, old, None)
        self._retally(kind, old, None)

    def _rows_of(self, kind: type[Entity]) -> Any:
        rows = self.rows.get(kind.table)
        if rows is None:
            rows = self.rows[kind.table] = self.state.rows.get(kind.table, _EMPTY).mutate()
        return rows

    def _reindex(self, kind: type[Entity], entity_id: Id, old: Entity | None, new: Entity | None) -> None:
        for index in INDEXES.get(kind, ()):
            was = None if old is None else index.key(old)
            now = None if new is None else index.key(new)
            if was == now:
                continue
            moves = self.moves.setdefault(index.name, {})
            if was is not None:
                moves.setdefault(was, {})[entity_id] = False
            if now is not None:
                moves.setdefault(now, {})[entity_id] = True

    def _retally(self, kind: type[Entity], old: Entity | None, new: Entity | None) -> None:
        tally = TALLIES.get(kind)
        if tally is None:
            return
        for entity, sign in ((old, -1), (new, 1)):
            if entity is not None:
                for name, amount in tally(entity):
                    self.tallies[name] = self.tallies.get(name, 0) + sign * amount

    def _count_ended(self, user_id: Id, by: int) -> None:
        self.ended[user_id] = self.ended.get(user_id, 0) + by


def _moved(buckets: Map[Hashable, Bucket], moves: dict[Hashable, dict[Id, bool]]) -> Map[Hashable, Bucket]:
    """An index after moves: by key, which ids are in its bucket now (True) or no more (False)."""
    changed = buckets.mutate()
    for key, ids in moves.items():
        bucket = _filled(buckets.get(key, ()), ids)
        if bucket:
            changed[key] = bucket
        else:
            changed.pop(key, None)
    return changed.finish()


def _filled(bucket: Bucket, ids: dict[Id, bool]) -> Bucket:
    """The bucket after these moves, rebuilt once however many they are: one may hold most of what there is."""
    few = len(bucket) + len(ids) <= TUPLE_MAX
    filled: Any = dict.fromkeys(bucket) if few else _as_map(bucket).mutate()
    for entity_id, stays in ids.items():
        if stays:
            filled[entity_id] = None
        else:
            filled.pop(entity_id, None)
    return tuple(filled) if few else filled.finish()


def _as_map(bucket: Bucket) -> Map[Id, None]:
    return bucket if isinstance(bucket, Map) else Map(dict.fromkeys(bucket))


def _added(counts: Map[Any, int], deltas: dict[Any, int]) -> Map[Any, int]:
    changed = {key: counts.get(key, 0) + delta for key, delta in deltas.items() if delta}
    return counts.update(changed) if changed else counts
