"""The seller's rules that the operator sets: built once from the settings, handed to every decision as a value."""

from datetime import time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import Struct

from decabilld.domain.entities import Party


class BillingPolicy(Struct, frozen=True, kw_only=True):
    """Rates are percent. `issuer` is None while `issuer_missing` names what the operator has not set yet."""

    zone: ZoneInfo
    currency: str = "EUR"
    tax_rate_standard: Decimal = Decimal(19)
    tax_rate_reduced: Decimal = Decimal(7)
    payment_term_days: int = 14
    min_checkout_minor: int = 100
    billing_run_time: time = time(23, 59)
    issuer: Party | None = None
    issuer_missing: tuple[str, ...] = ()
    online_payment: bool = False
    """Whether a payment processor is configured."""
    mail: bool = False
    """Whether a mail server is configured: without one nothing waits to be mailed."""
    reminder_days: int = 3
    """Whole local days before the next period that customers are reminded of it; 0: they aren't."""
    test_clock: bool = False
    providers: frozenset[str] = frozenset()
    """Of servers, by id: all that are installed. Service types may name these, or `none`."""
    providers_ready: frozenset[str] = frozenset()
    """Those of them that have a token."""
    services_ready: frozenset[str] = frozenset()
    """What can be deployed on servers: `controller`, `manager`; those whose image is known."""
    dns_domain: str | None = None
    """What hostnames are published under; None: they aren't."""
    backorder_retry: timedelta = timedelta(minutes=1)
    """To the first retry of a backorder; each further one after twice as long, up to an hour."""
