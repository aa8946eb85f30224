"""The outsiders that the daemon talks to: mail server, payment processor."""

from dataclasses import dataclass

from decabilld.settings import parsing
from decabilld.settings.variable import HOUR_MS, variable


@dataclass(frozen=True, kw_only=True)
class OutsideSettings:
    smtp_host: str | None = variable("SMTP_HOST", None, "Mail server; unset: codes are logged, but not in production")
    smtp_port: int | None = variable(
        "SMTP_PORT", None, "Its port; default: 465 for tls, 25 for none, else 587", parsing.whole(1, 65_535)
    )
    smtp_secure: str = variable(
        "SMTP_SECURE", "auto", "tls (or true): from the first byte; starttls: or nothing is sent; auto (or false): "
        "STARTTLS where it is offered; none: in clear", parsing.smtp_security,
    )  # fmt: skip
    smtp_user: str | None = variable("SMTP_USER", None, "Its user; unset: no login")
    smtp_password: str | None = variable("SMTP_PASSWORD", None, "The user's password", secret=True)
    email_from: str | None = variable(
        "EMAIL_FROM", None, "Sender of mails, `a@b.example` or `Name <a@b.example>`; default: BILLING_ISSUER_EMAIL",
        parsing.mailbox,
    )  # fmt: skip
    email_company_name: str | None = variable(
        "EMAIL_COMPANY_NAME", None, "Who writes the mails; this and the next default to BILLING_ISSUER_*"
    )
    email_company_address: str | None = variable("EMAIL_COMPANY_ADDRESS", None, "Its address, in one line")
    email_company_email: str | None = variable(
        "EMAIL_COMPANY_EMAIL", None, "Where answers to mails go", parsing.mailbox
    )
    email_company_phone: str | None = variable("EMAIL_COMPANY_PHONE", None, "Its number")
    email_company_website: str | None = variable("EMAIL_COMPANY_WEBSITE", None, "Its web address")

    stripe_secret_key: str | None = variable(
        "STRIPE_SECRET_KEY", None, "Stripe's secret key; unset: no online payment", secret=True
    )
    stripe_webhook_secret: str | None = variable("STRIPE_WEBHOOK_SECRET", None, "Signs Stripe's webhooks", secret=True)
    stripe_api_base: str = variable("STRIPE_API_BASE", "https://api.stripe.com", "Where Stripe answers")
    payment_reconcile_interval_ms: int = variable(
        "PAYMENT_RECONCILE_INTERVAL", HOUR_MS, "Milliseconds between asking Stripe about payments that hang",
        parsing.whole(1_000, 24 * HOUR_MS),
    )  # fmt: skip
    checkout_success_url: str = variable(
        "CHECKOUT_SUCCESS_URL", "http://localhost:4200/?payment=success", "Where Stripe sends a customer who has paid"
    )
    checkout_cancel_url: str = variable(
        "CHECKOUT_CANCEL_URL", "http://localhost:4200/?payment=cancelled", "Where Stripe sends one who has not"
    )
