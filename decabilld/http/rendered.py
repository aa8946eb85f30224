"""The JSON of entities that are shown often, kept as bytes."""

from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Raw

from decabilld.domain.entities import Entity, Id
from decabilld.http.call import encode

KEPT_MAX = 20_000
E = TypeVar("E", bound=Entity)


class Rendered(Generic[E]):
    """A view whose last result per entity is kept. Entities never change, so the same object has the same bytes."""

    def __init__(self, view: Callable[[E], object]) -> None:
        self._view = view
        self._kept: dict[Id, tuple[E, Raw]] = {}

    def __call__(self, entity: E) -> Raw:
        kept = self._kept.get(entity.id)
        if kept is not None and kept[0] is entity:
            return kept[1]
        if len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        shown = Raw(encode(self._view(entity)))
        self._kept[entity.id] = (entity, shown)
        return shown
