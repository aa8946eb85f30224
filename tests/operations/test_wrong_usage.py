"""What an operator gets wrong is said in one line that names the setting."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from tests.control.command import decabilld
from tests.harness.ports import free_port


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield str(listening.getsockname()[1])


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PORT": "TAKEN"}, "HOST=127.0.0.1 PORT=TAKEN can't be listened on: "),
        ({"WEBSOCKET_PORT": "TAKEN"}, "HOST=127.0.0.1 WEBSOCKET_PORT=TAKEN can't be listened on: "),
        ({"HOST": "203.0.113.9"}, "HOST=203.0.113.9 WEBSOCKET_PORT=0 can't be listened on: "),
        ({"DB_HOST": "127.0.0.1", "DB_PORT": "FREE"}, "DB_HOST=127.0.0.1 DB_PORT=FREE: "),
        ({"DECABILLD_DATA_DIR": "/etc/passwd"}, "DECABILLD_DATA_DIR=/etc/passwd can't be made a directory: "),
        ({"DECABILLD_DATA_DIR": "/etc/passwd/x"}, "DECABILLD_DATA_DIR=/etc/passwd/x can't be made a directory: "),
    ],
)
async def test_a_daemon_that_cannot_start_says_why(
    database: str, tmp_path: Path, taken: str, environment: dict[str, str], said: str
) -> None:
    server, free = parse_dsn(database), str(free_port())
    place = {"DB_HOST": server["host"], "DB_USERNAME": server["user"], "DB_DATABASE": server["dbname"]}
    own = {name: value.replace("TAKEN", taken).replace("FREE", free) for name, value in environment.items()}
    environment = {"PORT": "0", "WEBSOCKET_PORT": "0", "LOG_FORMAT": "json", "HOST": "127.0.0.1", **place, **own}
    done = await decabilld("serve", data_dir=tmp_path / "home", **environment)
    assert done.code == 1
    last = json.loads(done.out.splitlines()[-1])
    assert last["event"] == "start_failed"
    assert last["reason"].startswith(said.replace("TAKEN", taken).replace("FREE", free))
    assert "\n" not in last["reason"]


async def test_what_only_the_start_finds_of_the_settings_has_their_exit_code(database: str, tmp_path: Path) -> None:
    """systemd doesn't try those again every two seconds."""
    server = parse_dsn(database)
    place = {"DB_HOST": server["host"], "DB_USERNAME": server["user"], "DB_DATABASE": server["dbname"]}
    (tmp_path / "jwt_secret").write_text("short")
    done = await decabilld("serve", data_dir=tmp_path, PORT="0", WEBSOCKET_PORT="0", LOG_FORMAT="json", **place)
    assert (done.code, "jwt_secret must hold 32 characters" in done.out) == (2, True), done


async def test_a_setting_that_is_misspelt_in_the_env_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "decabilld.env"
    file.write_text("BILLING_TAX_RATE_STANDRD=20\nACME_REGION=north\nSMTP_PASSWORD_FILE=\nPORT=3200\n")
    told = await decabilld("check-config", "--env-file", str(file), data_dir=tmp_path)
    assert told.code == 0, "a provider's package may know them"
    assert told.out.splitlines()[1:3] == [
        "BILLING_TAX_RATE_STANDRD is no setting of decabilld: was BILLING_TAX_RATE_STANDARD meant?",
        "ACME_REGION is no setting of decabilld",
    ]
    told = await decabilld("check-config", "--json", "--env-file", str(file), data_dir=tmp_path)
    assert json.loads(told.out)["unknown"] == ["BILLING_TAX_RATE_STANDRD", "ACME_REGION"]
    looked = await decabilld("doctor", "--json", "--env-file", str(file), data_dir=tmp_path)
    said = [one["says"] for one in json.loads(looked.out) if one["check"] == "settings"]
    assert said[0] == "BILLING_TAX_RATE_STANDRD is no setting of decabilld: was BILLING_TAX_RATE_STANDARD meant?"
    file.write_text("=20\n")
    told = await decabilld("check-config", "--env-file", str(file), data_dir=tmp_path)
    assert (told.code, told.err) == (2, f"decabilld: {file}, line 1: expected NAME=value\n")
