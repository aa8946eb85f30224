"""`create-admin` and `import-users`, beside a running daemon and without one."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import bcrypt
import psycopg2
import pytest
from argon2 import PasswordHasher

from decabilld.store.embedded import read_dsn
from tests.control.command import decabilld
from tests.harness.daemons import DaemonProcess, RunningDaemon, running_daemon
from tests.harness.people import PASSWORD, Customer, Refused
from tests.harness.scratch import scratch_directory

ROOT, ANNA, BEN = "root@example.com", "anna@example.com", "ben@example.com"
CONFIRMED = "2024-05-01T12:00:00Z"
CHEAP_ARGON2 = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)


@pytest.fixture
async def daemon(database: str, tmp_path: Path) -> AsyncIterator[RunningDaemon]:
    async with running_daemon(database, tmp_path, tenants=("default", "acme"), disable_signup=True) as daemon:
        yield daemon


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def home() -> Iterator[Path]:
    """A data directory of its own."""
    with scratch_directory("decabilld-control-") as home:
        yield home / "data"


def anybody(http: aiohttp.ClientSession, daemon: RunningDaemon, tenant: str = "default") -> Customer:
    return Customer(http, daemon.url, tenant, daemon.zone, daemon.audit)


def lines(*users: dict[str, Any]) -> str:
    return "".join(json.dumps(user) + "\n" for user in users)


def rows(dsn: str, sql: str) -> list[Any]:
    connection = psycopg2.connect(dsn)
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall()
    finally:
        connection.close()


async def test_the_first_admin_is_made_beside_a_daemon_where_nobody_may_sign_up(
    daemon: RunningDaemon, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    done = await decabilld(
        "create-admin", "--tenant", "acme", "--email", ROOT, data_dir=tmp_path, stdin=f"{PASSWORD}\n"
    )
    assert (done.code, done.out, done.err) == (0, f"{ROOT} is an administrator of acme now.\n", "")
    root = anybody(http, daemon, "acme")
    await root.log_in(ROOT)
    assert [user["role"] for user in await root.get("/users")] == ["admin"]
    with pytest.raises(Refused):
        await anybody(http, daemon).log_in(ROOT)


async def test_an_account_that_is_there_stays_as_it_is(daemon: RunningDaemon, tmp_path: Path) -> None:
    create = ("create-admin", "--email", ROOT)
    first = await decabilld(*create, "--json", data_dir=tmp_path, stdin=PASSWORD)
    assert json.loads(first.out)["role"] == "admin"
    again = await decabilld(*create, data_dir=tmp_path, stdin="another password")
    assert again.code == 1
    assert "has an account in default already" in again.err


@pytest.mark.parametrize(
    ("arguments", "password", "said"),
    [
        (("--email", ROOT), "short", "password:"),
        (("--email", ROOT), "", "password:"),
        (("--email", "root"), PASSWORD, "email:"),
        (("--email", ROOT, "--tenant", "elsewhere"), PASSWORD, "elsewhere is not among the TENANTS"),
    ],
)
async def test_what_could_not_register_is_refused(
    daemon: RunningDaemon, tmp_path: Path, arguments: tuple[str, ...], password: str, said: str
) -> None:
    done = await decabilld("create-admin", *arguments, data_dir=tmp_path, stdin=f"{password}\n")
    assert done.code == 1
    assert said in done.err
    assert "Traceback" not in done.err


async def test_users_move_in_with_their_passwords(
    daemon: RunningDaemon, database: str, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    text = lines(
        {"email": ANNA, "passwordHash": CHEAP_ARGON2, "role": "admin", "emailConfirmedAt": CONFIRMED},
        {"email": BEN, "passwordHash": old, "emailConfirmedAt": CONFIRMED},
        {"email": "cem@example.com", "passwordHash": old},
    )
    for expected in ({"created": 3, "known": 0, "faults": []}, {"created": 0, "known": 3, "faults": []}):
        done = await decabilld("import-users", "--json", "-", data_dir=tmp_path, stdin=text)
        assert (done.code, json.loads(done.out)) == (0, expected), done.err
    for email in (ANNA, BEN):
        await anybody(http, daemon).log_in(email)
    with pytest.raises(Refused, match="EMAIL_NOT_CONFIRMED"):
        await anybody(http, daemon).log_in("cem@example.com")
    found = rows(database, "SELECT email, role, email_confirmed_at FROM users ORDER BY email")
    assert [(email, role, at and at.isoformat()[:16]) for email, role, at in found] == [
        (ANNA, "admin", "2024-05-01T12:00"),
        (BEN, "user", "2024-05-01T12:00"),
        ("cem@example.com", "user", None),
    ]


async def test_each_bad_line_is_named_and_no_good_one_lost(
    daemon: RunningDaemon, database: str, tmp_path: Path
) -> None:
    good = {"email": ANNA, "passwordHash": CHEAP_ARGON2}
    bad = [
        "{",
        lines({**good, "email": "anna"}),
        lines({**good, "passwordHash": "secret"}),
        lines({**good, "passwordHash": "$argon2id$v=19$m=99999999,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo"}),
        lines({**good, "role": "king"}),
        lines({**good, "emailConfirmedAt": "yesterday"}),
        lines({**good, "isAdmin": True}),
        lines({"email": ANNA}),
        "x" * 100_000,
    ]
    users = tmp_path / "users.jsonl"
    users.write_text(
        "\n".join([lines(good).strip(), *(line.strip() for line in bad), "", lines({**good, "email": BEN})])
    )
    done = await decabilld("import-users", str(users), data_dir=tmp_path)
    assert done.code == 1
    assert done.out == f"2 made, 0 known before, {len(bad)} bad lines left out.\n"
    told = done.err.splitlines()
    assert [line.split(":")[0] for line in told] == [f"line {number}" for number in range(2, 2 + len(bad))]
    for line, word in zip(told, ["", "email", "passwordHash", "m=262144", "king", "emailConfirmedAt", "isAdmin",
                                 "passwordHash", ""], strict=True):  # fmt: skip
        assert word in line
    assert rows(database, "SELECT email FROM users ORDER BY email") == [(ANNA,), (BEN,)]


async def test_ten_thousand_users_move_in_within_seconds(daemon: RunningDaemon, database: str, tmp_path: Path) -> None:
    users = tmp_path / "users.jsonl"
    users.write_text(lines(*({"email": f"user{n}@example.com", "passwordHash": CHEAP_ARGON2} for n in range(10_000))))
    started = monotonic()
    done = await decabilld("import-users", str(users), data_dir=tmp_path)
    seconds = monotonic() - started
    assert done.out.startswith("10000 made"), done.err
    assert rows(database, "SELECT count(*) FROM users") == [(10_000,)]
    assert seconds < 20


@pytest.mark.heavy
async def test_without_a_daemon_the_commands_start_just_enough(home: Path, http: aiohttp.ClientSession) -> None:
    create = ("create-admin", "--email", ROOT)
    done = await decabilld(*create, data_dir=home, stdin=PASSWORD)
    assert (done.code, done.err) == (0, "")
    assert read_dsn(home) is None, "what it started it has stopped"

    daemon = DaemonProcess(home, http, {"TEST_CLOCK": "false"})
    await daemon.start()
    try:
        root = await daemon.log_in(ROOT)
        assert [user["email"] for user in await root.get("/users")] == [ROOT]
        again = await decabilld(*create, data_dir=home, stdin=PASSWORD)
        assert "has an account" in again.err

        await daemon.kill()
        text = lines({"email": ANNA, "passwordHash": CHEAP_ARGON2, "emailConfirmedAt": CONFIRMED})
        done = await decabilld("import-users", "-", data_dir=home, stdin=text)
        assert (done.code, done.out) == (0, "1 made, 0 known before, 0 bad lines left out.\n"), done.err
        await daemon.start()
        await daemon.log_in(ANNA)
        verified = await decabilld("verify-journal", data_dir=home)
        assert verified.code == 0, verified.out
    finally:
        await daemon.stop()
    assert not (home / "control.sock").exists()


async def test_a_daemon_whose_socket_is_elsewhere_keeps_its_tenants(
    daemon: RunningDaemon, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    settings = daemon.settings
    database = {
        "DB_HOST": str(settings.db_host),
        "DB_PORT": str(settings.db_port),
        "DB_USERNAME": settings.db_username,
        "DB_DATABASE": settings.db_database,
    }
    create = ("create-admin", "--email", ROOT)
    done = await decabilld(*create, data_dir=tmp_path / "other", stdin=PASSWORD, **database)
    assert done.code == 1
    assert "another decabilld uses this database" in done.err
    made = await decabilld(*create, data_dir=tmp_path, stdin=PASSWORD, **database)
    assert made.code == 0, "the daemon's own socket still serves, so nobody has taken the tenant"


async def test_accounts_are_not_made_where_others_keep_them(tmp_path: Path) -> None:
    done = await decabilld(
        "create-admin", "--email", ROOT, data_dir=tmp_path, stdin=PASSWORD, STATIC_API_KEY="an operator's key"
    )
    assert done.code == 2
    assert "AUTHENTICATION_METHOD is api-key" in done.err
