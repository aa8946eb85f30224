"""Whether a server can be had, and what could be had instead, as laws over any catalogue."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decabilld.actors.availability import ALTERNATIVES_MAX, Availability, availability
from decabilld.actors.provider import ServerType

Told = tuple[str, tuple[str, ...], tuple[str, ...]]
IDS, REGIONS = ["cx23", "cx33", "cpx12", "old"], ["fsn1", "nbg1", "hel1", "mars"]


def sold(id_: str, *regions: str, deprecated: bool = False) -> ServerType:
    return ServerType(
        id=id_, name=id_, cores=2, memory=Decimal(4), disk=Decimal(40), regions=regions, deprecated=deprecated
    )


CATALOGUE = (sold("cx23", "fsn1", "nbg1"), sold("cx33", "fsn1"), sold("old", "fsn1", deprecated=True), sold("gone"))


@pytest.mark.parametrize(
    ("server_type", "region", "limit", "expected"),
    [
        ("cx23", "fsn1", None, Availability()),
        ("cx99", "fsn1", None, ("no server type 'cx99'", ("cx23", "cx33"), ())),
        ("old", "fsn1", None, ("not sold any more", ("cx23", "cx33"), ())),
        ("cx33", "nbg1", None, ("can't be had in 'nbg1' now", ("cx23",), ("fsn1",))),
        ("cx23", "mars", None, ("no region 'mars'", (), ("fsn1", "nbg1"))),
        ("gone", "fsn1", None, ("can't be had in 'fsn1' now", ("cx23", "cx33"), ())),
        ("cx23", "fsn1", "the account is full", ("the account is full", ("cx33",), ("nbg1",))),
    ],
)
def test_reasons_and_alternatives(
    server_type: str, region: str, limit: str | None, expected: Availability | Told
) -> None:
    found = availability(CATALOGUE, server_type, region, limit)
    if isinstance(expected, Availability):
        assert found == expected
    else:
        assert expected[0] in (found.reason or "")
        assert (found.server_types, found.regions) == expected[1:]


catalogues = st.lists(
    st.builds(
        lambda id_, regions, deprecated: sold(id_, *sorted(regions), deprecated=deprecated),
        st.sampled_from(IDS), st.sets(st.sampled_from(REGIONS[:3])), st.booleans(),
    ),
    unique_by=lambda one: one.id,
)  # fmt: skip


@given(catalogues, st.sampled_from(IDS), st.sampled_from(REGIONS), st.sampled_from([None, "full"]))
def test_it_can_be_had_where_it_is_sold_and_alternatives_always_can(
    types: list[ServerType], server_type: str, region: str, limit: str | None
) -> None:
    found = availability(types, server_type, region, limit)
    asked = next((one for one in types if one.id == server_type), None)
    can_be_had = asked is not None and not asked.deprecated and region in asked.regions and limit is None
    assert (found.reason is None) == can_be_had
    for instead in found.server_types:
        assert availability(types, instead, region) == Availability()
        assert instead != server_type
    for elsewhere in found.regions:
        assert availability(types, server_type, elsewhere) == Availability()
        assert elsewhere != region


def test_alternatives_are_limited() -> None:
    many = [sold(f"t{number}", "fsn1") for number in range(ALTERNATIVES_MAX + 10)]
    assert len(availability(many, "unknown", "fsn1").server_types) == ALTERNATIVES_MAX
