"""Which columns an entity has, derived from its Struct: every field is the column of that name, of a type by its own.

Owns this one translation. The tables themselves are written by hand in `sql/`, with their keys and checks; a test
holds both against each other.
"""

import types
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Struct
from msgspec.structs import fields

from decabilld.domain import entities
from decabilld.domain.entities import Entity

TEXT_IDS = frozenset({"event_id", "server_id", "session_id", "stripe_customer_id", "vat_id"})
"""Fields that are called ids but are other people's: text, whatever it looks like."""

_SQL_TYPES: dict[object, str] = {
    str: "text",
    int: "bigint",
    bool: "boolean",
    Decimal: "numeric",
    datetime: "timestamptz",
    date: "date",
}


class Column(Struct, frozen=True):
    """A column as PostgreSQL calls it: `sql_type` in the spelling that the writer casts to."""

    name: str
    sql_type: str
    nullable: bool


def all_entities() -> tuple[type[Entity], ...]:
    """Every kind of entity that has a table, in the order of their declaration."""
    found = [kind for kind in vars(entities).values() if isinstance(kind, type) and issubclass(kind, Entity)]
    return tuple(kind for kind in found if kind is not Entity)


@cache
def columns(kind: type[Struct]) -> tuple[Column, ...]:
    """A kind's columns in the order of its fields, without `tenant_id`. Raises TypeError for a field that has none."""
    hints = get_type_hints(kind)
    return tuple(_column(field.name, hints[field.name]) for field in fields(kind))


def _column(name: str, hint: Any) -> Column:
    nullable = False
    if get_origin(hint) in (Union, types.UnionType):
        members = [member for member in get_args(hint) if member is not type(None)]
        nullable = len(members) < len(get_args(hint))
        if len(members) != 1:
            raise TypeError(f"{name}: a column has one type, not {hint}")
        (hint,) = members
    return Column(name, _sql_type(name, hint), nullable)


def _sql_type(name: str, hint: Any) -> str:
    origin = get_origin(hint)
    if hint is str and _is_id(name):
        return "uuid"
    if hint is str and name == "currency":
        return "char(3)"
    if origin is Literal:
        return "text"
    if origin is tuple:
        return "uuid[]" if name.endswith("_ids") else "jsonb"
    if origin is dict or (isinstance(hint, type) and issubclass(hint, Struct)):
        return "jsonb"
    if hint in _SQL_TYPES:
        return _SQL_TYPES[hint]
    raise TypeError(f"{name}: no column type for {hint}")


def _is_id(name: str) -> bool:
    return (name == "id" or name.endswith("_id")) and name not in TEXT_IDS
