"""Drawing numbers without gaps: the last of a series is an entity, so it is written with what bears the number."""

from functools import lru_cache

from msgspec.structs import replace

from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Id, NumberRange
from decabilld.domain.ids import id_of


class Numbers:
    """Numbers drawn within one decision."""

    def __init__(self, state: TenantState) -> None:
        self._state = state
        self._drawn: dict[str, NumberRange] = {}

    def draw(self, series: str) -> int:
        """The next number of the series, from 1."""
        before = self._drawn.get(series) or self._state.number_range(range_id(series))
        if before is None:
            before = NumberRange(id=range_id(series), series=series, last=0)
        drawn = self._drawn[series] = replace(before, last=before.last + 1)
        return drawn.last

    @property
    def changes(self) -> tuple[NumberRange, ...]:
        return tuple(self._drawn.values())


@lru_cache(maxsize=256)
def range_id(series: str) -> Id:
    return id_of("number_range", series)
