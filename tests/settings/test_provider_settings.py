"""What the operator may set about providers of servers, and what a provider that is installed gets to see."""

from pathlib import Path

import pytest

from decabilld.settings import SettingsError, load, variables

NAMES = {"CLOUDFLARE_API_TOKEN": "t", "CLOUDFLARE_ZONE_ID": "z", "DNS_BASE_DOMAIN": "Cloud.Example.org"}


def test_names_are_published_with_all_three_or_not_at_all() -> None:
    assert load({}).dns_base_domain is None
    assert load(NAMES).dns_base_domain == "cloud.example.org"
    for lacking in NAMES:
        with pytest.raises(SettingsError, match="must be set together or not at all"):
            load({name: value for name, value in NAMES.items() if name != lacking})


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"HETZNER_API_BASE": "api.hetzner.cloud/v1"}, "HETZNER_API_BASE must be an address"),
        ({**NAMES, "DNS_BASE_DOMAIN": "-x.org"}, "DNS_BASE_DOMAIN must be a domain"),
        ({**NAMES, "DNS_BASE_DOMAIN": "localhost"}, "DNS_BASE_DOMAIN must be a domain"),
        ({"BACKORDER_RETRY_INTERVAL_MS": "10"}, "BACKORDER_RETRY_INTERVAL_MS must be a whole number"),
        ({"RECONCILE_DELETE_ORPHANS": "maybe"}, "RECONCILE_DELETE_ORPHANS must be true or false"),
    ],
)
def test_what_cannot_be_used_is_named(environment: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(environment)


def test_an_installed_provider_sees_its_own_variables_and_nobody_prints_them(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "env").write_text("ACME_REGION=north\nACME_TOKEN=from-file\n")
    environment = {"ACME_TOKEN": "from-environment", "HETZNER_API_TOKEN_FILE": str(tmp_path / "token")}
    settings = load(environment, tmp_path / "env")
    assert settings.variables["ACME_TOKEN"] == "from-environment"
    assert settings.variables["ACME_REGION"] == "north"
    assert settings.variables["HETZNER_API_TOKEN"] == settings.hetzner_api_token == "s3cret"
    assert "from-environment" not in repr(settings)
    assert "variables" not in {variable["field"] for variable in variables()}
