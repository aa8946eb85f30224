"""Value added tax of a document: rates, line nets, tax per group and its allotment to the lines.

Owns the arithmetic of EN 16931 that invoices need. Which lines a document has is `invoices`' concern; how they are
written down that of the documents gateway.
"""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from decabilld.domain.entities import TaxCategory, TaxGroup
from decabilld.domain.money import EXACT, divide_half_away, to_minor
from decabilld.domain.policy import BillingPolicy


def rate_of(category: TaxCategory, policy: BillingPolicy) -> Decimal:
    """Percent."""
    return policy.tax_rate_reduced if category == "reduced" else policy.tax_rate_standard


def line_net_minor(quantity: Decimal, unit_price: Decimal, currency: str) -> int:
    """Quantity x unit price, rounded once per line (EN 16931, BT-131)."""
    return to_minor(EXACT.multiply(quantity, unit_price), currency)


def tax_lines(nets: Sequence[tuple[TaxCategory, Decimal, int]]) -> tuple[list[int], tuple[TaxGroup, ...]]:
    """Tax of each line and of each group, in minor units, for lines given as (category, rate in percent, net).

    A group is a category and rate, in the order in which they first appear; its tax is computed on the sum of its
    lines' net (BR-CO-17). The lines share it by largest remainder, so that they add up to it exactly.
    """
    members: dict[tuple[TaxCategory, Decimal], list[int]] = {}
    for index, (category, rate, _) in enumerate(nets):
        members.setdefault((category, rate), []).append(index)
    taxes = [0] * len(nets)
    groups = []
    for (category, rate), indices in members.items():
        group_nets = [nets[index][2] for index in indices]
        net_minor = sum(group_nets)
        tax_minor = divide_half_away(*_exact_tax(net_minor, rate).as_integer_ratio())
        groups.append(TaxGroup(tax_category=category, tax_rate=rate, net_minor=net_minor, tax_minor=tax_minor))
        # A line that is alone, as most are, has the group's tax; there is nothing to share.
        alone = len(group_nets) == 1
        allotted = [tax_minor] if alone else _allot(tax_minor, [_exact_tax(net, rate) for net in group_nets])
        for index, tax in zip(indices, allotted, strict=True):
            taxes[index] = tax
    return taxes, tuple(groups)


def _exact_tax(net_minor: int, rate: Decimal) -> Decimal:
    return EXACT.multiply(Decimal(net_minor), rate).scaleb(-2, EXACT)


def _allot(total: int, exact: Sequence[Decimal]) -> list[int]:
    """Whole parts that add up to `total`, the rounded sum of `exact`: each is rounded down, and those who lost most
    get one more; the first of equals comes first.
    """
    parts = [int(value.to_integral_value(ROUND_FLOOR)) for value in exact]
    by_loss = sorted(range(len(exact)), key=lambda index: parts[index] - exact[index])
    for index in by_loss[: total - sum(parts)]:
        parts[index] += 1
    return parts
