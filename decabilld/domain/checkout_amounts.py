"""What can be paid through Stripe, and how Stripe counts it (docs.stripe.com/currencies).

Our minor units are ISO 4217's. Stripe counts ISK in hundredths of which only whole hundreds are valid, and MGA in whole
units. Its page contradicts itself about UGX (whole units in one list, hundredths in another): a factor of a hundred is
no guess to make, so it can't be paid there. HUF and TWD are special for payouts only. Currencies with three decimals
can't be billed in at all (`money.py`).

Owns the limits of an amount, for whoever shows, asks or opens. Which currencies an account takes, and what is too
little after a conversion to the one it settles in, only Stripe knows, and says so when it is asked.
"""

from decabilld.domain.policy import BillingPolicy

_TIMES, _BY = {"ISK": 100}, {"MGA": 100}
_UNCERTAIN = frozenset({"UGX"})

_LEAST_MINOR = {
    "AED": 200,
    "AUD": 50,
    "BRL": 50,
    "CAD": 50,
    "CHF": 50,
    "CZK": 15_00,
    "DKK": 250,
    "EUR": 50,
    "GBP": 30,
    "HKD": 400,
    "HUF": 175_00,
    "INR": 50,
    "JPY": 50,
    "MXN": 10_00,
    "MYR": 200,
    "NOK": 300,
    "NZD": 50,
    "PLN": 200,
    "RON": 200,
    "SEK": 300,
    "SGD": 50,
    "THB": 10_00,
    "USD": 50,
}
"""The smallest charges by currency, where the page names one."""

_DIGITS, _DIGITS_ELSE = {"COP": 10, "HUF": 10, "IDR": 12, "INR": 9, "JPY": 10, "LBP": 11}, 8
"""How many an amount may have as Stripe counts it."""


def to_stripe(amount_minor: int, currency: str) -> int | None:
    """The amount as Stripe counts it; None for one that can't be told so."""
    amount, rest = divmod(amount_minor * _TIMES.get(currency, 1), _BY.get(currency, 1))
    return None if rest or currency in _UNCERTAIN else amount


def from_stripe(amount: int | None, currency: str | None) -> int | None:
    """Minor units of an amount as Stripe counts it; None for one that isn't there or can't be told in them."""
    if amount is None or currency is None or currency in _UNCERTAIN:
        return None
    amount_minor, rest = divmod(amount * _BY.get(currency, 1), _TIMES.get(currency, 1))
    return None if rest else amount_minor


def least_invoiced_minor(currency: str, policy: BillingPolicy) -> int:
    """Below this a total waits: the operator's limit, which is in their currency; in another one, Stripe's."""
    return policy.min_checkout_minor if currency == policy.currency else _LEAST_MINOR.get(currency, 0)


def least_paid_minor(currency: str, policy: BillingPolicy) -> int:
    """The smallest balance that can be paid online: neither below the operator's limit nor below Stripe's."""
    return max(least_invoiced_minor(currency, policy), _LEAST_MINOR.get(currency, 1))


def payable(amount_minor: int, currency: str, policy: BillingPolicy) -> bool:
    """Whether a balance can be paid online."""
    amount = to_stripe(amount_minor, currency)
    if amount is None or amount_minor < least_paid_minor(currency, policy):
        return False
    return len(str(amount)) <= _DIGITS.get(currency, _DIGITS_ELSE)
