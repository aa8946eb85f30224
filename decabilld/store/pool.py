"""Sessions with PostgreSQL: a dedicated `Connection` (one per tenant actor) and a `Pool` of them for readers.

Owns time-outs, cancellation and the health of connections; knows no table. aiopg is touched only here, as it needs
guarding: a cancel by the *server* it raises as CancelledError, closing a connection twice takes away another's socket,
and its pool leaves waiters asleep when a broken connection comes back. And uvloop (libuv) wakes a reader only once when
a socket fails: if last words came with the failure, nobody would look for it. Hence `_Session`, and a pool of our own.
"""

import asyncio
import socket
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import psycopg2
from aiopg.connection import Connection as AiopgConnection
from psycopg2.extensions import STATUS_READY, TRANSACTION_STATUS_IDLE, make_dsn, parse_dsn

from decabilld.store.errors import DatabaseBusy, DatabaseDown, OutcomeUnknown, ends_session, of_statement

Row = tuple[Any, ...]
Params = Sequence[object] | Mapping[str, object] | None

CONNECT_SECONDS = 5.0
GRACE_SECONDS = 3.0  # the server cancels first; only a server that doesn't answer at all runs into ours
LOOK_AGAIN_SECONDS = 0.25
ABANDONED_CHECK_MS = 500  # so often a busy backend looks whether we are still there
WAITERS_PER_CONNECTION = 64


class _Session(AiopgConnection):
    """An aiopg connection that tells the truth about how a statement ended."""

    @staticmethod
    def _ready(weak_self: "weakref.ref[Any]") -> None:
        """Of a connection that was refused, aiopg forgets the writer: uvloop then breaks who gets its number next."""
        self = weak_self()
        before = None if self is None else self._fileno
        AiopgConnection._ready(weak_self)
        if self is not None and before is not None and self._fileno is None:
            self._loop.remove_writer(before)

    def _close(self) -> None:
        super()._close()
        self._fileno = None  # closing again must not take the reader of whoever got this number next

    async def _poll(self, waiter: "asyncio.Future[None]", timeout: float) -> None:
        self._ready(self._weakref)
        self._look_again_later()
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except (asyncio.CancelledError, TimeoutError):
            self.close()  # the answer would belong to nobody; the server sees the hang-up and cancels the statement
            raise
        finally:
            self._looking.cancel()
            self._waiter = None

    def _look_again_later(self) -> None:
        self._looking = self._loop.call_later(LOOK_AGAIN_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._look_again_later()
        if self._conn.status == STATUS_READY:  # not while connecting, where libpq must be called only when it is time
            self._ready(self._weakref)


class Connection:
    """One session. A list of statements is one round trip and one transaction: all of it is committed, or nothing."""

    def __init__(self, session: _Session, timeout_seconds: float) -> None:
        self._session = session
        self._timeout_seconds = timeout_seconds
        self._turn = asyncio.Lock()  # a commit that was shielded from cancellation finishes before the next statement

    @property
    def closed(self) -> bool:
        return bool(self._session.closed)

    @property
    def idle(self) -> bool:
        """Neither a statement nor a transaction is open."""
        return not self.closed and self._session.raw.get_transaction_status() == TRANSACTION_STATUS_IDLE

    async def execute(self, sql: str, params: Params = None) -> list[Row]:
        """Run the statements and return the rows of the last one (none: an empty list).

        Raises DatabaseDown, OutcomeUnknown, StatementTimedOut, StatementFailed. Cancelling the caller closes the
        connection and makes the server cancel the statement; shield what must not be torn.
        """
        async with self._turn:
            if self.closed:
                raise DatabaseDown("connection is closed")
            cursor = await self._session.cursor(timeout=self._timeout_seconds)
            try:
                await cursor.execute(sql, params)
                return cursor.raw.fetchall() if cursor.raw.description else []
            except TimeoutError:
                raise OutcomeUnknown(f"no answer within {self._timeout_seconds:g} s") from None
            except psycopg2.Error as error:
                lost = self.closed or ends_session(error)
                if lost:
                    self._session.close()
                raise of_statement(error, connection_lost=lost) from error
            finally:
                cursor.close()

    async def close(self) -> None:
        self._session.close()


async def connect(dsn: str, *, statement_timeout_ms: int) -> Connection:
    """Open a session (UTC, all time-outs set). Raises DatabaseDown, also for a server that is too old."""
    settings = {
        # As one of these: given by itself, libpq tries again without it when the server doesn't know another of them.
        "application_name": "decabilld",
        "timezone": "UTC",
        "statement_timeout": statement_timeout_ms,
        "lock_timeout": max(1, statement_timeout_ms // 2),
        "idle_in_transaction_session_timeout": 2 * statement_timeout_ms,
        "client_connection_check_interval": ABANDONED_CHECK_MS,
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    problem: Exception = DatabaseDown("no address")
    for address in await _addresses(dsn):
        try:
            session = _Session(
                make_dsn(dsn, options=options, **address),
                CONNECT_SECONDS,
                enable_json=False,
                enable_hstore=False,
                enable_uuid=False,
            )
            await session
            return Connection(session, statement_timeout_ms / 1000 + GRACE_SECONDS)
        except (psycopg2.Error, TimeoutError) as error:
            problem = error
    raise DatabaseDown(_why(problem)) from problem


def _why(problem: Exception) -> str:
    said = " ".join(str(problem).split()) or "no answer to the connection request"
    if "client_connection_check_interval" in said:  # new in 14; what else we set is older
        return f"PostgreSQL 14 or newer, on Linux, is needed: {said}"
    return said


async def _addresses(dsn: str) -> list[dict[str, str]]:
    """libpq would resolve names itself and block the loop over it; and aiopg can't follow it to a second address."""
    parts = parse_dsn(dsn)
    host = parts.get("host", "")
    if not host or host.startswith(("/", "@")) or "," in host or "hostaddr" in parts:
        return [{}]
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        raise DatabaseDown(f"cannot resolve {host}: {error}") from error
    return [{"hostaddr": str(entry[4][0])} for entry in found]


class Pool:
    """At most `size` sessions, shared by readers. Whoever finds none free waits, but not for ever nor in any number."""

    def __init__(self, dsn: str, size: int, statement_timeout_ms: int, acquire_timeout_seconds: float) -> None:
        self._dsn = dsn
        self._statement_timeout_ms = statement_timeout_ms
        self._acquire_timeout_seconds = acquire_timeout_seconds
        self._permits = asyncio.Semaphore(size)
        self._waiting = 0
        self._waiting_limit = WAITERS_PER_CONNECTION * size
        self._idle: list[Connection] = []  # the last one back is the first out: few are kept warm
        self._closed = False

    @classmethod
    async def open(
        cls, dsn: str, *, size: int, statement_timeout_ms: int = 10_000, acquire_timeout_seconds: float = 5.0
    ) -> Self:
        """Open the pool with one session, so that a wrong DSN shows now. Raises DatabaseDown."""
        pool = cls(dsn, size, statement_timeout_ms, acquire_timeout_seconds)
        async with pool.acquire():
            return pool

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """Lend a session that is known good. Raises DatabaseBusy, DatabaseDown."""
        await self._take_permit()
        try:
            connection = self._take_idle() or await connect(self._dsn, statement_timeout_ms=self._statement_timeout_ms)
            try:
                yield connection
            finally:
                await self._give_back(connection)
        finally:
            self._permits.release()  # always, broken or not: this is what wakes the next waiter

    async def fetch_all(self, sql: str, params: Params = None) -> list[Row]:
        async with self.acquire() as connection:
            return await connection.execute(sql, params)

    async def fetch_one(self, sql: str, params: Params = None) -> Row | None:
        """The first row, or None."""
        rows = await self.fetch_all(sql, params)
        return rows[0] if rows else None

    async def fetch_value(self, sql: str, params: Params = None) -> Any:
        """The first column of the first row, or None."""
        row = await self.fetch_one(sql, params)
        return row[0] if row else None

    async def close(self) -> None:
        """Close what is idle now, and what is lent when it comes back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    async def _take_permit(self) -> None:
        if self._closed:
            raise DatabaseDown("the pool is closed")
        if self._waiting >= self._waiting_limit:
            raise DatabaseBusy(f"{self._waiting} readers already wait for a connection")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._acquire_timeout_seconds):
                await self._permits.acquire()
        except TimeoutError:
            raise DatabaseBusy(f"no connection free within {self._acquire_timeout_seconds:g} s") from None
        finally:
            self._waiting -= 1

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        return None

    async def _give_back(self, connection: Connection) -> None:
        if self._closed or not connection.idle:
            await connection.close()
        else:
            self._idle.append(connection)
