"""Every setting of the daemon, declared once: variable, meaning, default and what it may be.

Owns reading them from the environment (or an env file) and nothing of what they do. Secrets may also come from a file
named by `<NAME>_FILE`, or from one called like the variable in `$CREDENTIALS_DIRECTORY` (systemd's LoadCredential).
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from decabilld import parsing

HOUR_MS = 3_600_000


class SettingsError(Exception):
    """One or more variables can't be used; the message names each and says what it may be."""


def _variable(
    name: str, default: Any, meaning: str, parse: Callable[[str], Any] = parsing.text, *, secret: bool = False
) -> Any:
    """A field read from the environment variable `name`."""
    return dataclasses.field(
        default=default, metadata={"name": name, "meaning": meaning, "parse": parse, "secret": secret}
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the operator has set. A field's metadata holds its variable's name, meaning and parser."""

    environment: str = _variable("NODE_ENV", "development", "`production` refuses unsafe defaults",
                                 parsing.one_of("development", "test", "production"))  # fmt: skip
    host: str = _variable("HOST", "127.0.0.1", "Address that both ports listen on; a proxy with TLS belongs in front")
    port: int = _variable("PORT", 3200, "Port of the HTTP API; 0 takes a free one", parsing.whole(0, 65_535))
    websocket_port: int = _variable(
        "WEBSOCKET_PORT", 8082, "Port of Socket.IO; 0 takes a free one", parsing.whole(0, 65_535)
    )
    websocket_namespace: str = _variable("WEBSOCKET_NAMESPACE", "/billing", "Socket.IO namespace", parsing.namespace)
    websocket_cors_origin: tuple[str, ...] = _variable(
        "WEBSOCKET_CORS_ORIGIN",
        (),
        "Origins that may open sockets, separated by commas; `*` for all, the default outside production",
        parsing.several,
    )
    status_poll_interval_ms: int = _variable(
        "STATUS_POLL_INTERVAL", 15_000, "Milliseconds between dashboard snapshots unless the client says otherwise",
        parsing.whole(10_000, 120_000),
    )  # fmt: skip
    max_body_bytes: int = _variable("MAX_BODY_BYTES", 1_048_576, "Largest request body in bytes",
                                    parsing.whole(1_024, 104_857_600))  # fmt: skip
    data_dir: Path | None = _variable(
        "DECABILLD_DATA_DIR", None, "Directory of everything kept in files; default ./var, as root /var/lib/decabilld",
        lambda value: Path(value).expanduser(),
    )  # fmt: skip
    log_level: str = _variable("LOG_LEVEL", "info", "debug, info, warning or error",
                               parsing.one_of("debug", "info", "warning", "error"))  # fmt: skip
    log_format: str = _variable("LOG_FORMAT", "auto", "json, text, or auto: text on a terminal",
                                parsing.one_of("auto", "json", "text"))  # fmt: skip

    tenants: tuple[str, ...] = _variable("TENANTS", ("default",), "Tenants that are served, separated by commas",
                                         parsing.tenants)  # fmt: skip
    tenants_allow_default: bool = _variable(
        "TENANTS_ALLOW_DEFAULT", True, "Whether a request without X-Tenant means the tenant `default`", parsing.flag
    )
    test_clock: bool = _variable(
        "TEST_CLOCK", False, "Lets admins move their tenant's time; never in production", parsing.flag
    )

    authentication_method: Literal["users", "keycloak", "api-key"] | None = _variable(
        "AUTHENTICATION_METHOD", None,
        "users, keycloak or api-key; default: api-key if STATIC_API_KEY is set, keycloak if KEYCLOAK_AUTH_SERVER_URL "
        "is, else users",
        parsing.one_of("users", "keycloak", "api-key"),
    )  # fmt: skip
    static_api_key: str | None = _variable("STATIC_API_KEY", None, "The key of api-key mode", secret=True)
    static_api_key_tenant_id: str | None = _variable(
        "STATIC_API_KEY_TENANT_ID", None, "The one tenant that the key opens; default: all"
    )
    keycloak_auth_server_url: str | None = _variable(
        "KEYCLOAK_AUTH_SERVER_URL", None, "Keycloak's base address, without /realms", parsing.address
    )
    keycloak_realm: str | None = _variable("KEYCLOAK_REALM", None, "Its realm")
    keycloak_client_id: str | None = _variable(
        "KEYCLOAK_CLIENT_ID", None, "The client that tokens must be meant for (`aud` or `azp`)"
    )
    keycloak_tenant_claim: str = _variable(
        "KEYCLOAK_TENANT_CLAIM", "tenants",
        "The claim that names the tenants a token may enter; none: whoever comes stays in the tenant first entered",
    )  # fmt: skip
    jwt_secret: str | None = _variable(
        "JWT_SECRET", None, "Signs tokens, at least 32 characters; default: made once and kept, but not in production",
        secret=True,
    )  # fmt: skip
    encryption_key: str | None = _variable(
        "ENCRYPTION_KEY", None, "32 bytes, base64 or hex; default: made once and kept, but not in production",
        secret=True,
    )  # fmt: skip
    encryption_key_previous: str | None = _variable(
        "ENCRYPTION_KEY_PREVIOUS", None, "The key before that one, until `decabilld rotate-key` is done", secret=True
    )
    disable_signup: bool = _variable("DISABLE_SIGNUP", False, "Whether registering is refused", parsing.flag)
    confirmation_code_ttl_minutes: int = _variable(
        "CONFIRMATION_CODE_TTL_MINUTES", 60, "Minutes until a code sent by mail expires", parsing.whole(1, 10_080)
    )

    cors_origin: tuple[str, ...] = _variable(
        "CORS_ORIGIN", (), "Origins whose pages may call the API, separated by commas; default * outside production",
        parsing.origins,
    )  # fmt: skip
    rate_limit_enabled: bool | None = _variable(
        "RATE_LIMIT_ENABLED", None, "Whether clients are limited at all; default: only in production", parsing.flag
    )
    rate_limit_ttl_seconds: int = _variable("RATE_LIMIT_TTL", 60, "Seconds of a window", parsing.whole(1, 86_400))
    rate_limit_limit: int = _variable(
        "RATE_LIMIT_LIMIT", 100, "Requests of a client to a route in a window; login and codes allow 10 a minute",
        parsing.whole(1, 1_000_000),
    )  # fmt: skip
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = _variable(
        "TRUSTED_PROXIES", (), "Addresses or networks of proxies whose X-Forwarded-* headers count", parsing.networks
    )
    public_url: str | None = _variable(
        "PUBLIC_URL", None, "Where the API is reached from outside; default: as the request says", parsing.address
    )
    public_websocket_url: str | None = _variable(
        "PUBLIC_WEBSOCKET_URL",
        None,
        "Likewise for Socket.IO; default: the same host at WEBSOCKET_PORT",
        parsing.address,
    )

    db_host: str | None = _variable("DB_HOST", None, "PostgreSQL server; unset: the daemon runs its own")
    db_port: int = _variable("DB_PORT", 5432, "Its port", parsing.whole(1, 65_535))
    db_username: str = _variable("DB_USERNAME", "decabilld", "Its user")
    db_password: str | None = _variable("DB_PASSWORD", None, "The user's password", secret=True)
    db_database: str = _variable("DB_DATABASE", "decabilld", "Its database")
    db_sslmode: str = _variable(
        "DB_SSLMODE", "prefer", "How TLS is used, as libpq's sslmode",
        parsing.one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    )  # fmt: skip
    db_read_connections: int = _variable(
        "DB_READ_CONNECTIONS", 8, "Connections for lists and searches", parsing.whole(1, 200)
    )

    billing_timezone: ZoneInfo = _variable("BILLING_TIMEZONE", ZoneInfo("UTC"),
                                           "IANA zone of billing days, periods and dates", parsing.zone)  # fmt: skip
    billing_currency: str = _variable(
        "BILLING_CURRENCY", "EUR", "ISO 4217 code of what is sold and billed", parsing.currency
    )
    billing_tax_rate_standard: Decimal = _variable(
        "BILLING_TAX_RATE_STANDARD", Decimal(19), "Percent of the tax category `standard`", parsing.decimal(100)
    )
    billing_tax_rate_reduced: Decimal = _variable(
        "BILLING_TAX_RATE_REDUCED", Decimal(7), "Percent of the tax category `reduced`", parsing.decimal(100)
    )
    billing_payment_term_days: int = _variable(
        "BILLING_PAYMENT_TERM_DAYS", 14, "Days from issue to due date", parsing.whole(0, 365)
    )
    billing_min_checkout: Decimal = _variable(
        "BILLING_MIN_CHECKOUT_PAYMENT_AMOUNT", Decimal("1.00"),
        "Smallest gross total that is invoiced and paid online; less waits", parsing.decimal(1_000_000),
    )  # fmt: skip
    billing_run_time: time = _variable("BILLING_RUN_TIME", time(23, 59), "Time of a billing day's run, HH:MM",
                                       parsing.clock_time)  # fmt: skip
    billing_pdf_storage_path: Path | None = _variable(
        "BILLING_INVOICE_PDF_STORAGE_PATH", None, "Directory of invoice PDFs; default: documents in the data directory",
        lambda value: Path(value).expanduser(),
    )  # fmt: skip
    billing_scheduler_interval_ms: int = _variable(
        "BILLING_SCHEDULER_INTERVAL",
        60_000,
        "Milliseconds between looks for charges",
        parsing.whole(1_000, 24 * HOUR_MS),
    )
    expiration_scheduler_interval_ms: int = _variable(
        "EXPIRATION_SCHEDULER_INTERVAL", 60_000, "Milliseconds between looks for subscriptions that end",
        parsing.whole(1_000, 24 * HOUR_MS),
    )  # fmt: skip
    open_position_invoice_scheduler_interval_ms: int = _variable(
        "OPEN_POSITION_INVOICE_SCHEDULER_INTERVAL", 60_000, "Milliseconds between looks for billing days to make up",
        parsing.whole(1_000, 24 * HOUR_MS),
    )  # fmt: skip
    invoice_overdue_scheduler_interval_ms: int = _variable(
        "INVOICE_OVERDUE_SCHEDULER_INTERVAL", 60_000, "Milliseconds between looks for invoices past due",
        parsing.whole(1_000, 24 * HOUR_MS),
    )  # fmt: skip

    issuer_name: str | None = _variable("BILLING_ISSUER_NAME", None, "The seller's name, on every invoice")
    issuer_address_line1: str | None = _variable("BILLING_ISSUER_ADDRESS_LINE1", None, "Street and number")
    issuer_address_line2: str | None = _variable("BILLING_ISSUER_ADDRESS_LINE2", None, "Further address line; optional")
    issuer_postal_code: str | None = _variable("BILLING_ISSUER_POSTAL_CODE", None, "Postal code")
    issuer_city: str | None = _variable("BILLING_ISSUER_CITY", None, "City")
    issuer_country: str | None = _variable("BILLING_ISSUER_COUNTRY", None, "Two-letter country code", parsing.country)
    issuer_vat_id: str | None = _variable("BILLING_ISSUER_VAT_ID", None, "VAT identification number")
    issuer_tax_number: str | None = _variable("BILLING_ISSUER_TAX_NUMBER", None, "National tax number; optional")
    issuer_email: str | None = _variable("BILLING_ISSUER_EMAIL", None, "Contact address on invoices")
    issuer_phone: str | None = _variable("BILLING_ISSUER_PHONE", None, "Contact number; optional")
    issuer_website: str | None = _variable("BILLING_ISSUER_WEBSITE", None, "Web address; optional")
    issuer_iban: str | None = _variable("BILLING_ISSUER_IBAN", None, "Account that invoices are paid to")
    issuer_bic: str | None = _variable("BILLING_ISSUER_BIC", None, "The account's BIC; optional")
    issuer_bank_name: str | None = _variable("BILLING_ISSUER_BANK_NAME", None, "The account's bank; optional")
    issuer_register_entry: str | None = _variable(
        "BILLING_ISSUER_REGISTER_ENTRY", None, "Commercial register line, such as HRB 12345 Leipzig; optional"
    )
    issuer_managing_director: str | None = _variable(
        "BILLING_ISSUER_MANAGING_DIRECTOR", None, "Who represents the company; optional"
    )

    smtp_host: str | None = _variable("SMTP_HOST", None, "Mail server; unset: codes are logged, but not in production")
    smtp_port: int | None = _variable(
        "SMTP_PORT", None, "Its port; default: 465 for tls, 25 for none, else 587", parsing.whole(1, 65_535)
    )
    smtp_secure: str = _variable(
        "SMTP_SECURE", "auto", "tls (or true): from the first byte; starttls: or nothing is sent; auto (or false): "
        "STARTTLS where it is offered; none: in clear", parsing.smtp_security,
    )  # fmt: skip
    smtp_user: str | None = _variable("SMTP_USER", None, "Its user; unset: no login")
    smtp_password: str | None = _variable("SMTP_PASSWORD", None, "The user's password", secret=True)
    email_from: str | None = _variable(
        "EMAIL_FROM", None, "Sender of mails, `a@b.example` or `Name <a@b.example>`; default: BILLING_ISSUER_EMAIL",
        parsing.mailbox,
    )  # fmt: skip
    email_company_name: str | None = _variable(
        "EMAIL_COMPANY_NAME", None, "Who writes the mails; this and the next default to BILLING_ISSUER_*"
    )
    email_company_address: str | None = _variable("EMAIL_COMPANY_ADDRESS", None, "Its address, in one line")
    email_company_email: str | None = _variable(
        "EMAIL_COMPANY_EMAIL", None, "Where answers to mails go", parsing.mailbox
    )
    email_company_phone: str | None = _variable("EMAIL_COMPANY_PHONE", None, "Its number")
    email_company_website: str | None = _variable("EMAIL_COMPANY_WEBSITE", None, "Its web address")

    stripe_secret_key: str | None = _variable(
        "STRIPE_SECRET_KEY", None, "Stripe's secret key; unset: no online payment", secret=True
    )
    stripe_webhook_secret: str | None = _variable("STRIPE_WEBHOOK_SECRET", None, "Signs Stripe's webhooks", secret=True)
    stripe_api_base: str = _variable("STRIPE_API_BASE", "https://api.stripe.com", "Where Stripe answers")
    checkout_success_url: str = _variable(
        "CHECKOUT_SUCCESS_URL", "http://localhost:4200/?payment=success", "Where Stripe sends a customer who has paid"
    )
    checkout_cancel_url: str = _variable(
        "CHECKOUT_CANCEL_URL", "http://localhost:4200/?payment=cancelled", "Where Stripe sends one who has not"
    )

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def authentication(self) -> Literal["users", "keycloak", "api-key"]:
        """The method in force."""
        if self.authentication_method is not None:
            return self.authentication_method
        if self.static_api_key is not None:
            return "api-key"
        return "keycloak" if self.keycloak_auth_server_url is not None else "users"

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """The origins in force."""
        return self.cors_origin or (() if self.production else ("*",))

    @property
    def rate_limited(self) -> bool:
        return self.production if self.rate_limit_enabled is None else self.rate_limit_enabled

    @property
    def socket_origins(self) -> tuple[str, ...]:
        """Whose pages may open sockets: outside production everybody's unless it is said."""
        return self.websocket_cors_origin or (() if self.production else ("*",))

    @property
    def data_path(self) -> Path:
        """The data directory in force, absolute."""
        default = Path("/var/lib/decabilld") if os.geteuid() == 0 else Path("var")
        return (self.data_dir or default).absolute()

    @property
    def documents_path(self) -> Path:
        return (self.billing_pdf_storage_path or self.data_path / "documents").absolute()

    @property
    def external_dsn(self) -> str | None:
        """The libpq connection string of the operator's own server, if there is one."""
        if self.db_host is None:
            return None
        parts = {
            "host": self.db_host,
            "port": str(self.db_port),
            "user": self.db_username,
            "dbname": self.db_database,
            "sslmode": self.db_sslmode,
            "password": self.db_password,
        }
        return " ".join(f"{key}='{_quoted(value)}'" for key, value in parts.items() if value is not None)


def variables() -> list[dict[str, Any]]:
    """Each variable's `name`, `meaning`, `default`, `secret`, and the `field` of Settings that it sets."""
    return [{"field": field.name, "default": field.default, **field.metadata} for field in dataclasses.fields(Settings)]


def load(environment: Mapping[str, str] = os.environ, env_file: Path | None = None) -> Settings:
    """The settings of the environment, over those of `env_file`. Raises SettingsError naming every fault at once."""
    merged = {**(read_env_file(env_file) if env_file else {}), **environment}
    values, faults = {}, []
    for variable in variables():
        name = variable["name"]
        try:
            given = _given(merged, name, secret=variable["secret"])
            if given is not None and given.strip():
                values[variable["field"]] = variable["parse"](given.strip())
        except ValueError as error:
            faults.append(f"{name} must be {error}")
        except OSError as error:
            faults.append(f"{name} can't be read: {error}")
    settings = Settings(**values)
    faults += _contradictions(settings)
    if faults:
        raise SettingsError("; ".join(faults))
    return settings


def read_env_file(path: Path) -> dict[str, str]:
    """Lines of NAME=value; blank ones and those with `#` are skipped, quotes around a value are taken off."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"the env file can't be read: {error}") from None
    found = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, separator, value = text.partition("=")
        if not separator:
            raise SettingsError(f"{path}, line {number}: expected NAME=value")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[name.strip()] = value
    return found


def _given(environment: Mapping[str, str], name: str, *, secret: bool) -> str | None:
    if environment.get(name):
        return environment[name]
    if secret:
        if environment.get(f"{name}_FILE"):
            return Path(environment[f"{name}_FILE"]).read_text(encoding="utf-8")
        credential = Path(environment.get("CREDENTIALS_DIRECTORY") or "/nonexistent", name)
        if credential.is_file():
            return credential.read_text(encoding="utf-8")
    return None


def _contradictions(settings: Settings) -> list[str]:
    faults = []
    if settings.test_clock and settings.production:
        faults.append("TEST_CLOCK must be false when NODE_ENV=production")
    if settings.authentication == "api-key" and not settings.static_api_key:
        faults.append("STATIC_API_KEY must be set when AUTHENTICATION_METHOD=api-key")
    if settings.authentication == "keycloak":
        faults += [
            f"{name} must be set when AUTHENTICATION_METHOD=keycloak"
            for name, value in (
                ("KEYCLOAK_AUTH_SERVER_URL", settings.keycloak_auth_server_url),
                ("KEYCLOAK_REALM", settings.keycloak_realm),
                ("KEYCLOAK_CLIENT_ID", settings.keycloak_client_id),
            )
            if not value
        ]
    if settings.production and not settings.cors_origin:
        faults.append("CORS_ORIGIN must be set when NODE_ENV=production")
    if settings.jwt_secret is not None and len(settings.jwt_secret) < 32:
        faults.append("JWT_SECRET must be at least 32 characters long")
    if settings.production:
        faults += [
            f"{name} must be set when NODE_ENV=production"
            for name, value in (("JWT_SECRET", settings.jwt_secret), ("ENCRYPTION_KEY", settings.encryption_key))
            if value is None and (name != "JWT_SECRET" or settings.authentication == "users")
        ]
    if settings.smtp_host is not None and not (settings.email_from or settings.issuer_email):
        faults.append("EMAIL_FROM or BILLING_ISSUER_EMAIL must be set together with SMTP_HOST")
    if settings.smtp_password is not None and settings.smtp_user is None:
        faults.append("SMTP_USER must be set together with SMTP_PASSWORD")
    if settings.encryption_key_previous is not None and settings.encryption_key is None:
        faults.append("ENCRYPTION_KEY must be set together with ENCRYPTION_KEY_PREVIOUS")
    if settings.stripe_secret_key is not None and settings.stripe_webhook_secret is None:
        faults.append("STRIPE_WEBHOOK_SECRET must be set together with STRIPE_SECRET_KEY")
    return faults


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
