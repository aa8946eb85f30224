"""The rules of billing that the operator sets, the seller, and when due work is looked for."""

from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from decabilld.settings import parsing
from decabilld.settings.variable import HOUR_MS, variable


@dataclass(frozen=True, kw_only=True)
class BillingSettings:
    billing_timezone: ZoneInfo = variable("BILLING_TIMEZONE", ZoneInfo("UTC"),
                                           "IANA zone of billing days, periods and dates", parsing.zone)  # fmt: skip
    billing_currency: str = variable(
        "BILLING_CURRENCY", "EUR", "ISO 4217 code of what is sold and billed", parsing.currency
    )
    billing_tax_rate_standard: Decimal = variable(
        "BILLING_TAX_RATE_STANDARD", Decimal(19), "Percent of the tax category `standard`", parsing.decimal(100)
    )
    billing_tax_rate_reduced: Decimal = variable(
        "BILLING_TAX_RATE_REDUCED", Decimal(7), "Percent of the tax category `reduced`", parsing.decimal(100)
    )
    billing_payment_term_days: int = variable(
        "BILLING_PAYMENT_TERM_DAYS", 14, "Days from issue to due date", parsing.whole(0, 365)
    )
    billing_min_checkout: Decimal = variable(
        "BILLING_MIN_CHECKOUT_PAYMENT_AMOUNT", Decimal("1.00"),
        "Smallest gross total in BILLING_CURRENCY that is invoiced and paid online; less waits",
        parsing.decimal(1_000_000),
    )  # fmt: skip
    billing_run_time: time = variable("BILLING_RUN_TIME", time(23, 59), "Time of a billing day's run, HH:MM",
                                       parsing.clock_time)  # fmt: skip
    billing_pdf_storage_path: Path | None = variable(
        "BILLING_INVOICE_PDF_STORAGE_PATH", None, "Directory of invoice PDFs; default: documents in the data directory",
        lambda value: Path(value).expanduser(),
    )  # fmt: skip
    billing_scheduler_interval_ms: int = variable(
        "BILLING_SCHEDULER_INTERVAL",
        60_000,
        "Milliseconds between looks for charges",
        parsing.whole(1_000, 24 * HOUR_MS),
    )
    expiration_scheduler_interval_ms: int = variable(
        "EXPIRATION_SCHEDULER_INTERVAL", 60_000, "Milliseconds between looks for subscriptions that end",
        parsing.whole(1_000, 24 * HOUR_MS),
    )  # fmt: skip
    open_position_invoice_scheduler_interval_ms: int = variable(
        "OPEN_POSITION_INVOICE_SCHEDULER_INTERVAL", 60_000, "Milliseconds between looks for billing days to make up",
        parsing.whole(1_000, 24 * HOUR_MS),
    )  # fmt: skip
    invoice_overdue_scheduler_interval_ms: int = variable(
        "INVOICE_OVERDUE_SCHEDULER_INTERVAL", 60_000, "Milliseconds between looks for invoices past due",
        parsing.whole(1_000, 24 * HOUR_MS),
    )  # fmt: skip
    reminder_scheduler_interval_ms: int = variable(
        "REMINDER_SCHEDULER_INTERVAL", HOUR_MS, "Milliseconds between looks for subscriptions whose renewal is near",
        parsing.whole(1_000, 24 * HOUR_MS),
    )  # fmt: skip
    reminder_days: int = variable(
        "REMINDER_DAYS", 3, "Days before a renewal that its reminder is mailed; 0: none", parsing.whole(0, 28)
    )

    issuer_name: str | None = variable("BILLING_ISSUER_NAME", None, "The seller's name, on every invoice")
    issuer_address_line1: str | None = variable("BILLING_ISSUER_ADDRESS_LINE1", None, "Street and number")
    issuer_address_line2: str | None = variable("BILLING_ISSUER_ADDRESS_LINE2", None, "Further address line; optional")
    issuer_postal_code: str | None = variable("BILLING_ISSUER_POSTAL_CODE", None, "Postal code")
    issuer_city: str | None = variable("BILLING_ISSUER_CITY", None, "City")
    issuer_country: str | None = variable("BILLING_ISSUER_COUNTRY", None, "Two-letter country code", parsing.country)
    issuer_vat_id: str | None = variable("BILLING_ISSUER_VAT_ID", None, "VAT identification number")
    issuer_tax_number: str | None = variable("BILLING_ISSUER_TAX_NUMBER", None, "National tax number; optional")
    issuer_email: str | None = variable("BILLING_ISSUER_EMAIL", None, "Contact address on invoices")
    issuer_phone: str | None = variable("BILLING_ISSUER_PHONE", None, "Contact number; optional")
    issuer_website: str | None = variable("BILLING_ISSUER_WEBSITE", None, "Web address; optional")
    issuer_iban: str | None = variable("BILLING_ISSUER_IBAN", None, "Account that invoices are paid to")
    issuer_bic: str | None = variable("BILLING_ISSUER_BIC", None, "The account's BIC; optional")
    issuer_bank_name: str | None = variable("BILLING_ISSUER_BANK_NAME", None, "The account's bank; optional")
    issuer_register_entry: str | None = variable(
        "BILLING_ISSUER_REGISTER_ENTRY", None, "Commercial register line, such as HRB 12345 Leipzig; optional"
    )
    issuer_managing_director: str | None = variable(
        "BILLING_ISSUER_MANAGING_DIRECTOR", None, "Who represents the company; optional"
    )
