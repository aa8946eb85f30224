"""Connections and the pool against a real server that cancels, hangs up, hangs, and isn't there."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvloop
from psycopg2.extensions import make_dsn, parse_dsn

from decabilld.store import pool as pool_module
from decabilld.store.errors import (
    DatabaseBusy,
    DatabaseDown,
    OutcomeUnknown,
    StatementFailed,
    StatementTimedOut,
)
from decabilld.store.pool import Connection, Pool, connect

PID = "SELECT pg_backend_pid()"


@pytest.fixture
async def connection(postgres_dsn: str) -> AsyncIterator[Connection]:
    opened = await connect(postgres_dsn, statement_timeout_ms=5_000)
    yield opened
    await opened.close()


@pytest.fixture
async def admin(postgres_dsn: str) -> AsyncIterator[Connection]:
    opened = await connect(postgres_dsn, statement_timeout_ms=5_000)
    yield opened
    await opened.close()


async def soon(holds: Callable[[], Awaitable[bool]], seconds: float = 3.0) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110  # the server tells nobody
            await asyncio.sleep(0.02)


async def is_running(admin: Connection, marker: str) -> bool:
    rows = await admin.execute(
        "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s AND pid <> pg_backend_pid()",
        (f"%{marker}%",),
    )
    return bool(rows)


async def test_a_list_of_statements_is_one_transaction_and_gives_the_last_rows(connection: Connection) -> None:
    await connection.execute("CREATE TEMP TABLE notes (id int CONSTRAINT notes_once UNIQUE, body text)")
    rows = await connection.execute(
        "INSERT INTO notes VALUES (%s, %s); INSERT INTO notes VALUES (2, '100 %%');"
        "SELECT id, body FROM notes ORDER BY id",
        (1, "ein'zel"),
    )
    assert rows == [(1, "ein'zel"), (2, "100 %")]
    assert await connection.execute("UPDATE notes SET body = ''") == []

    with pytest.raises(StatementFailed) as failed:
        await connection.execute("INSERT INTO notes VALUES (3, ''); INSERT INTO notes VALUES (2, '')")
    assert (failed.value.sqlstate, failed.value.constraint) == ("23505", "notes_once")
    assert await connection.execute("SELECT count(*) FROM notes WHERE id = 3") == [(0,)]


async def test_every_session_has_its_time_outs_and_utc(connection: Connection) -> None:
    rows = await connection.execute(
        "SELECT current_setting('TimeZone'), current_setting('statement_timeout'), current_setting('lock_timeout'),"
        " current_setting('idle_in_transaction_session_timeout'), current_setting('application_name')"
    )
    assert rows == [("UTC", "5s", "2500ms", "10s", "decabilld")]


async def test_statement_time_out_leaves_the_connection_usable(postgres_dsn: str) -> None:
    connection = await connect(postgres_dsn, statement_timeout_ms=100)
    with pytest.raises(StatementTimedOut):
        await connection.execute("SELECT pg_sleep(5)")
    assert connection.idle
    assert await connection.execute("SELECT 1") == [(1,)]
    await connection.close()


async def test_waiting_for_a_lock_times_out_too(postgres_dsn: str, connection: Connection) -> None:
    await connection.execute("SELECT pg_advisory_lock(4711)")
    other = await connect(postgres_dsn, statement_timeout_ms=400)
    with pytest.raises(StatementTimedOut, match="lock timeout"):
        await other.execute("SELECT pg_advisory_lock(4711)")
    await other.close()
    await connection.execute("SELECT pg_advisory_unlock(4711)")


async def test_connection_killed_during_a_statement_leaves_the_outcome_unknown(
    connection: Connection, admin: Connection
) -> None:
    ((pid,),) = await connection.execute(PID)
    running = asyncio.ensure_future(connection.execute("SELECT pg_sleep(5), 'doomed'"))
    await soon(lambda: is_running(admin, "doomed"))
    await admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
    with pytest.raises(OutcomeUnknown):
        await running
    assert connection.closed
    with pytest.raises(DatabaseDown):
        await connection.execute("SELECT 1")


def test_refused_connections_leave_nothing_behind_also_under_uvloop(postgres_dsn: str) -> None:
    """Over TCP: the next connection gets the number of the refused one's socket."""

    async def story() -> None:
        for _ in range(5):
            with pytest.raises(DatabaseDown, match="refused"):
                await connect("host=127.0.0.1 port=1 user=nobody dbname=none", statement_timeout_ms=1_000)
        opened = await connect(postgres_dsn, statement_timeout_ms=1_000)
        assert await opened.execute("SELECT 1") == [(1,)]
        await opened.close()

    uvloop.run(story())


def test_last_words_that_come_with_the_hang_up_are_the_last_also_under_uvloop(postgres_dsn: str) -> None:
    """The server goes with our statement unread, while the loop is busy: data and failure are there at once."""

    async def story() -> None:
        connection = await connect(postgres_dsn, statement_timeout_ms=5_000)
        ((pid,),) = await connection.execute(PID)
        os.kill(pid, signal.SIGSTOP)
        running = asyncio.ensure_future(connection.execute("SELECT 'never read'"))
        await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.3)  # noqa: ASYNC251 - busy
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown, match="terminating connection"):
            await running
        assert time.monotonic() - began < 4

    uvloop.run(story())


async def test_server_that_stops_answering_leaves_the_outcome_unknown(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "GRACE_SECONDS", 0.2)
    connection = await connect(postgres_dsn, statement_timeout_ms=100)
    ((pid,),) = await connection.execute(PID)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(OutcomeUnknown, match="no answer"):
            await connection.execute("SELECT 1")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert connection.closed


async def test_idle_connection_that_the_server_closes_is_noticed_without_burning_the_loop(
    connection: Connection, admin: Connection
) -> None:
    ((pid,),) = await connection.execute(PID)
    await admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
    async with asyncio.timeout(5):
        while not connection.closed:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    burnt = time.process_time()
    await asyncio.sleep(0.3)
    assert time.process_time() - burnt < 0.1


async def test_closing_twice_leaves_the_next_connection_its_socket(postgres_dsn: str, connection: Connection) -> None:
    await connection.close()
    successor = await connect(postgres_dsn, statement_timeout_ms=1_000)  # gets the file descriptor that became free
    await connection.close()
    assert await successor.execute("SELECT 1") == [(1,)]
    await successor.close()


async def test_cancelling_the_caller_cancels_the_query_on_the_server(connection: Connection, admin: Connection) -> None:
    running = asyncio.ensure_future(connection.execute("SELECT pg_sleep(30), 'abandoned'"))
    await soon(lambda: is_running(admin, "abandoned"))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    async def is_over() -> bool:
        return not await is_running(admin, "abandoned")

    await soon(is_over)
    assert connection.closed


async def test_shielded_statement_finishes_and_the_next_one_waits_for_it(connection: Connection) -> None:
    await connection.execute("CREATE TEMP TABLE commits (n int)")
    commit = asyncio.ensure_future(connection.execute("SELECT pg_sleep(0.2); INSERT INTO commits VALUES (1)"))
    caller = asyncio.shield(commit)
    await asyncio.sleep(0.05)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await connection.execute("SELECT n FROM commits") == [(1,)]
    assert await commit == []


async def test_no_server_is_down(tmp_path: os.PathLike[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        port = taken.getsockname()[1]
        for dsn in (f"host=localhost port={port} user=x", f"host={tmp_path} user=x", "host=nowhere.invalid user=x"):
            with pytest.raises(DatabaseDown):
                await Pool.open(dsn, size=1)


async def test_server_by_host_name_over_tcp(postgres_dsn: str) -> None:
    parts = parse_dsn(postgres_dsn)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(f"{parts['host']}/.s.PGSQL.{parts['port']}")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while chunk := await source.read(65536):
                sink.write(chunk)
            sink.close()

        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async with await asyncio.start_server(forward, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = await connect(make_dsn(postgres_dsn, host="localhost", port=port), statement_timeout_ms=1_000)
        assert await connection.execute("SELECT 1") == [(1,)]
        await connection.close()
        await asyncio.sleep(0.05)


async def test_readers_share_few_sessions(postgres_dsn: str) -> None:
    pool = await Pool.open(postgres_dsn, size=3)
    # Long enough to overlap: on a busy machine a quick answer is there before the next reader gets its turn.
    slow_pid = "SELECT pg_backend_pid() FROM pg_sleep(0.01)"
    pids = {row[0] for rows in await asyncio.gather(*(pool.fetch_all(slow_pid) for _ in range(40))) for row in rows}
    assert len(pids) == 3
    assert await pool.fetch_one("SELECT %s::int, 'b'", (1,)) == (1, "b")
    assert await pool.fetch_one("SELECT 1 WHERE false") is None
    assert await pool.fetch_value("SELECT %(n)s::int", {"n": 7}) == 7
    assert await pool.fetch_value("SELECT 1 WHERE false") is None
    await pool.close()
    with pytest.raises(DatabaseDown):
        await pool.fetch_value("SELECT 1")


async def test_pool_with_nothing_free_is_busy(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "WAITERS_PER_CONNECTION", 2)
    pool = await Pool.open(postgres_dsn, size=1, acquire_timeout_seconds=0.2)
    async with pool.acquire():
        waiting = [asyncio.ensure_future(pool.fetch_value("SELECT 1")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(DatabaseBusy, match="already wait"):
            await pool.fetch_value("SELECT 1")
        for waiter in waiting:
            with pytest.raises(DatabaseBusy, match="within"):
                await waiter
    assert await pool.fetch_value("SELECT 1") == 1
    await pool.close()


async def test_broken_connection_that_comes_back_wakes_all_waiters(postgres_dsn: str, admin: Connection) -> None:
    pool = await Pool.open(postgres_dsn, size=1, acquire_timeout_seconds=5)
    async with pool.acquire() as connection:
        ((pid,),) = await connection.execute(PID)
        waiting = [asyncio.ensure_future(pool.fetch_value(PID)) for _ in range(4)]
        running = asyncio.ensure_future(connection.execute("SELECT pg_sleep(5), 'doomed'"))
        await soon(lambda: is_running(admin, "doomed"))
        await admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
        with pytest.raises(OutcomeUnknown):
            await running
    async with asyncio.timeout(5):
        pids = set(await asyncio.gather(*waiting))
    assert len(pids) == 1
    assert pid not in pids
    await pool.close()


async def test_caller_cancelled_in_the_queue_or_in_a_query_costs_the_pool_nothing(postgres_dsn: str) -> None:
    pool = await Pool.open(postgres_dsn, size=1, acquire_timeout_seconds=2)
    running = asyncio.ensure_future(pool.fetch_value("SELECT pg_sleep(30)"))
    queued = asyncio.ensure_future(pool.fetch_value("SELECT 1"))
    await asyncio.sleep(0.05)
    for task in (queued, running):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
    assert await pool.fetch_value("SELECT 1") == 1
    await pool.close()


async def test_connection_with_an_open_transaction_is_closed_when_it_comes_back(
    postgres_dsn: str, admin: Connection
) -> None:
    pool = await Pool.open(postgres_dsn, size=1)
    async with pool.acquire() as connection:
        ((pid,),) = await connection.execute(PID)
        await connection.execute("BEGIN")

    async def is_gone() -> bool:
        return not await admin.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,))

    await soon(is_gone)
    assert await pool.fetch_value("SELECT 1") == 1
    await pool.close()


async def test_connection_that_died_in_the_pool_is_not_lent(postgres_dsn: str, admin: Connection) -> None:
    pool = await Pool.open(postgres_dsn, size=1)
    await admin.execute("SELECT pg_terminate_backend(%s)", (await pool.fetch_value(PID),))
    await asyncio.sleep(0.1)
    assert await pool.fetch_value("SELECT 1") == 1
    await pool.close()
