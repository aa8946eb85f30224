"""Any entity, by hypothesis: made from a Struct's own types, within what the store and the rules let be."""

import types
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

_ids = st.uuids().map(str)
_texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=60)
_instants = st.datetimes(timezones=st.just(UTC))
_minor = st.integers(-(10**14), 10**14)
_natural = st.integers(0, 10**9)
_trees = st.dictionaries(
    _texts,
    st.recursive(st.none() | st.booleans() | _natural | _texts, lambda below: st.lists(below, max_size=3)),
    max_size=3,
)
_KINDS: dict[Any, st.SearchStrategy[Any]] = {
    str: _texts,
    int: _natural,
    bool: st.booleans(),
    Decimal: st.decimals(-(10**9), 10**9, places=4),
    datetime: _instants,
    date: st.dates(),
    dict: _trees,
}
_NAMED: dict[str, st.SearchStrategy[Any]] = {
    "email": st.sampled_from(["ada@example.com", "grace.hopper+navy@mail.example.org"]),
    "currency": st.sampled_from(["EUR", "JPY", "USD"]),
    "country": st.sampled_from(["DE", "GB", "XK"]),
    "billing_day": st.integers(1, 28),
    "billing_day_of_month": st.none() | st.integers(1, 31),
    "interval_count": st.integers(1, 1000),
    "base_price": st.decimals(0, 10**9 - 1, places=4),
    "margin_percent": st.decimals(-(10**6) + 1, 10**6 - 1, places=4),
    "margin_fixed": st.decimals(-(10**9) + 1, 10**9 - 1, places=4),
    "balance_minor": st.integers(0, 10**14),
    "share_denominator": st.integers(1, 10**15),
    "checkout_url": st.just("https://checkout.stripe.com/c/pay/cs_test_1"),
}


@cache
def entities(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any value of a Struct; every field is drawn, also those with a default."""
    drawn = {field.name: _field(field.name, field.type) for field in msgspec.structs.fields(kind)}
    return st.builds(kind, **drawn)


def _field(name: str, annotation: Any) -> st.SearchStrategy[Any]:
    if name in _NAMED:
        return st.none() | _NAMED[name] if type(None) in get_args(annotation) else _NAMED[name]
    if name == "id" or name.endswith("_id"):
        return st.none() | _ids if type(None) in get_args(annotation) else _ids
    return _minor if name.endswith("_minor") else _of(name, annotation)


def _of(name: str, annotation: Any) -> st.SearchStrategy[Any]:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in (Union, types.UnionType):
        return st.one_of(*(st.none() if part is type(None) else _of(name, part) for part in parts))
    if origin is tuple:
        return st.lists(_field(name.removesuffix("s"), parts[0]), max_size=3).map(tuple)
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return entities(annotation)
    return _KINDS[origin or annotation]
