"""A running daemon's `Accounts`, `Payments` and comparison of servers, asked over its control socket."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec
from msgspec import Struct

from decabilld.actors.ports import Unavailable
from decabilld.actors.server_comparison import Compared
from decabilld.control.accounts import Imported
from decabilld.control.payments import Reconciled
from decabilld.control.server import (
    CREATE_ADMIN,
    IMPORT_USERS,
    RECONCILE_PAYMENTS,
    RECONCILE_SERVERS,
    Compare,
    CreateAdmin,
    Failed,
    ImportLines,
    Reconcile,
)
from decabilld.control.socket_file import checked
from decabilld.domain.entities import User
from decabilld.domain.refusals import Invalid

TOTAL_SECONDS, RECONCILING_SECONDS = 90.0, 900.0
T = TypeVar("T")


class _Remote:
    """The same calls, the same refusals (all of them as Invalid)."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def _ask(self, route: str, content: Struct, answer: type[T]) -> T:
        try:
            async with self._http.post(f"http://daemon{route}", data=msgspec.json.encode(content)) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"the daemon doesn't answer: {str(error) or 'time-out'}", outcome_unknown=True) from error
        if response.status == 200:
            return msgspec.json.decode(body, type=answer)
        failed = msgspec.json.decode(body, type=Failed)
        raise Invalid(failed.message) if failed.refused else Unavailable(failed.message)


class RemoteAccounts(_Remote):
    async def create_admin(self, tenant_id: str, email: str, password: str) -> User:
        return await self._ask(CREATE_ADMIN, CreateAdmin(tenant_id, email, password), User)

    async def import_users(self, tenant_id: str, lines: Sequence[str], first_line: int) -> Imported:
        return await self._ask(IMPORT_USERS, ImportLines(tenant_id, list(lines), first_line), Imported)


class RemotePayments(_Remote):
    async def reconcile(self, tenant_id: str, older_than_minutes: int) -> Reconciled:
        return await self._ask(RECONCILE_PAYMENTS, Reconcile(tenant_id, older_than_minutes), Reconciled)


class RemoteServers(_Remote):
    async def compare(self, *, delete: bool) -> list[Compared]:
        return await self._ask(RECONCILE_SERVERS, Compare(delete), list[Compared])


@asynccontextmanager
async def remote_accounts(path: Path) -> AsyncIterator[RemoteAccounts]:
    """Those of the daemon that listens at `path`."""
    async with _connected(path, TOTAL_SECONDS) as http:
        yield RemoteAccounts(http)


@asynccontextmanager
async def remote_payments(path: Path) -> AsyncIterator[RemotePayments]:
    """Those of the daemon that listens at `path`."""
    async with _connected(path, RECONCILING_SECONDS) as http:
        yield RemotePayments(http)


@asynccontextmanager
async def remote_servers(path: Path) -> AsyncIterator[RemoteServers]:
    """Those of the daemon that listens at `path`."""
    async with _connected(path, RECONCILING_SECONDS) as http:
        yield RemoteServers(http)


def _connected(path: Path, seconds: float) -> aiohttp.ClientSession:
    connector = aiohttp.UnixConnector(path=str(checked(path)))
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=seconds))
