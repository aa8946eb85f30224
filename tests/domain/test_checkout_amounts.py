"""What Stripe takes, and how it counts it: after docs.stripe.com/currencies."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decabilld.domain import checkout_amounts
from decabilld.domain.checkout_amounts import from_stripe, least_invoiced_minor, least_paid_minor, payable, to_stripe
from decabilld.domain.money import check_currency
from decabilld.domain.policy import BillingPolicy

EUROS = BillingPolicy(zone=ZoneInfo("UTC"))
CURRENCIES = ["EUR", "USD", "GBP", "JPY", "ISK", "MGA", "HUF", "TWD", "UGX", "COP", "IDR", "VND"]


@pytest.mark.parametrize(
    ("amount_minor", "currency", "amount"),
    [
        (1190, "EUR", 1190),
        (500, "JPY", 500),
        (5, "ISK", 500),
        (1190, "HUF", 1190),
        (1190, "TWD", 1190),
        (500, "MGA", 5),
        (510, "MGA", None),
        (500, "UGX", None),
    ],
)
def test_amounts_are_counted_as_stripe_counts_them(amount_minor: int, currency: str, amount: int | None) -> None:
    assert to_stripe(amount_minor, currency) == amount
    if amount is not None:
        assert from_stripe(amount, currency) == amount_minor


@pytest.mark.parametrize(("amount", "currency"), [(550, "ISK"), (500, "UGX"), (None, "EUR"), (500, None)])
def test_what_can_not_be_told_in_our_units(amount: int | None, currency: str | None) -> None:
    assert from_stripe(amount, currency) is None


@pytest.mark.parametrize(
    ("amount_minor", "currency", "can_be"),
    [
        (99, "EUR", False),  # the operator's own limit is 1.00
        (100, "EUR", True),
        (49, "USD", False),
        (50, "USD", True),
        (29, "GBP", False),
        (30, "GBP", True),
        (14_99, "CZK", False),
        (15_00, "CZK", True),
        (49, "JPY", False),
        (50, "JPY", True),
        (1, "ISK", True),  # the page names no limit
        (0, "ISK", False),
        (510, "MGA", False),
        (500, "MGA", True),
        (1_000_000, "UGX", False),
        (999_999_99, "EUR", True),
        (1_000_000_00, "EUR", False),
        (999_999, "ISK", True),
        (1_000_000, "ISK", False),
        (9_999_999_99, "INR", True),
        (10_000_000_00, "INR", False),
    ],
)
def test_what_can_be_paid(amount_minor: int, currency: str, can_be: bool) -> None:
    assert payable(amount_minor, currency, EUROS) is can_be


def test_the_operators_limit_is_in_their_currency() -> None:
    crowns = BillingPolicy(zone=ZoneInfo("UTC"), currency="CZK", min_checkout_minor=100)
    assert (least_invoiced_minor("CZK", crowns), least_paid_minor("CZK", crowns)) == (100, 15_00)
    assert (least_invoiced_minor("EUR", crowns), least_paid_minor("EUR", crowns)) == (50, 50)
    assert (least_invoiced_minor("EUR", EUROS), least_paid_minor("EUR", EUROS)) == (100, 100)
    assert (least_invoiced_minor("ISK", EUROS), least_paid_minor("ISK", EUROS)) == (0, 1)


def test_every_currency_that_has_a_limit_is_one_that_we_bill_in() -> None:
    for currency in {*checkout_amounts._LEAST_MINOR, *checkout_amounts._DIGITS}:
        check_currency(currency)


@given(st.integers(0, 10**13), st.sampled_from(CURRENCIES))
def test_what_can_be_paid_can_be_told_and_comes_back_the_same(amount_minor: int, currency: str) -> None:
    amount = to_stripe(amount_minor, currency)
    if amount is None:
        assert not payable(amount_minor, currency, EUROS)
    else:
        assert from_stripe(amount, currency) == amount_minor
