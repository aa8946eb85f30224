"""Every setting of the daemon, declared once: variable, meaning, default and what it may be.

Owns reading them from the environment (or an env file) and nothing of what they do. Secrets may also come from a file
named by `<NAME>_FILE`, or from one called like the variable in `$CREDENTIALS_DIRECTORY` (systemd's LoadCredential).
"""

import dataclasses
import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from decabilld.settings.access import AccessSettings
from decabilld.settings.billing import BillingSettings
from decabilld.settings.database import DatabaseSettings
from decabilld.settings.observation import ObservationSettings
from decabilld.settings.outside import OutsideSettings
from decabilld.settings.providers import ProviderSettings
from decabilld.settings.server import ServerSettings


class SettingsError(Exception):
    """One or more variables can't be used; the message names each and says what it may be."""


@dataclass(frozen=True, kw_only=True)
class Settings(
    ObservationSettings,
    ProviderSettings,
    OutsideSettings,
    BillingSettings,
    DatabaseSettings,
    AccessSettings,
    ServerSettings,
):
    """What the operator has set. A field's metadata holds its variable's name, meaning and parser.

    The bases stand in reverse: fields are listed from the last one on.
    """

    variables: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: MappingProxyType({}), repr=False, compare=False
    )
    """Everything that was given, ours and others', for providers that are installed: full of secrets, never shown."""

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
    """Each variable's `name`, `meaning`, `default`, `secret`, `live`, and the `field` of Settings that it sets."""
    return [
        {"field": field.name, "default": field.default, **field.metadata}
        for field in dataclasses.fields(Settings)
        if field.metadata
    ]


def load(environment: Mapping[str, str] = os.environ, env_file: Path | None = None) -> Settings:
    """The settings of the environment, over those of `env_file`. Raises SettingsError naming every fault at once."""
    merged = {**(read_env_file(env_file) if env_file else {}), **environment}
    values, given_texts, faults = {}, {}, []
    for variable in variables():
        name = variable["name"]
        try:
            given = _given(merged, name, secret=variable["secret"])
            if given is not None and given.strip():
                given_texts[name] = given.strip()
                values[variable["field"]] = variable["parse"](given.strip())
        except ValueError as error:
            faults.append(f"{name} must be {error}")
        except OSError as error:
            faults.append(f"{name} can't be read: {error}")
    settings = Settings(**values, variables=MappingProxyType(merged | given_texts))
    faults += _contradictions(settings)
    if faults:
        raise SettingsError("; ".join(faults))
    return settings


def unknown(env_file: Path) -> dict[str, str | None]:
    """Names in the file that no setting has, and the one that each may have meant; a provider's package may know them.

    Raises SettingsError.
    """
    declared = [variable["name"] for variable in variables()]
    known = {*declared, *(f"{variable['name']}_FILE" for variable in variables() if variable["secret"])}
    others = [name for name in read_env_file(env_file) if name not in known]
    return {name: next(iter(difflib.get_close_matches(name, declared, 1, 0.8)), None) for name in others}


def read_env_file(path: Path) -> dict[str, str]:
    """Lines of NAME=value; blank ones and those with `#` are skipped, quotes around a value are taken off."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the env file can't be read: {error}") from None
    found = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, separator, value = text.partition("=")
        if not separator or not name.strip():
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
    if (settings.otel_username is None) != (settings.otel_password is None):
        faults.append("OTEL_USERNAME and OTEL_PASSWORD must be set together or not at all")
    if settings.production and settings.otel_enabled and settings.otel_password is None:
        faults.append("OTEL_USERNAME and OTEL_PASSWORD must be set when OTEL_ENABLED=true and NODE_ENV=production")
    if settings.otel_enabled and settings.otel_metrics_path.startswith(("/api/", "/docs", "/spec")):
        faults.append("OTEL_METRICS_PATH must be outside /api, /docs and /spec")
    publishing = (settings.cloudflare_api_token, settings.cloudflare_zone_id, settings.dns_base_domain)
    if any(publishing) and not all(publishing):
        faults.append("CLOUDFLARE_API_TOKEN, CLOUDFLARE_ZONE_ID and DNS_BASE_DOMAIN must be set together or not at all")
    return faults


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
