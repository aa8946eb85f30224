"""Numbers of documents and subscriptions as they are printed.

Owns their form. Drawing the next one without gaps is the tenant's, from its `NumberRange`s.
"""

SUBSCRIPTION_SERIES = "SUB"


def invoice_series(year: int) -> str:
    """The range that invoices of a year are numbered in; `year` is that of the issue date in the billing zone."""
    return f"INV-{year:04d}"


def invoice_number(year: int, n: int) -> str:
    """`INV-2026-00001`; more digits from the 100,000th on."""
    return f"{invoice_series(year)}-{n:05d}"


def credit_note_number(invoice_number: str) -> str:
    """The number of the one credit note that an invoice can have."""
    return f"{invoice_number}-CN"


def subscription_number(n: int) -> str:
    """`SUB-000001`; more digits from the millionth on."""
    return f"{SUBSCRIPTION_SERIES}-{n:06d}"
