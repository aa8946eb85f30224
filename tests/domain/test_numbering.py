"""How numbers are printed."""

import pytest

from decabilld.domain.numbering import credit_note_number, invoice_number, invoice_series, subscription_number


@pytest.mark.parametrize(
    ("year", "n", "number"),
    [(2026, 1, "INV-2026-00001"), (2026, 99999, "INV-2026-99999"), (2027, 100000, "INV-2027-100000")],
)
def test_invoice_numbers(year: int, n: int, number: str) -> None:
    assert invoice_number(year, n) == number
    assert number.startswith(invoice_series(year) + "-")


def test_series_is_the_years_own() -> None:
    assert invoice_series(2026) == "INV-2026"


def test_credit_note_is_named_after_its_invoice() -> None:
    assert credit_note_number("INV-2026-00001") == "INV-2026-00001-CN"


@pytest.mark.parametrize(("n", "number"), [(1, "SUB-000001"), (999999, "SUB-999999"), (1000000, "SUB-1000000")])
def test_subscription_numbers(n: int, number: str) -> None:
    assert subscription_number(n) == number
