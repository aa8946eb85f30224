"""A PostgreSQL as an operator has it: over TCP with TLS and a password, with a plain role.

Owns starting, stopping and restarting it in a directory of its own; nothing of the machine's own server is touched.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn

from tests.external.versions import SYSTEM, programs
from tests.harness.ports import free_port
from tests.harness.scratch import scratch_directory
from tests.smtp.post_office import authority

START_SECONDS = 60.0
USER, PASSWORD, SUPERUSER = "billing", "a password with ' and \\ in it", "postgres"


class ExternalPostgres:
    """`environment` tells a daemon of it, `dsn` is its owner's and `root_dsn` the superuser's way to the same."""

    def __init__(self, binaries: Path, home: Path) -> None:
        self._binaries, self._home, self._data = binaries, home, home / "data"
        self.version = binaries.parent.name
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.authority = home / "ca.pem"

    @property
    def environment(self) -> dict[str, str]:
        return {"DB_HOST": "127.0.0.1", "DB_PORT": str(self._port), "DB_USERNAME": USER, "DB_PASSWORD": PASSWORD,
                "DB_DATABASE": "books", "DB_SSLMODE": "verify-full", "PGSSLROOTCERT": str(self.authority)}  # fmt: skip

    @property
    def dsn(self) -> str:
        return make_dsn(host="127.0.0.1", port=self._port, user=USER, password=PASSWORD, dbname="books")

    @property
    def root_dsn(self) -> str:
        return make_dsn(host=str(self._home), port=self._port, user=SUPERUSER, dbname="books")

    def make(self) -> None:
        authority(self._home)
        self.authority.chmod(0o644)
        certificate = self._home / "server.pem"
        certificate.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(certificate, SUPERUSER)
            shutil.chown(self._home, SUPERUSER)
        self._home.chmod(0o755)
        command = ["initdb", "-D", self._data, "-U", SUPERUSER, "--auth-local=trust", "--auth-host=scram-sha-256",
                   "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]  # fmt: skip
        subprocess.run([self._binaries / command[0], *command[1:]], **self._who(), check=True, capture_output=True)

    def start(self) -> None:
        certificate = self._home / "server.pem"
        settings = {"listen_addresses": "127.0.0.1", "port": self._port, "unix_socket_directories": self._home,
                    "ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": certificate, "fsync": "off"}  # fmt: skip
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        log = (self._home / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, *arguments], **self._who(), stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self._home / "log").read_text()[-2_000:]
            assert time.monotonic() < deadline, "it doesn't answer"
            time.sleep(0.05)

    def fill(self) -> None:
        """A role of its own with a database of its own, as an operator makes them."""
        for statement in (f"CREATE ROLE {USER} LOGIN", f"CREATE DATABASE books OWNER {USER}"):
            self.run(statement, dbname="postgres")
        self.run(f"ALTER ROLE {USER} PASSWORD %s", PASSWORD)

    def empty(self) -> None:
        """The database, made anew."""
        self.run("DROP DATABASE books WITH (FORCE)", dbname="postgres")
        self.run(f"CREATE DATABASE books OWNER {USER}", dbname="postgres")

    def run(self, statement: str, *params: object, dbname: str = "books") -> None:
        connection = psycopg2.connect(self.root_dsn, dbname=dbname)
        connection.autocommit = True
        try:
            connection.cursor().execute(statement, params)
        finally:
            connection.close()

    def stop(self) -> None:
        """As by `systemctl stop postgresql`: fast, which ends all sessions."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    async def stopped_for(self, seconds: float) -> None:
        """Stopped, and started again after that while."""
        await asyncio.to_thread(self.stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.start)

    def _answers(self) -> bool:
        try:
            psycopg2.connect(self.root_dsn, dbname="postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def _who(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return {"cwd": "/"}
        account = pwd.getpwnam(SUPERUSER)
        return {"cwd": "/", "user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@contextmanager
def external_postgres(version: str = SYSTEM) -> Iterator[ExternalPostgres]:
    """One of `versions.py`, with an empty database. Where it is lacking the test is skipped, or fails in CI."""
    with programs(version) as binaries, scratch_directory("decabilld-external-") as home:
        server = ExternalPostgres(binaries, home)
        try:
            server.make()
            server.start()
            server.fill()
            yield server
        finally:
            server.stop()
