"""A daemon on a PostgreSQL that isn't its own: half a year of billing, its restart under load, moves there and back."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import psycopg2
import pytest

from decabilld.demo.checks import check
from decabilld.demo.story import SETTINGS, Story
from decabilld.demo.subprocess_daemon import running_daemon
from decabilld.demo.teller import Teller
from decabilld.store.embedded import EmbeddedPostgres
from tests.control.command import decabilld
from tests.crash.test_kill import Town
from tests.crash.writers import PASSWORD
from tests.external.server import ExternalPostgres
from tests.external.versions import PACKAGED
from tests.harness.daemons import daemon_process
from tests.harness.scratch import scratch_directory
from tests.operations.archives import rows, sql

AWAY_SECONDS = 2.0
BACK_SECONDS = 45.0


class TownElsewhere(Town):
    """Its books lie in a database that isn't the daemon's own."""

    external: ExternalPostgres

    @property
    def _dsn(self) -> str:
        return self.external.dsn


@pytest.fixture
def room() -> Iterator[Path]:
    """A directory of its own, not one of pytest\'s, which are closed to the database\'s unprivileged user."""
    with scratch_directory("decabilld-external-room-") as room:
        yield room


def test_the_whole_story_is_told_on_it(external: ExternalPostgres) -> None:
    with running_daemon({**SETTINGS, **external.environment}) as daemon:
        story = Story(daemon.address, Teller())
        story.catalog()
        story.half_a_year()
        checks = list(check(daemon, story))
        assert len(checks) >= 8
        assert not Path(daemon.environment["DECABILLD_DATA_DIR"], "postgres").exists(), "it has none of its own"
        encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'billing'"
        assert sql(external.root_dsn, encrypted) == [(True,)]


@pytest.mark.heavy
async def test_its_restart_under_load_is_an_absence_not_an_end(external: ExternalPostgres) -> None:
    async with daemon_process(LOG_LEVEL="warning", **external.environment) as process:
        town = TownElsewhere(process, seed=5)
        town.external = external
        await town.settle()
        pid = process.pid
        async with town.writing():
            for _ in range(1 if external.version in PACKAGED else 2):
                await asyncio.sleep(0.7)
                absence = asyncio.create_task(external.stopped_for(AWAY_SECONDS))
                await asyncio.sleep(AWAY_SECONDS / 2)
                before = town.tally.unavailable
                status, answer = await operator_asks(town)
                assert status == 503, answer
                await absence
                began, answered = time.monotonic(), town.tally.answered
                await process.until_ready(BACK_SECONDS)
                async with asyncio.timeout(BACK_SECONDS):
                    while town.tally.answered < answered + 20:  # noqa: ASYNC110
                        await asyncio.sleep(0.02)
                print(f"answering again after {time.monotonic() - began:.2f} s")
                assert town.tally.unavailable > before
        assert process.pid == pid
        await town.prove()


async def operator_asks(town: Town) -> tuple[int, bytes]:
    """A write, tried once."""
    for _ in range(20):
        with suppress(aiohttp.ClientError, TimeoutError):
            return await town.operator.ask("POST", "/users", {"email": "late@town.example", "password": PASSWORD})
    raise AssertionError("no answer at all")


@pytest.mark.heavy
async def test_books_move_there_and_back(external: ExternalPostgres, room: Path) -> None:
    """Embedded 18 to another version, there it goes on, and back again."""
    async with daemon_process() as process:
        town = Town(process, seed=6)
        await town.settle()
        async with town.writing():
            await asyncio.sleep(1)
        await process.stop()
        there = await decabilld("backup", str(room / "there.tar"), data_dir=process.data_dir)
        assert there.code == 0, there
        own = await all_rows(process.data_dir)
        kept = {path.name: path.read_bytes() for path in (process.data_dir / "documents").rglob("*.pdf")}

    refused = await decabilld("restore", str(room / "there.tar"), data_dir=room / "x", **external.environment,
                              BILLING_INVOICE_PDF_STORAGE_PATH=str(room))  # fmt: skip
    assert refused.code == 1
    assert "is not empty" in refused.err
    assert rows(external.root_dsn) == {}

    moved = await decabilld(
        "restore", str(room / "there.tar"), "--verify", data_dir=room / "moved", **external.environment
    )
    assert moved.code == 0, moved
    assert rows(external.root_dsn) == own
    assert {path.name: path.read_bytes() for path in (room / "moved" / "documents").rglob("*.pdf")} == kept
    again = await decabilld("restore", str(room / "there.tar"), data_dir=room / "again", **external.environment)
    assert again.code == 1
    assert "an empty one" in again.err

    async with daemon_process(**external.environment) as process:
        operator = await process.log_in("operator@town.example")
        await operator.bills_now()
        doctor = await decabilld("doctor", data_dir=process.data_dir, **external.environment)
        assert f"PostgreSQL {external.version}." in doctor.out
        assert "fsync off" in doctor.out
    back = await decabilld("backup", str(room / "back.tar"), data_dir=room / "moved", **external.environment)
    assert back.code == 0, back
    done = await decabilld("restore", str(room / "back.tar"), "--verify", data_dir=room / "home")
    assert done.code == 0, done
    assert await all_rows(room / "home") == rows(external.root_dsn)


async def test_without_its_password_it_says_so(external: ExternalPostgres, room: Path) -> None:
    done = await decabilld("migrate", data_dir=room, **{**external.environment, "DB_PASSWORD": "wrong"})
    assert done.code == 1
    assert "password authentication failed" in done.err
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(external.dsn, password="wrong")


async def all_rows(home: Path) -> dict[str, object]:
    """Of a daemon that is stopped."""
    postgres = EmbeddedPostgres(home, max_connections=5)
    await postgres.start()
    try:
        return rows(postgres.dsn)
    finally:
        await postgres.stop()
