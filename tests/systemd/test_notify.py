"""What the service manager hears: nothing too early, nothing from a daemon that is stuck."""

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from decabilld.notify import Notifier
from decabilld.sites import handed_over
from tests.systemd.manager import ManagedDaemon, managed

HOOKED = (sys.executable, "-m", "tests.systemd.hooked", "serve")
WATCHDOG_SECONDS = 1.5
HELD_SECONDS = 3.0


async def test_a_life_as_it_is_told() -> None:
    async with managed(TENANTS="default,acme") as daemon:
        manager = daemon.manager
        await daemon.start()
        async with daemon.http.get(f"{daemon.url}/ready") as response:
            assert response.status == 200, "READY is told when every tenant is loaded"
        before = [states for _, states in manager.heard if "READY" not in states]
        assert before
        assert all(int(states["EXTEND_TIMEOUT_USEC"]) >= 30_000_000 for states in before)
        assert before[0]["STATUS"] == "starting the database"
        assert manager.told("STATUS")[-1] == "2 tenants, billing lag 0 s"
        async with daemon.http.get(f"{daemon.url}/config") as response:
            assert str(manager.ports[1]) in str(await response.json()), "the port that it was handed"
        daemon.send(signal.SIGTERM)
        assert await daemon.ended() == 0
        assert manager.heard[-1][1] == {"STOPPING": "1", "STATUS": "stopping"}
        assert "WATCHDOG" not in str(manager.heard), "nobody watches"


async def test_the_watchdog_starves_when_the_loop_or_the_timetable_stands() -> None:
    watched = {"WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1_000_000)), "HELD_SECONDS": str(HELD_SECONDS)}
    async with managed(**watched, PYTHONPATH=str(Path.cwd())) as daemon:
        daemon.command = HOOKED
        await daemon.start()
        await _beats(daemon)
        daemon.send(signal.SIGUSR1)
        await _falls_silent(daemon)  # the loop is held
        await _beats(daemon)

        daemon.send(signal.SIGUSR2)
        await _falls_silent(daemon)  # the timetable stands
        async with daemon.http.get(f"{daemon.url}/health") as response:
            assert response.status == 200, "while the loop turns"


async def _beats(daemon: ManagedDaemon) -> None:
    """Three times, with less between them than starves the watchdog."""
    heard = daemon.manager.heard

    def three_in_time() -> bool:
        last = [at for at, states in heard if "WATCHDOG" in states][-3:]
        return len(last) == 3 and time.monotonic() - last[0] < 2 * WATCHDOG_SECONDS

    await daemon.manager.until(three_in_time)


async def _falls_silent(daemon: ManagedDaemon) -> None:
    """For so long that the watchdog starves."""
    heard = daemon.manager.heard
    await daemon.manager.until(
        lambda: time.monotonic() - [at for at, states in heard if "WATCHDOG" in states][-1] > WATCHDOG_SECONDS, 30
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [(("http", "metrics"), "is called 'metrics'"), (("http", "socketio", "http"), "can't be used")],
)
async def test_sockets_that_it_cannot_use_are_named(names: tuple[str, ...], said: str) -> None:
    async with managed() as daemon:
        process = await daemon.manager.spawn(daemon.environment, daemon.log, names=names)
        assert await asyncio.wait_for(process.wait(), 60) == 1
        assert said in daemon.log_end()


def test_sockets_for_another_process_are_left_alone() -> None:
    assert handed_over({"LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:socketio"}) == {}


def test_a_listener_may_have_an_abstract_address() -> None:
    name = f"decabilld-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(f"\0{name}")
        ear.settimeout(10)
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).tell(READY="1", STATUS="not ready: no answer\n\tIs it there?")
        assert ear.recv(100) == b"READY=1\nSTATUS=not ready: no answer Is it there?", "a state is one line"


def test_a_listener_that_is_gone_harms_nobody(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).tell(READY="1")
    Notifier({}).tell(READY="1")
    (stuck := socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)).bind(str(tmp_path / "stuck"))
    with stuck:
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "stuck")})
        began = time.monotonic()
        for _ in range(2):
            notifier.tell(STATUS="x" * 60_000)
        assert time.monotonic() - began < 60


def test_a_watchdog_of_another_process_is_not_ours() -> None:
    assert Notifier({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}).every_seconds == 1.0
    assert Notifier({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}).every_seconds == 10.0
    assert Notifier({"WATCHDOG_USEC": "600000000"}).every_seconds == 10.0
