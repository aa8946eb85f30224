"""Our own PostgreSQL as a direct child: started, watched, started again, stopped; on a private unix socket only.

Owns the process and nothing of its contents; where it lives is `postgres_home`'s.
"""

import asyncio
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import structlog
from psycopg2.extensions import make_dsn

from decabilld.ownership import hand_over
from decabilld.store.errors import PostgresFailed
from decabilld.store.postgres_home import SUPERUSER, Account, PostgresHome, spawning

SETTINGS = MappingProxyType(
    {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_permissions": "0700",
        "shared_buffers": "128MB",
        "fsync": "on",
        "synchronous_commit": "on",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "wal_compression": "pglz",
        "autovacuum": "on",
        "jit": "off",
        "logging_collector": "off",
        "log_timezone": "UTC",
        "log_error_verbosity": "terse",  # neither the rows (DETAIL) nor the statements: they are about customers,
        "log_min_error_statement": "panic",  # and they would fill the log
    }
)
START_SECONDS = 300.0  # recovery after a crash reads at most max_wal_size
POLL_SECONDS = 0.01
WATCH_SECONDS = 0.1
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 10.0
STEADY_SECONDS = 60.0  # up for so long, and the next death starts with the first delay again
STOPPING = ((signal.SIGINT, 4.0), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 0.5))  # fast, immediate, dead

log = structlog.get_logger()


class EmbeddedPostgres:
    """One PostgreSQL in `home`, held by one daemon at a time. `settings` overrides SETTINGS (tests: fsync off)."""

    def __init__(self, home: Path, *, max_connections: int, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self._home = PostgresHome(home)
        self._settings = {**SETTINGS, "max_connections": str(max_connections), **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self.dsn = _dsn(self._home.sockets)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Return when it takes connections, after recovery if there is any to do. Raises HomeInUse, PostgresFailed."""
        assert self._process is None, "already started: its own server would pass for an orphan"
        self._home.lock()
        try:
            await self._launch()
        except BaseException:
            self._home.unlock()
            raise

    async def stop(self) -> None:
        """Shut down in less than 6 s, fast if it can be, and let the data directory go."""
        process, self._process = self._process, None
        try:
            if process is not None:
                await _end(process)
                self._home.tidy()
        finally:
            self._home.unlock()

    async def watch(self, on_down: Callable[[], None], on_up: Callable[[], None]) -> None:
        """Start it again whenever it dies, for as long as this runs; cancel it before stop()."""
        delay = FIRST_DELAY_SECONDS
        while (process := self._process) is not None:
            since = time.monotonic()
            await _exited(process, math.inf, WATCH_SECONDS)
            if self._process is not process:
                return
            log.error("postgres_died", exit_code=process.returncode)
            on_down()
            if time.monotonic() - since > STEADY_SECONDS:
                delay = FIRST_DELAY_SECONDS
            delay = await self._restart(delay)
            on_up()

    async def _restart(self, delay: float) -> float:
        """Try until it is up; returns the delay to begin with if it dies again soon."""
        while True:
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY_SECONDS)
            try:
                await self._launch()
            except (PostgresFailed, OSError) as error:
                log.error("postgres_not_started", reason=str(error), retry_in_seconds=delay)
            else:
                log.info("postgres_restarted")
                return delay

    async def _launch(self) -> None:
        account = self._home.account()
        await _stop_orphans(self._home.data)
        binaries = await asyncio.to_thread(self._home.prepare, account)
        told = self._home.log.stat().st_size if self._home.log.exists() else 0
        stale = _written_at(self._home.data)
        process = self._spawn(binaries, account)
        try:
            ready = await _until(
                lambda: process.poll() is not None or _is_ready(self._home.data, process.pid, stale), START_SECONDS
            )
            if process.poll() is not None:
                reason = _tail(self._home.log, told) + self._home.closed_door(account)
                raise PostgresFailed(f"PostgreSQL did not start: {reason}")
            if not ready:
                raise PostgresFailed(f"PostgreSQL not ready after {START_SECONDS:g} s; see {self._home.log}")
        except BaseException:
            await _end(process)
            raise
        self._process = process

    def _spawn(self, binaries: Path, account: Account | None) -> subprocess.Popen[bytes]:
        directory = str(self._home.sockets).replace('"', '""')
        settings = {**self._settings, "unix_socket_directories": f'"{directory}"'}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        descriptor = os.open(self._home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        hand_over(self._home.log)
        try:
            # Popen, not asyncio's: uvloop's subprocess knows no `user`.
            return subprocess.Popen(  # noqa: S603
                [binaries / "postgres", "-D", self._home.data, *arguments],
                **spawning(account),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        finally:
            os.close(descriptor)


def read_dsn(home: Path) -> str | None:
    """The DSN of the server that runs in `home` now, for a command beside the daemon; None if none does.

    PermissionError if the data directory isn't ours to read.
    """
    data = PostgresHome(home).data
    lines = _pid_file(data)
    if len(lines) < 8 or lines[7] != "ready" or int(lines[0]) not in _processes_in(data):
        return None
    return _dsn(Path(lines[4]))


def _dsn(sockets: Path) -> str:
    return make_dsn(dbname="postgres", user=SUPERUSER, host=str(sockets), port=5432)


def _pid_file(data: Path) -> list[str]:
    """postmaster.pid: pid, data directory, start, port, socket directory, address, shared memory, status.

    It outlives a kill, so none of it is proof of life.
    """
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def _written_at(data: Path) -> int:
    try:
        return (data / "postmaster.pid").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _is_ready(data: Path, pid: int, stale: int) -> bool:
    """In a container a dead server's file may bear our child's very pid and "ready": it must also be newly written."""
    lines = _pid_file(data)
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7] == "ready" and _written_at(data) != stale


def _processes_in(data: Path) -> list[int]:
    """The living PostgreSQL processes of this cluster: each has its data directory as working directory (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == str(data) and (entry / "comm").read_text().strip() == "postgres":
                found.append(int(entry.name))
        except OSError:
            continue  # gone, a zombie, or another user's
    return found


async def _stop_orphans(data: Path) -> None:
    """End what a killed daemon (its postmaster) or a killed postmaster (its backends) left: the lock says we may."""
    for number, seconds in (*STOPPING, (signal.SIGKILL, 1.0)):
        living = _processes_in(data)
        if not living:
            return
        log.warning("postgres_orphans", pids=living, signal=number.name)
        head = int((_pid_file(data) or ["0"])[0])
        for pid in [head] if head in living else living:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        await _until(lambda: not _processes_in(data), seconds, 5 * POLL_SECONDS)
    if living := _processes_in(data):
        raise PostgresFailed(f"PostgreSQL processes {living} hold {data} and can't be stopped")


async def _end(process: subprocess.Popen[bytes]) -> None:
    for number, seconds in STOPPING:
        if process.poll() is not None:
            return
        process.send_signal(number)
        await _exited(process, seconds)


async def _exited(process: subprocess.Popen[bytes], seconds: float, pause_seconds: float = POLL_SECONDS) -> bool:
    return await _until(lambda: process.poll() is not None, seconds, pause_seconds)


async def _until(holds: Callable[[], bool], seconds: float, pause_seconds: float = POLL_SECONDS) -> bool:
    """Look again and again: neither a pid file nor the death of somebody else's child wakes us."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(pause_seconds)
    return True


def _tail(path: Path, offset: int) -> str:
    """The last lines that PostgreSQL wrote since `offset`, as one."""
    with path.open("rb") as file:
        file.seek(offset)
        lines = file.read(20_000).decode(errors="replace").splitlines()
    return " / ".join(line for line in lines[-4:] if line) or f"see {path}"
