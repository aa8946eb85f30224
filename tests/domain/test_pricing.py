"""A plan's price and the terms a subscription keeps of it."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from decabilld.domain.pricing import plan_price, plan_price_minor, terms_of
from tests.domain.builders import service_plan


@pytest.mark.parametrize(
    ("base", "percent", "fixed", "price", "minor"),
    [
        ("10.0000", None, None, "10", 1000),
        ("10.0000", "20.0000", "1.5000", "13.5", 1350),
        ("9.9900", "12.5000", None, "11.23875", 1124),
        ("0.0050", None, None, "0.005", 1),
        ("0.0049", None, None, "0.0049", 0),
        # Each part alone would round down; the sum is rounded once.
        ("1.0040", "0.1000", "0.0040", "1.009004", 101),
        ("100.0000", "-10.0000", None, "90", 9000),
        (None, "20.0000", "3.0000", "3", 300),
        (None, None, None, "0", 0),
        ("12345678901234.5678", "1234.5678", "0.0001", "164761455307270.3444279684", 16476145530727034),
    ],
)
def test_price_is_base_and_margins_rounded_once(base, percent, fixed, price, minor) -> None:
    parts = [None if part is None else Decimal(part) for part in (base, percent, fixed)]
    plan = service_plan(base_price=parts[0], margin_percent=parts[1], margin_fixed=parts[2])
    assert plan_price(*parts) == Decimal(price)
    assert plan_price_minor(plan, "EUR") == minor


def test_yen_have_no_cents() -> None:
    assert plan_price_minor(service_plan(base_price=Decimal("999.5000")), "JPY") == 1000


def test_terms_are_the_plan_as_it_is_sold_now() -> None:
    plan = service_plan(
        interval="year",
        interval_count=2,
        billing_day_of_month=31,
        tax_category="reduced",
        bill_in_advance=True,
        cancel_at_period_end=False,
        min_commitment_days=90,
        notice_days=14,
        margin_fixed=Decimal("2.5000"),
    )
    terms = terms_of(plan, "EUR")
    assert (terms.plan_name, terms.price_minor, terms.currency) == ("Cloud S", 1250, "EUR")
    assert (terms.interval, terms.interval_count, terms.billing_day_of_month) == ("year", 2, 31)
    assert (terms.tax_category, terms.bill_in_advance, terms.cancel_at_period_end) == ("reduced", True, False)
    assert (terms.min_commitment_days, terms.notice_days) == (90, 14)
    assert terms_of(replace(plan, base_price=Decimal("99.0000")), "EUR") != terms


@pytest.mark.parametrize(("interval", "kept"), [("hour", None), ("day", None), ("month", 15), ("year", 15)])
def test_only_months_and_years_have_a_billing_day(interval: str, kept: int | None) -> None:
    assert terms_of(service_plan(interval=interval, billing_day_of_month=15), "EUR").billing_day_of_month == kept
