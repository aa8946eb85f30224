"""Why the daemon is unready: each cause is told by the next look, and no more by the one after its end.

Looks come every five seconds by themselves; here they come when a test wants one.
"""

import asyncio
import json
import os
import signal
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from decabilld import readiness
from decabilld.readiness import Readiness, free_share
from decabilld.store.backlog import Backlog
from tests.harness.daemons import DaemonProcess, RunningDaemon, StoryClock, daemon_process, running_daemon
from tests.harness.people import Refused

INSERT = """
INSERT INTO outbox (tenant_id, id, kind, lane, cause, payload, due_at, attempts, created_at, failed_at)
VALUES ('default', gen_random_uuid(), 'Test', 'no lane', 'test', '{}', %s, 0, %s, %s)"""
AN_HOUR = {"billingIntervalType": "hour", "billingIntervalValue": 1}


class Watched:
    """A daemon, its clock, and the readiness that it answers with."""

    def __init__(self, daemon: RunningDaemon, clock: StoryClock, dsn: str) -> None:
        self.daemon, self.clock, self.dsn = daemon, clock, dsn
        self.readiness = daemon._daemon._observation.readiness

    async def answer(self) -> Any:
        """Of /api/ready after a look."""
        await self.readiness.look()
        async with self.daemon._http.get(f"{self.daemon.url}/ready") as response:
            answer = await response.json()
        assert (response.status, answer["status"]) in ((200, "ok"), (503, "unready"))
        return answer.get("reasons", [])

    def sql(self, statement: str, *params: object) -> None:
        connection = psycopg2.connect(self.dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, params)
        connection.close()


@pytest.fixture
async def watched(database: str, tmp_path: Path) -> AsyncIterator[Watched]:
    clock = StoryClock()
    async with running_daemon(database, tmp_path, clock=clock, test_clock=False, check=False) as daemon:
        yield Watched(daemon, clock, database)


async def test_a_daemon_that_has_begun_is_ready(watched: Watched) -> None:
    assert await watched.answer() == []


async def test_work_that_is_late(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "JUMP_TOLD_SECONDS", 0.0)
    admin = await watched.daemon.admin()
    plan = await admin.plan(**AN_HOUR)
    customer = await admin.customer("anna")
    await customer.orders(plan)
    watched.clock.jump_to(watched.clock() + timedelta(minutes=74))
    assert await watched.answer() == []
    watched.clock.jump_to(watched.clock() + timedelta(minutes=6))
    (reason,) = await watched.answer()
    assert reason.startswith("tenant default: due work is 0:20:0")
    await watched.daemon.do_due_work()
    assert await watched.answer() == []


async def test_due_effects_that_nobody_takes_on(watched: Watched) -> None:
    now = watched.clock()
    long_ago = now - timedelta(minutes=16)
    # Neither what was given up nor what waits for its next try: that an outsider is away for a day is no reason.
    watched.sql(INSERT, long_ago, long_ago, now)
    watched.sql(INSERT, now + timedelta(minutes=30), now - timedelta(days=1), None)
    watched.sql(INSERT, now - timedelta(minutes=14), long_ago, None)
    assert await watched.answer() == []
    watched.sql(INSERT, long_ago, long_ago, None)
    (reason,) = await watched.answer()
    assert reason.startswith("tenant default: the oldest due effect is 0:16:0")
    watched.sql("DELETE FROM outbox")
    assert await watched.answer() == []


async def test_a_database_that_is_gone(watched: Watched, postgres_dsn: str) -> None:
    name = watched.dsn.split("dbname=")[1].split()[0]
    server = psycopg2.connect(make_dsn(postgres_dsn, dbname="postgres"))
    server.autocommit = True
    cursor = server.cursor()
    cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    try:
        reasons = await watched.answer()
        assert any(reason.startswith("database: ") for reason in reasons), reasons
    finally:
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        server.close()
    assert await watched.answer() == []


async def test_a_full_disk(watched: Watched, tmp_path: Path) -> None:
    assert 0 < free_share(tmp_path) < 1
    free = {tmp_path: 0.049, tmp_path / "documents": 0.051}
    backlog = Backlog(watched.dsn, lambda: ["default"])
    full = Readiness(watched.daemon.tenants, backlog.look, list(free), clock=watched.clock, free_share=free.__getitem__)
    await full.look()
    assert full.reasons() == [f"disk of {tmp_path.name}: what is free is 4.9%"]
    free[tmp_path] = 0.05
    await full.look()
    assert full.reasons() == []
    await backlog.close()


async def test_a_disk_that_hangs_takes_one_thread_and_no_more(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are looked up in the same threads: with none left, neither Stripe nor the mail server could be reached."""
    monkeypatch.setattr(readiness, "DISK_SECONDS", 0.02)
    answers, asked = threading.Event(), []

    def hangs(path: Path) -> float:
        asked.append(path)
        answers.wait(60)
        return 1.0

    backlog = Backlog(watched.dsn, lambda: ["default"])
    hung = Readiness(watched.daemon.tenants, backlog.look, [tmp_path], clock=watched.clock, free_share=hangs)
    try:
        for _ in range(3):
            await hung.look()
            assert hung.reasons() == [f"disk of {tmp_path.name}: no answer"]
        assert len(asked) == 1
    finally:
        answers.set()
    monkeypatch.setattr(readiness, "DISK_SECONDS", 60.0)
    await hung.look()
    await hung.look()
    assert hung.reasons() == []
    await backlog.close()


@pytest.mark.parametrize("seconds", [90, -90])
async def test_a_clock_that_jumps(watched: Watched, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    assert await watched.answer() == []
    watched.clock.jump_to(watched.clock() + timedelta(seconds=seconds / 2))
    assert await watched.answer() == []
    watched.clock.jump_to(watched.clock() + timedelta(seconds=seconds))
    assert await watched.answer() == [f"the clock jumped by {seconds:+} s"]
    assert await watched.answer() == [f"the clock jumped by {seconds:+} s"]
    monkeypatch.setattr(readiness, "JUMP_TOLD_SECONDS", 0.0)
    assert await watched.answer() == []


async def test_a_look_that_hangs(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "LOOK_SECONDS_MAX", 0.05)
    assert await watched.answer() == []
    await asyncio.sleep(0.1)
    (reason,) = watched.readiness.reasons()
    assert reason.startswith("nothing could be looked at for")


async def test_a_tenant_that_is_not_loaded(watched: Watched) -> None:
    watched.daemon.tenants.actor("default").stop()
    assert await watched.answer() == ["tenant default: stopping"]
    admin = watched.daemon.admin()
    with pytest.raises(Refused):
        await admin


@pytest.mark.heavy
async def test_a_daemon_whose_database_hangs_says_so_in_time_and_recovers_in_time() -> None:
    """Within 30 s of the cause, and well again within 60 s of its end, by its own looks."""
    async with daemon_process() as process:
        frozen = [process.postgres_pid, *children_of(process.postgres_pid)]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            answer = await until_status(process, 503, within_seconds=30)
            assert any(reason.startswith("database: ") for reason in answer["reasons"]), answer
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        assert (await until_status(process, 200, within_seconds=60))["status"] == "ok"
        await process.stop()
        events = [json.loads(line)["event"] for line in process.log.read_text().splitlines()]
        assert events.index("unready") < events.index("ready_again")


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def until_status(process: DaemonProcess, status: int, *, within_seconds: float) -> Any:
    async with asyncio.timeout(within_seconds):
        while True:
            async with process.http.get(f"{process.url}/ready") as response:
                if response.status == status:
                    return await response.json()
            await asyncio.sleep(0.25)
