"""Between our minor units and Stripe's, which differ for a few currencies (docs.stripe.com/currencies).

Ours are ISO 4217's. Stripe counts ISK in hundredths of which only whole hundreds are valid, and MGA in whole units.
Its page contradicts itself about UGX (whole units in one list, hundredths in another): a factor of a hundred is no
guess to make, so it is refused. HUF and TWD are special for payouts only. Currencies with three decimals can't be
billed in at all (`domain/money.py`).
"""

from decabilld.domain.refusals import PaymentProviderFailed

_TIMES, _BY = {"ISK": 100}, {"MGA": 100}
_UNCERTAIN = frozenset({"UGX"})


def to_stripe(amount_minor: int, currency: str) -> int:
    """The amount as Stripe counts it. Raises PaymentProviderFailed for what Stripe can't take."""
    if currency in _UNCERTAIN:
        raise PaymentProviderFailed(f"Payments in {currency} can't be taken through Stripe")
    amount, rest = divmod(amount_minor * _TIMES.get(currency, 1), _BY.get(currency, 1))
    if rest:
        raise PaymentProviderFailed(f"Stripe takes whole units of {currency} only")
    return amount


def from_stripe(amount: int | None, currency: str | None) -> int | None:
    """Minor units of an amount as Stripe counts it; None for one that isn't there or can't be told in them."""
    if amount is None or currency is None or currency in _UNCERTAIN:
        return None
    amount_minor, rest = divmod(amount * _BY.get(currency, 1), _TIMES.get(currency, 1))
    return None if rest else amount_minor
