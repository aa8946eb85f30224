"""Amounts: minor units, the currencies we bill in, and the one rounding rule.

Owns how an exact number becomes whole cents and back. What is multiplied with what is decided in `pricing`,
`proration`, `charges` and `tax`; how an amount is written on the wire in `http`.
"""

from decimal import Context, Decimal, Inexact, InvalidOperation

from decabilld.domain.refusals import Invalid

EXACT = Context(prec=120, traps=[Inexact, InvalidOperation])
"""Decimal arithmetic that raises rather than round: no digit is lost before `divide_half_away`."""

MINOR_DIGITS = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0
)
"""ISO 4217 currencies that we bill in and whose minor unit isn't a hundredth: digits after the point."""

_HUNDREDTHS = frozenset(  # a table to be read; as a list literal it would be one code a line
    """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC
    CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
    KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR
    NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP SVC SYP SZL THB TJS TMT
    TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG""".split()  # noqa: SIM905
)

_FINER = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND", "CLF", "UYW"))


def check_currency(code: str) -> None:
    """Raises `Invalid` unless `code` is an ISO 4217 currency with two decimals or none.

    Finer ones can't be had: the contract allows amounts two decimals at most.
    """
    if code in _FINER:
        raise Invalid(f"Currency {code} has more than two decimals, which invoices can't show")
    if code not in _HUNDREDTHS and code not in MINOR_DIGITS:
        raise Invalid(f"{code!r} is not an ISO 4217 currency code such as EUR")


def divide_half_away(numerator: int, denominator: int) -> int:
    """The rounding rule: the nearest integer, a half away from zero. `denominator` is positive."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def to_minor(amount: Decimal, currency: str) -> int:
    """Minor units of an amount, rounded."""
    numerator, denominator = amount.as_integer_ratio()
    return divide_half_away(numerator * 10 ** MINOR_DIGITS.get(currency, 2), denominator)


def to_decimal(minor: int, currency: str) -> Decimal:
    """The amount as an exact `Decimal` with the currency's number of decimals: 1000 EUR cents are 10.00."""
    return Decimal(minor).scaleb(-MINOR_DIGITS.get(currency, 2), EXACT)
