"""From the settings to the seller's rules that every decision is handed."""

import dataclasses
from datetime import timedelta

from decabilld.domain.entities import Party
from decabilld.domain.money import to_minor
from decabilld.domain.policy import BillingPolicy
from decabilld.settings import Settings


def policy_of(settings: Settings) -> BillingPolicy:
    """The seller's rules as decisions get them."""
    issuer, missing = _issuer(settings)
    return BillingPolicy(
        zone=settings.billing_timezone,
        currency=settings.billing_currency,
        tax_rate_standard=settings.billing_tax_rate_standard,
        tax_rate_reduced=settings.billing_tax_rate_reduced,
        payment_term_days=settings.billing_payment_term_days,
        min_checkout_minor=to_minor(settings.billing_min_checkout, settings.billing_currency),
        billing_run_time=settings.billing_run_time,
        issuer=issuer,
        issuer_missing=missing,
        online_payment=settings.stripe_secret_key is not None,
        mail=settings.smtp_host is not None,
        reminder_days=settings.reminder_days,
        test_clock=settings.test_clock,
        services_ready=frozenset(
            service
            for service, image in (("controller", settings.controller_image), ("manager", settings.manager_image))
            if image is not None
        ),
        dns_domain=settings.dns_base_domain if settings.cloudflare_api_token is not None else None,
        backorder_retry=timedelta(milliseconds=settings.backorder_retry_interval_ms),
    )


def _issuer(settings: Settings) -> tuple[Party | None, tuple[str, ...]]:
    required = ("name", "address_line1", "postal_code", "city", "country", "vat_id", "email", "iban")
    missing = tuple(f"BILLING_ISSUER_{part.upper()}" for part in required if not getattr(settings, f"issuer_{part}"))
    if missing:
        return None, missing
    values = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    fields = {name.removeprefix("issuer_"): v for name, v in values.items() if name.startswith("issuer_")}
    return Party(**fields), ()
