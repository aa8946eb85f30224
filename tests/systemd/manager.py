"""A service manager for tests: holds the ports, hands them to each daemon that it starts, and hears what it says.

It speaks sd_listen_fds(3) and sd_notify(3) as systemd does; what systemd makes of our units is `test_units.py`'s.
"""

import asyncio
import fcntl
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.harness.daemons import DaemonProcess
from tests.harness.scratch import scratch_directory

NAMES = ("http", "socketio")
READY_SECONDS = 90.0
DAEMON = (str(Path(sys.executable).with_name("decabilld")), "serve")


class Manager:
    """Ports and a notification socket that outlive every daemon."""

    def __init__(self, home: Path) -> None:
        self.sockets = [_listening() for _ in NAMES]
        self.ports = [taken.getsockname()[1] for taken in self.sockets]
        self.heard: list[tuple[float, dict[str, str]]] = []
        self.address = str(home / "notify")
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.bind(self.address)
        self._ear.setblocking(False)
        asyncio.get_running_loop().add_reader(self._ear, self._hear)

    def _hear(self) -> None:
        states = dict(line.split("=", 1) for line in self._ear.recv(4096).decode().splitlines())
        self.heard.append((time.monotonic(), states))

    def told(self, name: str) -> list[str]:
        """All values of a state, in order."""
        return [states[name] for _, states in self.heard if name in states]

    async def until(self, holds: Callable[[], object], seconds: float = READY_SECONDS) -> None:
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def spawn(
        self, environment: dict[str, str], log: Path, command: Sequence[str] = DAEMON, names: Sequence[str] = NAMES
    ) -> asyncio.subprocess.Process:
        """The command with the sockets as descriptors 3 and 4, told of them and of where to notify."""
        held = [taken.fileno() for taken in self.sockets]
        handing = " ".join(f"{3 + number}<&{fd} {fd}<&-" for number, fd in enumerate(held))
        told = {
            "LISTEN_FDS": str(len(names)),
            "LISTEN_FDNAMES": ":".join(names),
            "NOTIFY_SOCKET": self.address,
        }
        with log.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                "bash", "-c", f'LISTEN_PID=$$ exec "$@" {handing}', "bash", *command,
                env={**os.environ, **environment, **told}, pass_fds=held, stdout=output, stderr=output,
            )  # fmt: skip

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ear)
        self._ear.close()
        for held in self.sockets:
            held.close()


class ManagedDaemon(DaemonProcess):
    """A daemon on a manager's ports: where it listens outlives it."""

    def __init__(
        self, manager: Manager, data_dir: Path, http: aiohttp.ClientSession, environment: dict[str, str]
    ) -> None:
        super().__init__(data_dir, http, environment)
        self.manager = manager
        self.command: Sequence[str] = DAEMON
        self.url = f"http://127.0.0.1:{manager.ports[0]}/api"

    async def start(self) -> None:
        """Returns when it says that it is ready."""
        before = len(self.manager.told("READY"))
        self._process = await self.manager.spawn(self.environment, self.log, self.command)
        await self._ready_again(before)

    async def restart(self) -> float:
        """The successor is there before the end of the one before; seconds that this took to end."""
        old, before = self._process, len(self.manager.told("READY"))
        assert old is not None, "it runs"
        began = time.monotonic()
        old.terminate()
        self._process = await self.manager.spawn(self.environment, self.log, self.command)
        assert await asyncio.wait_for(old.wait(), READY_SECONDS) == 0, self.log_end()
        took = time.monotonic() - began
        await self._ready_again(before)
        return took

    def send(self, number: int) -> None:
        assert self._process is not None, "it runs"
        self._process.send_signal(number)

    async def ended(self, seconds: float = 20.0) -> int:
        """Its exit code."""
        assert self._process is not None, "it was started"
        return await asyncio.wait_for(self._process.wait(), seconds)

    async def _ready_again(self, before: int) -> None:
        process = self._process
        assert process is not None
        await self.manager.until(lambda: len(self.manager.told("READY")) > before or process.returncode is not None)
        assert process.returncode is None, f"it ended: {self.log_end()}"


@asynccontextmanager
async def managed(**environment: str) -> AsyncIterator[ManagedDaemon]:
    """A daemon that isn't started yet, with a data directory of its own, and its manager."""
    with scratch_directory("decabilld-managed-") as home:
        manager = Manager(home)
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
                daemon = ManagedDaemon(manager, home / "data", http, environment)
                try:
                    yield daemon
                finally:
                    await daemon.stop()
        finally:
            manager.close()


def _listening() -> socket.socket:
    """Its descriptor is a high one, out of the way of those that a child gets it as."""
    with socket.socket() as low:
        high = socket.socket(fileno=fcntl.fcntl(low.fileno(), fcntl.F_DUPFD_CLOEXEC, 100))
    high.bind(("127.0.0.1", 0))
    high.listen(1024)
    return high
