"""What the operator may set about access, and what production refuses to start with."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from decabilld.keys import encryption_key, jwt_secret
from decabilld.settings import SettingsError, load

PRODUCTION = {
    "NODE_ENV": "production",
    "JWT_SECRET": "x" * 32,
    "ENCRYPTION_KEY": "00" * 32,
    "CORS_ORIGIN": "https://app.example.org",
}
KEYCLOAK = {
    "KEYCLOAK_AUTH_SERVER_URL": "https://id.example.org/",
    "KEYCLOAK_REALM": "shop",
    "KEYCLOAK_CLIENT_ID": "billing",
}


@pytest.mark.parametrize(
    ("environment", "method"),
    [
        ({}, "users"),
        (KEYCLOAK, "keycloak"),
        ({**KEYCLOAK, "STATIC_API_KEY": "key"}, "api-key"),
        ({**KEYCLOAK, "STATIC_API_KEY": "key", "AUTHENTICATION_METHOD": "users"}, "users"),
    ],
)
def test_the_method_follows_from_what_is_set(environment: dict[str, str], method: str) -> None:
    assert load(environment).authentication == method


def test_development_is_open_and_production_limited() -> None:
    open_, closed = load({}), load(PRODUCTION)
    assert (open_.cors_origins, open_.rate_limited) == (("*",), False)
    assert (closed.cors_origins, closed.rate_limited) == (("https://app.example.org",), True)
    assert not load({**PRODUCTION, "RATE_LIMIT_ENABLED": "false"}).rate_limited


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({**PRODUCTION, "CORS_ORIGIN": ""}, "CORS_ORIGIN must be set"),
    ({**PRODUCTION, "JWT_SECRET": ""}, "JWT_SECRET must be set"),
    ({"AUTHENTICATION_METHOD": "keycloak"}, "KEYCLOAK_REALM must be set"),
    ({**KEYCLOAK, "KEYCLOAK_CLIENT_ID": ""}, "KEYCLOAK_CLIENT_ID must be set"),
    ({"KEYCLOAK_AUTH_SERVER_URL": "id.example.org"}, "KEYCLOAK_AUTH_SERVER_URL must be an address"),
    ({"AUTHENTICATION_METHOD": "api-key"}, "STATIC_API_KEY must be set"),
    ({"CORS_ORIGIN": "app.example.org"}, "CORS_ORIGIN must be origins"),
    ({"CORS_ORIGIN": "https://app.example.org/path"}, "CORS_ORIGIN must be origins"),
    ({"TRUSTED_PROXIES": "10.0.0.0/33"}, "TRUSTED_PROXIES must be addresses"),
    ({"RATE_LIMIT_LIMIT": "0"}, "RATE_LIMIT_LIMIT must be a whole number"),
    ({"RATE_LIMIT_TTL": "-1"}, "RATE_LIMIT_TTL must be a whole number"),
]


@pytest.mark.parametrize(("environment", "said"), REFUSED)
def test_what_cannot_be_used_is_named(environment: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(environment)


def test_addresses_and_networks() -> None:
    settings = load({**KEYCLOAK, "TRUSTED_PROXIES": "10.0.0.0/8, ::1"})
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert settings.keycloak_auth_server_url == "https://id.example.org"


@pytest.mark.parametrize("name", ["ENCRYPTION_KEY", "ENCRYPTION_KEY_PREVIOUS"])
def test_a_key_is_looked_at_with_the_other_settings(name: str) -> None:
    keys = {"ENCRYPTION_KEY": "00" * 32, "ENCRYPTION_KEY_PREVIOUS": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="}
    load(keys)
    for wrong in ("zz", "00" * 31, "00" * 33, "q6ur"):
        with pytest.raises(SettingsError, match=f"{name} must be 32 bytes, as 64 hex digits or base64"):
            load({**keys, name: wrong})


def test_a_kept_secret_that_was_emptied_signs_and_seals_nothing(tmp_path: Path) -> None:
    settings = load({"DECABILLD_DATA_DIR": str(tmp_path)})
    assert len(jwt_secret(settings)) >= 32
    for name, take in (("jwt_secret", jwt_secret), ("encryption_key", encryption_key)):
        (tmp_path / name).write_text("\n")
        with pytest.raises(SettingsError, match=f"{name} must"):
            take(settings)
