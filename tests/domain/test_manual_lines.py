"""Lines that the operator writes: rounded once each, summed exactly, taxed by the rates in force."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from decabilld.domain.entities import Invoice, TaxCategory
from decabilld.domain.invoices import LARGEST_TOTAL_MINOR, at_rates_of, draft, manual_line, with_lines
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Invalid
from tests.domain.builders import BERLIN, at

POLICY = BillingPolicy(zone=BERLIN)


def manual(*lines: tuple[str, str, TaxCategory], currency: str = "EUR", subscription_id: str | None = None) -> Invoice:
    """A draft of lines given as quantity, unit price and category."""
    made = [
        manual_line(
            "Work", Decimal(quantity), Decimal(price), category, currency=currency, subscription_id=subscription_id,
            policy=POLICY,
        )
        for quantity, price, category in lines
    ]  # fmt: skip
    return draft(made, invoice_id="1", user_id="2", origin="manual", currency=currency, now=at("2026-01-01"))


@pytest.mark.parametrize(
    ("quantity", "price", "currency", "net_minor"),
    [
        ("1", "100", "EUR", 10000),
        ("3", "1.005", "EUR", 302),  # 3.015: half away from zero, and not three times 1.01
        ("0.3333", "0.0150", "EUR", 0),
        ("1234.5678", "0.0345", "EUR", 4259),
        ("0.0001", "0.0001", "EUR", 0),
        ("999999.9999", "999.9999", "EUR", 99999989990),
        ("1.5", "1.5", "JPY", 2),
        ("-3", "1.005", "EUR", -302),
        ("1", "-0.125", "EUR", -13),
    ],
)
def test_a_line_is_rounded_once(quantity: str, price: str, currency: str, net_minor: int) -> None:
    (line,) = manual((quantity, price, "standard"), currency=currency).lines
    assert (line.net_minor, line.quantity, line.unit_price_net) == (net_minor, Decimal(quantity), Decimal(price))


def test_a_draft_is_under_its_subscription_with_other_lines_too() -> None:
    first = manual(("1", "10", "standard"), subscription_id="sub-1")
    assert (first.subscription_id, first.subscription_ids, first.lines[0].plan_id) == ("sub-1", ("sub-1",), None)
    other = manual(("1", "10", "standard"), ("2", "5", "reduced"), subscription_id="sub-1")
    changed = with_lines(first, other.lines, at("2026-01-02"))
    assert (changed.subscription_ids, changed.created_at, changed.updated_at) == (
        ("sub-1",),
        at("2026-01-01"),
        at("2026-01-02"),
    )
    assert (changed.subtotal_net_minor, changed.tax_total_minor, changed.balance_minor) == (2000, 260, 2260)


def test_what_was_drafted_before_a_new_rate_is_issued_at_it() -> None:
    old = manual(("1", "100", "standard"), ("1", "100", "reduced"))
    new = at_rates_of(old, replace(POLICY, tax_rate_standard=Decimal(16)), at("2026-07-01"))
    assert [(group.tax_rate, group.tax_minor) for group in new.tax_groups] == [(16, 1600), (7, 700)]
    assert (old.total_gross_minor, new.total_gross_minor, new.balance_minor) == (22600, 22300, 22300)


def test_a_discount_may_not_exceed_what_it_is_a_discount_on() -> None:
    even = manual(("2", "10", "standard"), ("-1", "20", "standard"))
    assert (with_lines(even, even.lines, at("2026-01-01")).total_gross_minor, even.tax_total_minor) == (0, 0)
    for lines in (
        manual(("1", "10", "standard"), ("1", "-10.01", "standard")).lines,
        manual(("1", "10", "reduced"), ("1", "-10", "standard")).lines,  # net zero, gross below
    ):
        with pytest.raises(Invalid, match="less than zero"):
            with_lines(even, lines, at("2026-01-01"))


def test_a_total_that_no_amount_can_hold_is_refused() -> None:
    most = manual(("1", "999999999", "standard"))
    assert most.total_gross_minor < LARGEST_TOTAL_MINOR
    with pytest.raises(Invalid, match="come to more than"):
        with_lines(most, most.lines * 100, at("2026-01-01"))
    huge = manual(("999999999", "999999999", "standard"), ("-999999999", "999999999", "standard"))
    with pytest.raises(Invalid, match="come to more than"):  # nothing in sum, but no database holds the lines
        with_lines(huge, huge.lines, at("2026-01-01"))
