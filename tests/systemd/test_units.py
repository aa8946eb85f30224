"""What systemd itself says to our units, offline; and that neither they nor the example forget a setting."""

import re
import sys
from pathlib import Path

import pytest

from decabilld.settings import load, variables
from decabilld.settings.example import example, written
from tests.systemd.tools import run, tool

ROOT = Path(__file__).parents[2]
UNITS = ("decabilld.service", "decabilld.socket", "decabilld-socketio.socket")
EXPOSURE_MAX = 2.0


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with a program that exists here."""
    for name in UNITS:
        text = (ROOT / "systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/decabilld/bin/decabilld", sys.executable))
    return tmp_path


def test_systemd_finds_no_fault(units: Path) -> None:
    said = run(tool("systemd-analyze"), "verify", "--man=no", *(units / name for name in UNITS))
    assert "decabilld" not in said


def test_little_is_exposed(units: Path) -> None:
    said = run(tool("systemd-analyze"), "security", "--offline=true", units / "decabilld.service")
    level = re.search(r"Overall exposure level for decabilld.service: ([\d.]+)", said)
    assert level is not None, said
    print(level[0])
    assert float(level[1]) <= EXPOSURE_MAX


def test_the_user_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    run(tool("systemd-sysusers"), f"--root={tmp_path}", ROOT / "systemd" / "decabilld.sysusers")
    assert "decabilld:x:" in (tmp_path / "etc" / "passwd").read_text()


def test_every_secret_can_be_given_as_a_credential() -> None:
    text = (ROOT / "systemd" / "decabilld.service").read_text()
    given = re.findall(r"^LoadCredential=(\w+):decabilld\.(\w+)$", text, re.MULTILINE)
    assert given == [(variable["name"],) * 2 for variable in variables() if variable["secret"]]


def test_a_credential_is_read(tmp_path: Path) -> None:
    (tmp_path / "SMTP_PASSWORD").write_text("a secret\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path), "SMTP_USER": "mailer"}
    assert load(environment).smtp_password == "a secret"


def test_the_example_says_what_the_settings_do() -> None:
    assert (ROOT / "config" / "decabilld.env.example").read_text() == example(), "write it again: make settings"


def test_the_example_s_defaults_are_the_defaults() -> None:
    names = re.findall(r"^#(\w+)=", example(), re.MULTILINE)
    assert sorted(names) == sorted(variable["name"] for variable in variables())
    for variable in variables():
        if text := written(variable["default"]):
            assert variable["parse"](text) == variable["default"], variable["name"]


def test_commands_find_the_service_s_settings_and_secrets(tmp_path: Path) -> None:
    script = (ROOT / "systemd" / "decabilld.sh").read_text()
    for before, now in (("/etc/", f"{tmp_path}/"), ("/opt/decabilld/bin/decabilld", f"{sys.prefix}/bin/decabilld")):
        script = script.replace(before, now)
    (tmp_path / "credstore").mkdir()
    (tmp_path / "credstore" / "decabilld.JWT_SECRET").write_text("x" * 32)
    (tmp_path / "credstore" / "decabilld.ENCRYPTION_KEY").write_text("00" * 32)
    (tmp_path / "decabilld").mkdir()
    settings = tmp_path / "decabilld" / "decabilld.env"
    settings.write_text("NODE_ENV=production\nCORS_ORIGIN=https://app.example.org\n")
    assert "The settings can be used." in run("sh", "-c", script, "decabilld", "check-config")
    (tmp_path / "credstore" / "decabilld.JWT_SECRET").unlink()
    with pytest.raises(AssertionError, match="JWT_SECRET must be set"):
        run("sh", "-c", script, "decabilld", "check-config")


def test_the_service_s_secrets_start_no_second_daemon() -> None:
    script = (ROOT / "systemd" / "decabilld.sh").read_text().replace("exec /opt", "echo started /opt")
    with pytest.raises(AssertionError, match="systemd starts the service") as refused:
        run("sh", "-c", script, "decabilld", "serve")
    assert "started" not in str(refused.value)
    assert "started" in run("sh", "-c", script, "decabilld", "doctor")
