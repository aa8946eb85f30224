"""How whole rows are read: PostgreSQL makes JSON of them, msgspec decodes it straight into Structs.

Owns that one way of reading, and what an error of it means to callers in the actors' words. Which rows, say
`loaders`, `readers` and `journal`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import cache
from typing import TypeVar

import msgspec
from msgspec import Struct

from decabilld.actors.ports import Unavailable
from decabilld.store.columns import columns
from decabilld.store.errors import DatabaseError, StatementFailed

S = TypeVar("S", bound=Struct)

_OUR_FAULT = frozenset({"", "21", "22", "23", "40", "42", "54", "DB", "P0"})


@cache
def decoder(kind: type[S]) -> msgspec.json.Decoder[list[S]]:
    """Decodes what `select_json` selects; numbers that are no integers are exact everywhere."""
    return msgspec.json.Decoder(list[kind], float_hook=Decimal)  # type: ignore[valid-type]


def select_json(kind: type[Struct], rest: str) -> str:
    """SQL whose one value is the JSON array of the rows FROM `rest`, in their order.

    It names the columns, so that one which a later version added does no harm.
    """
    names = ", ".join(f'"{column.name}"' for column in columns(kind))
    return f"SELECT coalesce(json_agg(r), '[]')::text FROM (SELECT {names} FROM {rest}) AS r"  # noqa: S608


def is_our_fault(error: StatementFailed) -> bool:
    """Whether statement or values are wrong, and not the server (disk full, read-only, shutting down, ...)."""
    return error.sqlstate[:2] in _OUR_FAULT


@asynccontextmanager
async def unavailable() -> AsyncIterator[None]:
    """Raises Unavailable for whatever fails inside, but for a mistake of ours: that stays StatementFailed."""
    try:
        yield
    except DatabaseError as error:
        if isinstance(error, StatementFailed) and is_our_fault(error):
            raise
        raise Unavailable(str(error)) from error
