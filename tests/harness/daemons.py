"""Whole daemons for tests: one within the test's process over a fresh database, or a process of its own to be killed.

Owns starting, stopping and the audit at the end; who speaks to them is `people.py`'s, what sound means `audit.py`'s.
"""

import asyncio
import copy
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import aiohttp
from psycopg2.extensions import parse_dsn

from decabilld.actors.registry import Tenants
from decabilld.clock import Clock
from decabilld.daemon import Daemon
from decabilld.domain.entities import Invoice
from decabilld.gateways.documents.storage import DocumentStorage
from decabilld.http.passwords import Passwords
from decabilld.messages.commands import DoDueWork
from decabilld.settings import Settings
from decabilld.store.pool import Pool
from decabilld.store.readers import Readers
from tests.harness.audit import Audit
from tests.harness.people import Admin, Person
from tests.harness.ports import free_port
from tests.harness.scratch import scratch_directory

P = TypeVar("P", bound=Person)
ISSUER = {
    "issuer_name": "Seller GmbH",
    "issuer_address_line1": "Hauptstraße 1",
    "issuer_postal_code": "04109",
    "issuer_city": "Leipzig",
    "issuer_country": "DE",
    "issuer_vat_id": "DE123456789",
    "issuer_email": "billing@seller.example",
    "issuer_iban": "DE02120300000000202051",
}
PROCESS_ENVIRONMENT = {
    **{f"BILLING_{name.upper()}": value for name, value in ISSUER.items()},
    "HOST": "127.0.0.1",
    "LOG_FORMAT": "json",
    "TEST_CLOCK": "true",
}
START_SECONDS = 60.0
CHEAP_KIB = 64


class StoryClock:
    """A wall clock that begins where a story does and then goes on as time does, or jumps where it is told."""

    def __init__(self, begin: str = "2023-12-01T00:00:00Z") -> None:
        self._ahead = datetime.fromisoformat(begin) - datetime.now(UTC)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def jump_to(self, instant: datetime) -> None:
        self._ahead = instant - datetime.now(UTC)


class _Daemon(Daemon):
    """The daemon, with its tenants in reach, cheap passwords, and pages that cost no typesetting unless `typeset`."""

    tenants: Tenants
    typeset = False

    def _tenants(self, pool: Pool, readers: Readers, documents: DocumentStorage) -> Tenants:
        if not self.typeset:
            documents = DocumentStorage(self.settings.documents_path, _page)
        self.tenants = super()._tenants(pool, readers, documents)
        return self.tenants

    def _passwords(self) -> Passwords:
        return Passwords(memory_kib=CHEAP_KIB)


async def _page(invoice: Invoice, kind: str) -> bytes:
    return f"%PDF {kind} {invoice.number}".encode()


class RunningDaemon:
    """A daemon within this process. Its tenants' administrators and books are at hand."""

    def __init__(self, daemon: _Daemon, audit: Audit, http: aiohttp.ClientSession) -> None:
        self._daemon, self.audit, self._http = daemon, audit, http
        self.settings = daemon.settings
        self.tenants = daemon.tenants
        self.stopped = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._daemon.http_port}/api"

    @property
    def socket_url(self) -> str:
        return f"http://127.0.0.1:{self._daemon.websocket_port}"

    @property
    def zone(self) -> ZoneInfo:
        return self.settings.billing_timezone

    async def admin(self, tenant: str = "default") -> Admin:
        """The first administrator of a tenant, freshly registered."""
        return await Admin.registered(self._http, self.url, tenant, self.zone, self.audit)

    def speaks_to(self, person: P) -> P:
        """Somebody whom an earlier daemon over the same database has made."""
        known = copy.copy(person)
        known.http, known.url = self._http, self.url
        return known

    async def do_due_work(self, tenant: str = "default") -> None:
        """What the timetable asks every minute."""
        await self.tenants.ask(tenant, DoDueWork(), who="job:test", cause="test", timeout_seconds=60)

    async def stop(self) -> None:
        """Before its time, so that another can follow. It is not audited."""
        self.stopped = True
        await self._daemon.stop()

    async def check(self) -> None:
        """Every tenant's books are sound, and nothing more would be billed. Raises AssertionError."""
        for tenant in self.tenants.ids:
            await self.audit.check(tenant, self.tenants)


@asynccontextmanager
async def running_daemon(
    dsn: str,
    data_dir: Path,
    *,
    clock: Clock | None = None,
    typeset: bool = False,
    check: bool = True,
    **settings: Any,
) -> AsyncIterator[RunningDaemon]:
    """A daemon over the database at `dsn` (migrated), by default with an issuer and a test clock, begun late in 2023.

    Unless `check` is False, every tenant's books are audited at the end of a block that didn't fail.
    """
    server = parse_dsn(dsn)
    daemon = _Daemon(
        Settings(
            **{
                **ISSUER,
                "environment": "test",
                "port": 0,
                "websocket_port": 0,
                "data_dir": data_dir,
                "db_host": server["host"],
                "db_port": int(server.get("port", 5432)),
                "db_username": server["user"],
                "db_password": server.get("password"),
                "db_database": server["dbname"],
                "db_read_connections": 3,
                "jwt_secret": "a secret that only the tests know, and all of them",
                "encryption_key": "00" * 32,
                "test_clock": True,
                **settings,
            }
        ),
        clock=clock or StoryClock(),
    )
    daemon.typeset = typeset
    await asyncio.wait_for(daemon.start(), START_SECONDS)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as http:
        running = RunningDaemon(daemon, Audit(dsn), http)
        try:
            yield running
            if check and not running.stopped:
                await running.check()
        finally:
            await running.audit.close()
            if not running.stopped:
                await running.stop()


class DaemonProcess:
    """`decabilld serve` as a process, with its own PostgreSQL in `data_dir`; it may be killed and started again."""

    def __init__(self, data_dir: Path, http: aiohttp.ClientSession, environment: dict[str, str]) -> None:
        self.data_dir, self.http = data_dir, http
        self.environment = {**os.environ, **PROCESS_ENVIRONMENT, **environment, "DECABILLD_DATA_DIR": str(data_dir)}
        self.log = data_dir.with_name(f"{data_dir.name}.log")
        self.url = ""
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "it runs"
        return self._process.pid

    @property
    def postgres_pid(self) -> int:
        """Of its PostgreSQL's first process."""
        return int((self.data_dir / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])

    async def start(self) -> None:
        """Returns when it is ready. Raises AssertionError with the end of its log otherwise."""
        port = free_port()
        environment = {**self.environment, "PORT": str(port), "WEBSOCKET_PORT": str(free_port())}
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                Path(sys.executable).with_name("decabilld"), "serve", env=environment, stdout=log, stderr=log
            )
        self.url = f"http://127.0.0.1:{port}/api"
        await self.until_ready()

    async def until_ready(self, seconds: float = START_SECONDS) -> None:
        """Waits for /api/ready, also after its database was killed."""
        assert self._process is not None, "it was started"
        try:
            async with asyncio.timeout(seconds):
                while not await self._ready():
                    assert self._process.returncode is None, f"it ended: {self.log_end()}"
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not ready within {seconds} s: {self.log_end()}") from None

    async def kill(self) -> None:
        """As by `kill -9`; its PostgreSQL is left to itself."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """As by an operator."""
        await self._end(signal.SIGTERM)

    async def admin(self, tenant: str = "default", zone: str = "UTC") -> Admin:
        """The first administrator of a tenant, freshly registered."""
        return await Admin.registered(self.http, self.url, tenant, ZoneInfo(zone))

    async def log_in(self, email: str, tenant: str = "default", zone: str = "UTC") -> Admin:
        """Somebody known, on the port that it listens on now."""
        admin = Admin(self.http, self.url, tenant, ZoneInfo(zone), None)
        await admin.log_in(email)
        return admin

    def log_end(self) -> str:
        return self.log.read_text(errors="replace")[-2_000:]

    async def _end(self, by: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(by)
            await asyncio.wait_for(self._process.wait(), START_SECONDS)

    async def _ready(self) -> bool:
        try:
            async with self.http.get(f"{self.url}/ready") as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


@asynccontextmanager
async def daemon_process(**environment: str) -> AsyncIterator[DaemonProcess]:
    """A started daemon with a data directory of its own; `environment` are variables over `PROCESS_ENVIRONMENT`."""
    with scratch_directory("decabilld-process-") as home:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
            process = DaemonProcess(home / "data", http, environment)
            try:
                await process.start()
                yield process
            finally:
                await process.stop()
