"""A daemon with a mail server: codes arrive by mail and lie sealed until then, whatever happens on the way."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import psycopg2
import pytest

from tests.harness.daemons import RunningDaemon, daemon_process, running_daemon
from tests.harness.people import PASSWORD, Customer, Refused
from tests.harness.ports import free_port
from tests.smtp.post_office import PostOffice, text_of

ANNA = "anna@example.com"
ARRIVES_SECONDS = 20.0


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def mailing(database: str, home: Path, port: int, **settings: Any) -> Any:
    return running_daemon(database, home, smtp_host="127.0.0.1", smtp_port=port, smtp_secure="none", **settings)


def anybody(http: aiohttp.ClientSession, daemon: RunningDaemon) -> Customer:
    return Customer(http, daemon.url, "default", daemon.zone, daemon.audit)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(ARRIVES_SECONDS):
        while not holds():  # noqa: ASYNC110 (seen from outside)
            await asyncio.sleep(0.02)


def code_in(office: PostOffice) -> str:
    found = re.search(r"^    ([A-Z0-9]{6})\r?$", text_of(office.received[-1]), re.MULTILINE)
    assert found is not None
    return found[1]


def rows(database: str, sql: str) -> list[Any]:
    connection = psycopg2.connect(database)
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall()
    finally:
        connection.close()


async def test_anna_confirms_her_address_and_later_resets_her_password(
    database: str, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with PostOffice().opened() as office, mailing(database, tmp_path, office.port) as daemon:
        await daemon.admin()
        anna = anybody(http, daemon)
        await anna.post("/auth/register", {"email": ANNA, "password": PASSWORD})
        await until(lambda: office.received)
        assert office.recipients == [ANNA]
        await anna.post("/auth/confirm-email", {"email": ANNA, "code": code_in(office)})
        await anna.log_in(ANNA)

        await anna.post("/auth/request-password-reset", {"email": "nobody@example.com"})
        await anna.post("/auth/request-password-reset", {"email": ANNA})
        await until(lambda: len(office.received) == 2)
        assert office.recipients == [ANNA, ANNA], "nobody gets no mail"
        reset = {
            "email": ANNA,
            "code": code_in(office),
            "newPassword": "another horse",
        }
        await anna.post("/auth/reset-password", reset)
        await until(lambda: rows(database, "SELECT count(*) FROM outbox") == [(0,)])


async def test_a_code_waits_sealed_for_the_server_to_come_back(
    database: str, tmp_path: Path, http: aiohttp.ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    async with mailing(database, tmp_path, port) as daemon:
        await daemon.admin()
        anna = anybody(http, daemon)
        await anna.post("/auth/register", {"email": ANNA, "password": PASSWORD})
        await until(lambda: rows(database, "SELECT 1 FROM outbox WHERE attempts > 0"))
        everything = str(
            rows(database, "SELECT outbox::text FROM outbox") + rows(database, "SELECT j::text FROM journal j")
        )
        assert '"sealed_code":"v1:' in everything.replace('""', '"')
        async with PostOffice().opened(port=port) as office:
            await until(lambda: office.received)
            code = code_in(office)
            assert code not in everything
            await anna.post("/auth/confirm-email", {"email": ANNA, "code": code})
    told = capsys.readouterr().out
    assert "mail_sent" in told
    assert code not in told


async def test_a_lost_answer_means_the_same_mail_again(
    database: str, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with PostOffice().opened() as office, mailing(database, tmp_path, office.port) as daemon:
        await daemon.admin()
        office.lose_answers = 1
        await anybody(http, daemon).post("/auth/register", {"email": ANNA, "password": PASSWORD})
        await until(lambda: len(office.received) == 2)
        first, second = office.received
        assert first["Message-ID"] == second["Message-ID"]
        assert text_of(first) == text_of(second)


@pytest.mark.heavy
async def test_a_daemon_killed_in_between_sends_the_same_mail_after_its_restart() -> None:
    async with PostOffice().opened() as office:
        environment = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(office.port), "SMTP_SECURE": "none"}
        async with daemon_process(**environment) as daemon:
            admin = await daemon.admin()
            taken = asyncio.Event()
            office.before_answer = taken.wait
            await admin.post("/auth/register", {"email": ANNA, "password": PASSWORD})
            await until(lambda: office.received)
            await daemon.kill()
            taken.set()
            await daemon.start()
            await until(lambda: len(office.received) == 2)
            first, second = office.received
            assert first["Message-ID"] == second["Message-ID"]
            assert "confirmation_code" not in daemon.log.read_text()
            assert code_in(office) not in daemon.log.read_text()


async def test_a_refused_recipient_is_given_up_at_once(
    database: str, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with PostOffice().opened() as office, mailing(database, tmp_path, office.port) as daemon:
        await daemon.admin()
        office.rcpt = "550 no such user"
        await anybody(http, daemon).post("/auth/register", {"email": ANNA, "password": PASSWORD})
        await until(lambda: rows(database, "SELECT 1 FROM journal WHERE kind = 'effect.given_up'"))
        assert rows(database, "SELECT attempts, failed_at IS NOT NULL FROM outbox") == [(1, True)]


async def test_an_expired_code_is_not_sent(database: str, tmp_path: Path, http: aiohttp.ClientSession) -> None:
    port = free_port()
    async with mailing(database, tmp_path, port, confirmation_code_ttl_minutes=0) as daemon:
        await daemon.admin()
        await anybody(http, daemon).post("/auth/register", {"email": ANNA, "password": PASSWORD})
        await until(lambda: rows(database, "SELECT 1 FROM outbox WHERE failed_at IS NOT NULL"))
        [(reason,)] = rows(database, "SELECT last_error FROM outbox")
        assert "expired" in reason


@pytest.mark.parametrize("route", ["/auth/register", "/auth/request-password-reset"])
async def test_production_without_a_mail_server_says_so(
    database: str, tmp_path: Path, http: aiohttp.ClientSession, route: str
) -> None:
    production = {"environment": "production", "test_clock": False}
    async with running_daemon(database, tmp_path, check=False, **production) as daemon:
        body = {"email": ANNA} | ({"password": PASSWORD} if route.endswith("register") else {})
        with pytest.raises(Refused) as refused:
            await anybody(http, daemon).post(route, body)
        assert (refused.value.status, refused.value.message) == (503, "Mail is not configured")
        assert rows(database, "SELECT count(*) FROM users") == [(0,)]
