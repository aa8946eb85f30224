"""Tax per group and its allotment to the lines."""

from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decabilld.domain.entities import TaxCategory, TaxGroup
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.tax import line_net_minor, rate_of, tax_lines
from tests.domain.builders import BERLIN

Net = tuple[TaxCategory, Decimal, int]


def lines(text: str) -> list[Net]:
    """`standard 19 33, reduced 7 100` as lines of category, rate and net."""
    parts = [line.split() for line in text.split(", ")]
    return [(cast(TaxCategory, category), Decimal(rate), int(net)) for category, rate, net in parts]


@pytest.mark.parametrize(
    ("nets", "line_taxes", "group_taxes"),
    [
        ("standard 19 1000", [190], [190]),
        # Three times 0.33: each line alone would be taxed 0.06, their sum is taxed 0.19.
        ("standard 19 33, standard 19 33, standard 19 33", [7, 6, 6], [19]),
        ("standard 19 -33, standard 19 -33, standard 19 -33", [-6, -6, -7], [-19]),
        # The line that lost most comes first.
        ("standard 19 10, standard 19 15, standard 19 14", [2, 3, 2], [7]),
        ("standard 19 10, standard 19 -10", [2, -2], [0]),
        ("standard 19 100, reduced 7 100, standard 19 3", [19, 7, 1], [20, 7]),
        # One category at two rates, as when a rate changed: two groups.
        ("standard 19 100, standard 16 100", [19, 16], [19, 16]),
        ("standard 19 100, standard 19.00 100", [19, 19], [38]),
        ("standard 1 50", [1], [1]),
        ("standard 1 -50", [-1], [-1]),
        ("standard 8.1 1234", [100], [100]),
        ("standard 0 1000, standard 19 0", [0, 0], [0, 0]),
    ],
)
def test_tax_is_computed_on_the_sum_and_allotted_by_largest_remainder(nets, line_taxes, group_taxes) -> None:
    taxes, groups = tax_lines(lines(nets))
    assert taxes == line_taxes
    assert [group.tax_minor for group in groups] == group_taxes


def test_groups_come_in_the_order_of_their_first_line() -> None:
    _, groups = tax_lines(lines("reduced 7 100, standard 19 50, reduced 7 1"))
    assert groups == (
        TaxGroup(tax_category="reduced", tax_rate=Decimal(7), net_minor=101, tax_minor=7),
        TaxGroup(tax_category="standard", tax_rate=Decimal(19), net_minor=50, tax_minor=10),
    )


def test_a_document_without_lines_has_no_tax() -> None:
    assert tax_lines([]) == ([], ())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["standard", "reduced"]),
            st.sampled_from([Decimal(rate) for rate in ("19", "7", "8.1", "0", "5.5", "33.3333")]),
            st.integers(-(10**9), 10**9),
        ),
        max_size=40,
    )
)
def test_lines_add_up_to_their_group(nets: list[Net]) -> None:
    taxes, groups = tax_lines(nets)
    for group in groups:
        mine = [i for i, line in enumerate(nets) if line[:2] == (group.tax_category, group.tax_rate)]
        assert sum(nets[i][2] for i in mine) == group.net_minor
        assert sum(taxes[i] for i in mine) == group.tax_minor
        assert abs(group.tax_minor - group.net_minor * group.tax_rate / 100) <= Decimal("0.5")
        assert all(abs(taxes[i] - nets[i][2] * group.tax_rate / 100) < 1 for i in mine)
    assert sum(group.net_minor for group in groups) == sum(net for _, _, net in nets)


@pytest.mark.parametrize(
    ("quantity", "unit_price", "currency", "net"),
    [
        ("1", "10.0000", "EUR", 1000),
        ("1.5", "0.3333", "EUR", 50),
        ("3", "0.0050", "EUR", 2),
        ("-3", "0.0050", "EUR", -2),
        ("0.0001", "49.9999", "EUR", 0),
        ("0.0001", "50.0000", "EUR", 1),
        ("3", "0.5000", "JPY", 2),
    ],
)
def test_quantity_times_unit_price_is_rounded_once(quantity: str, unit_price: str, currency: str, net: int) -> None:
    assert line_net_minor(Decimal(quantity), Decimal(unit_price), currency) == net


def test_rates_come_from_the_policy() -> None:
    policy = BillingPolicy(zone=BERLIN, tax_rate_standard=Decimal("8.1"), tax_rate_reduced=Decimal("2.6"))
    assert rate_of("standard", policy) == Decimal("8.1")
    assert rate_of("reduced", policy) == Decimal("2.6")
