"""The doctor before each patient: what is well is said to be, what is wrong is named with what to do."""

import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import psycopg2
import pytest
from aiohttp import web
from psycopg2.extensions import parse_dsn

from decabilld.control.socket_file import control_path
from decabilld.doctor import database as database_look
from decabilld.doctor.machine import machine
from decabilld.settings import Settings
from decabilld.store.condition import Condition
from tests.control.command import decabilld
from tests.harness.daemons import ISSUER, daemon_process
from tests.smtp.post_office import PASSWORD, USER, PostOffice, authority

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
PATHS = ("/v1/balance", "/hetzner/servers", "/ocean/account", "/flare/zones/z1/dns_records", "/realms/firm/protocol/openid-connect/certs")  # fmt: skip # noqa: E501
BILLING = {f"BILLING_{name.upper()}": value for name, value in ISSUER.items()}


class Town:
    """Everybody whom a daemon talks to, at one address; `status` is what each answers to the right token."""

    def __init__(self) -> None:
        self.status, self.asked, self.url = 200, list[str](), ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path.startswith("/realms"):
            return web.json_response({"keys": [{"kid": "1"}] if self.status == 200 else []})
        good = request.headers.get("Authorization") in ("Bearer token", "Bearer sk_live_token")
        return web.json_response({}, status=self.status if good else 401)

    def settings(self, token: str = "token") -> dict[str, str]:
        return {
            "STRIPE_SECRET_KEY": f"sk_live_{token}", "STRIPE_WEBHOOK_SECRET": "w", "STRIPE_API_BASE": self.url,
            "HETZNER_API_TOKEN": token, "HETZNER_API_BASE": f"{self.url}/hetzner",
            "DIGITALOCEAN_API_TOKEN": token, "DIGITALOCEAN_API_BASE": f"{self.url}/ocean",
            "CLOUDFLARE_API_TOKEN": token, "CLOUDFLARE_API_BASE": f"{self.url}/flare", "CLOUDFLARE_ZONE_ID": "z1",
            "DNS_BASE_DOMAIN": "127.0.0.1",  # known without a name server
            "KEYCLOAK_AUTH_SERVER_URL": self.url, "KEYCLOAK_REALM": "firm", "KEYCLOAK_CLIENT_ID": "c",
        }  # fmt: skip


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    town = Town()
    async with served(town.answer) as port:
        town.url = f"http://127.0.0.1:{port}"
        yield town


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    return authority(tmp_path)[1]


async def test_who_is_well_is_said_to_be(database: str, town: Town, tmp_path: Path, context: ssl.SSLContext) -> None:
    async with PostOffice().opened(login=True) as office, served(town.answer, context) as port:
        mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(office.port), "SMTP_USER": USER, "SMTP_PASSWORD": PASSWORD}
        public = {"PUBLIC_URL": f"https://127.0.0.1:{port}", "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
        code, found = await looked(tmp_path, database, **town.settings(), **mail, **public)
        assert office.received == [], found
        assert len(office.logins) == 1
    # The certificate of the tests lives for an hour.
    assert {name: says for name, (ok, says) in found.items() if not ok} == {
        "certificate": "127.0.0.1: it expires in 0 days: renew it now"
    }
    assert code == 1
    assert sorted(set(town.asked)) == sorted(PATHS)
    assert found["mail"][1] == f"127.0.0.1 takes mail from {USER}"
    assert found["database"][1].startswith("PostgreSQL 18.")
    assert found["schema"][1] == "it is this version's"


async def test_whoever_refuses_or_is_away_is_named(database: str, town: Town, tmp_path: Path) -> None:
    async with PostOffice().opened(login=True) as office:
        mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(office.port), "SMTP_USER": USER, "SMTP_PASSWORD": "wrong"}
        code, found = await looked(tmp_path, database, **town.settings("stale"), **mail)
    assert code == 1
    bad = {name: says for name, (ok, says) in found.items() if not ok}
    assert bad.keys() == {"mail", "Stripe", "Hetzner", "DigitalOcean", "Cloudflare"}, bad
    assert "refuses SMTP_USER and SMTP_PASSWORD" in bad["mail"]
    assert "refuses HETZNER_API_TOKEN (status 401)" in bad["Hetzner"]
    assert "stale" not in json.dumps(bad), "no token is shown"

    town.status = 503
    _, found = await looked(tmp_path, database, **town.settings(), SMTP_HOST="127.0.0.1", SMTP_PORT=str(office.port))
    bad = {name: says for name, (ok, says) in found.items() if not ok}
    assert bad.keys() == {"mail", "Stripe", "Hetzner", "DigitalOcean", "Cloudflare", "Keycloak"}
    assert "status 503" in bad["Stripe"]

    away = {name: value.replace(town.url, "http://127.0.0.1:1") for name, value in town.settings().items()}
    _, found = await looked(tmp_path, database, **away | {"DNS_BASE_DOMAIN": "no.such.domain.invalid"})
    bad = {name: says for name, (ok, says) in found.items() if not ok}
    assert bad.keys() == {"Stripe", "Hetzner", "DigitalOcean", "Cloudflare", "Keycloak", "DNS"}
    assert "can't be reached" in bad["Cloudflare"]


async def test_a_certificate_that_nobody_trusts_is_wrong(
    database: str, town: Town, tmp_path: Path, context: ssl.SSLContext
) -> None:
    async with served(town.answer, context) as port:
        _, found = await looked(tmp_path, database, PUBLIC_URL=f"https://127.0.0.1:{port}")
    assert found["certificate"][0] is False
    assert "CERTIFICATE_VERIFY_FAILED" in found["certificate"][1]


async def test_a_database_that_forgets_is_wrong(database: str, tmp_path: Path) -> None:
    name = parse_dsn(database)["dbname"]
    run(database, f"ALTER DATABASE {name} SET synchronous_commit = off")
    code, found = await looked(tmp_path, database)
    assert code == 1
    # The server of the tests has no fsync either, for speed.
    assert found["durability"] == (False, "fsync, full_page_writes, synchronous_commit off: acknowledged invoices "
                                          "can be lost; set to on")  # fmt: skip

    run(database, "INSERT INTO schema_migrations (number, name, sha256) VALUES (9999, '9999_later.sql', 'x')")
    _, found = await looked(tmp_path, database, DB_READ_CONNECTIONS="200")
    assert not found["schema"][0]
    assert "newer than this version" in found["schema"][1]
    assert found["connections"] == (False, "57 are offered, 213 needed: raise max_connections")

    _, found = await looked(tmp_path, database, DB_HOST="127.0.0.1", DB_PORT="1")
    assert not found["database"][0]
    assert "see DB_HOST" in found["database"][1]


def test_a_database_newer_than_all_that_were_tried_is_well_but_said_to_be() -> None:
    found = [database_look._server(of_version(number)) for number in (180_004, 190_000)]
    assert [one.ok for one in found] == [True, True]
    assert ["tried" in one.says for one in found] == [False, True]


def test_clocks_may_differ_by_the_time_that_asking_takes() -> None:
    assert database_look._clock(timedelta(seconds=1)).ok
    assert "-3.0 s" in database_look._clock(timedelta(seconds=-3)).says


async def test_a_clock_that_was_set_back_is_wrong(database: str, tmp_path: Path) -> None:
    run(database, "INSERT INTO tenant_heads VALUES ('t', gen_random_uuid(), 1, 1, '')")
    run(database, "INSERT INTO journal VALUES ('t', 1, now() + interval '1 day', '', '', '', '', '', '', "
        "gen_random_uuid(), NULL, NULL, '{}', '')")  # fmt: skip
    _, found = await looked(tmp_path, database)
    assert not found["time"][0]
    _, found = await looked(tmp_path, database, TEST_CLOCK="true")
    assert "time" not in found


async def test_settings_that_can_t_be_used_are_the_first_finding(tmp_path: Path) -> None:
    done = await decabilld("doctor", data_dir=tmp_path, PORT="x", LOG_LEVEL="loud")
    assert done.code == 1
    assert done.out.count("WRONG  settings") == 2
    done = await decabilld("doctor", "--json", data_dir=tmp_path, **BILLING | {"BILLING_ISSUER_IBAN": ""})
    assert {"check": "settings", "ok": False, "says": "no invoice can be issued before these are set: "
            "BILLING_ISSUER_IBAN"} in json.loads(done.out)  # fmt: skip


async def test_a_schema_is_planned_and_applied(empty: str, room: Path) -> None:
    server = parse_dsn(empty)
    external = {"DB_HOST": server["host"], "DB_USERNAME": server["user"], "DB_DATABASE": server["dbname"]}
    usable = await decabilld("check-config", "--json", data_dir=room, **{**BILLING, "BILLING_ISSUER_IBAN": ""})
    assert json.loads(usable.out) == {"usable": True, "missingForInvoices": ["BILLING_ISSUER_IBAN"], "unknown": []}
    for arguments, said in (
        (["--plan", "--json"], '{"pending": ["0001_initial.sql"]}'),
        (["--plan"], "pending: 0001_initial.sql"),
        (["--apply"], "applied: 0001_initial.sql"),
        (["--apply", "--json"], '{"applied": []}'),
        (["--plan"], "Nothing to apply."),
    ):
        done = await decabilld("migrate", *arguments, data_dir=room, **external)
        assert (done.code, done.out.strip()) == (0, said)


async def test_a_daemon_is_looked_at_while_it_runs(room: Path) -> None:
    async with daemon_process() as process:
        port = process.url.split(":")[2].split("/")[0]
        done = await decabilld("doctor", data_dir=process.data_dir, PORT=port, **BILLING)
        assert done.code == 0, done
        assert "it runs and is ready" in done.out
        assert "fsync, full_page_writes and synchronous_commit are on" in done.out
        deaf = await decabilld("doctor", data_dir=process.data_dir, PORT="1", **BILLING)
        assert deaf.code == 1
        assert "doesn't answer" in deaf.out
        said = json.loads((await decabilld("version", "--json", data_dir=process.data_dir)).out)
        assert said["database"]["postgresql"].startswith("18.")
        assert said["database"]["schema"] == said["schema"]
        plan = await decabilld("migrate", "--plan", "--json", data_dir=process.data_dir)
        assert json.loads(plan.out) == {"pending": []}
    nobody = await decabilld("version", data_dir=room / "nobody")
    assert (nobody.code, nobody.out.strip().endswith("database: not reached")) == (0, True)


# ---


def of_version(number: int) -> Condition:
    return Condition(version=number, version_text=f"{number // 10_000}.x", settings={}, clock=datetime.now(UTC),
                     size_bytes=0, standby=False, encoding="UTF8", encrypted=True)  # fmt: skip


async def test_a_daemon_that_hangs_is_said_to(room: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket(socket.AF_UNIX) as control:
        control.bind(str(control_path(room)))
        control.listen()
        settings = Settings(data_dir=room, host="127.0.0.1", port=silent.getsockname()[1])
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.05)) as http:
            found = await machine(settings, http)
    assert "/api/ready doesn't answer (time-out); see HOST, PORT" in found[-1].says


async def looked(home: Path, dsn: str, **environment: str) -> tuple[int, Mapping[str, tuple[bool, str]]]:
    """Exit code and findings by check."""
    server = parse_dsn(dsn)
    external = {"DB_HOST": server["host"], "DB_PORT": server["port"], "DB_USERNAME": server["user"],
                "DB_DATABASE": server["dbname"]}  # fmt: skip
    done = await decabilld("doctor", "--json", data_dir=home, **{**BILLING, **external, **environment})
    findings: list[dict[str, Any]] = json.loads(done.out)
    found = {one["check"]: (one["ok"], one["says"]) for one in findings}
    if environment.get("DB_PORT") is None and "durability" in found and "synchronous" not in found["durability"][1]:
        assert found.pop("durability")[0] is False, "the server of the tests has no fsync"
    return done.code, found


def run(dsn: str, statement: str) -> None:
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


@asynccontextmanager
async def served(answer: Any, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
