"""A daemon as an operator runs it: `decabilld serve` in its own process, logs into a file, settings by environment.

Owns the process: start until it says that it listens, memory, stop. Tokens are made here, with its secret.
"""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

from bench.world import TENANT
from decabilld.clock import system_clock
from decabilld.domain.entities import User
from decabilld.http.auth import Tokens
from decabilld.store.embedded import read_dsn

JWT_SECRET = "a secret of nothing but measurements"
START_SECONDS = 90.0
STOP_SECONDS = 30.0
SETTINGS = {
    "PORT": "0",
    "WEBSOCKET_PORT": "0",
    "TEST_CLOCK": "true",
    "JWT_SECRET": JWT_SECRET,
    "BILLING_ISSUER_NAME": "Messwerk GmbH",
    "BILLING_ISSUER_ADDRESS_LINE1": "Messeallee 1",
    "BILLING_ISSUER_POSTAL_CODE": "04356",
    "BILLING_ISSUER_CITY": "Leipzig",
    "BILLING_ISSUER_COUNTRY": "DE",
    "BILLING_ISSUER_VAT_ID": "DE123456789",
    "BILLING_ISSUER_EMAIL": "billing@messwerk.example",
    "BILLING_ISSUER_IBAN": "DE02120300000000202051",
}
_GREETING = re.compile(r"listens on http://([\d.]+):(\d+)/api")
_tokens = Tokens(JWT_SECRET, system_clock)


def token(user: User) -> str:
    return _tokens.issue(user, TENANT)


class Daemon:
    """`seconds_to_start` is from the start of the process until every tenant is loaded."""

    def __init__(self, data_dir: Path, process: asyncio.subprocess.Process, port: int, seconds_to_start: float) -> None:
        self.data_dir, self.port, self.seconds_to_start = data_dir, port, seconds_to_start
        self._process = process

    @property
    def dsn(self) -> str:
        """Of its PostgreSQL."""
        found = read_dsn(self.data_dir)
        assert found is not None, "its PostgreSQL runs as long as it does"
        return found

    @property
    def resident_mb(self) -> float:
        """Resident memory of the daemon's process, without PostgreSQL and the renderers."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise ProcessLookupError(self._process.pid)

    @property
    def cpu_seconds(self) -> float:
        """What the process has used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def daemon(data_dir: Path, settings: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[Daemon]:
    """Started, with `settings` over the usual ones, and stopped at the end."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment |= SETTINGS | {"DECABILLD_DATA_DIR": str(data_dir), **settings}
    log = data_dir / "daemon.log"
    with log.open("ab") as output:
        before, offset = time.monotonic(), output.tell()
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("decabilld"), "serve", stdout=output, stderr=output, env=environment
        )
    try:
        port = await _port(process, log, offset)
        yield Daemon(data_dir, process, port, time.monotonic() - before)
    finally:
        await stopped(process)


async def stopped(process: asyncio.subprocess.Process) -> None:
    """Ask it to end; kill it if it doesn't."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _port(process: asyncio.subprocess.Process, log: Path, offset: int) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.returncode is None:
        if (found := _GREETING.search(_written(log, offset))) is not None:
            return int(found[2])
        await asyncio.sleep(0.005)
    raise RuntimeError(f"the daemon did not start; {log} ends with:\n{_written(log, offset)[-2_000:]}")


def _written(log: Path, offset: int) -> str:
    return log.read_bytes()[offset:].decode(errors="replace")
