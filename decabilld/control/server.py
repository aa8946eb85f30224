"""What a running daemon does for commands beside it, over HTTP on the control socket. One route a command.

Owns no rule and no word: `accounts.py`, `payments.py` and the comparison of servers do what is asked,
`client.py` is the other end.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct

from decabilld.actors.draft import Bug
from decabilld.actors.ports import Busy, Unavailable
from decabilld.actors.server_comparison import ServerComparison
from decabilld.control.accounts import Accounts
from decabilld.control.payments import WHO, Payments
from decabilld.control.socket_file import closed, control_path, opened
from decabilld.domain.refusals import Refusal

CREATE_ADMIN, IMPORT_USERS, RECONCILE_PAYMENTS = "/create-admin", "/import-users", "/reconcile-payments"
RECONCILE_SERVERS = "/reconcile-servers"
BODY_BYTES_MAX = 64 * 1024 * 1024
STOP_SECONDS = 1.5


class CreateAdmin(Struct, frozen=True):
    tenant: str
    email: str
    password: str


class ImportLines(Struct, frozen=True):
    tenant: str
    lines: list[str]
    first_line: int


class Reconcile(Struct, frozen=True):
    tenant: str
    older_than_minutes: int


class Compare(Struct, frozen=True):
    delete: bool


class Failed(Struct, frozen=True):
    """Any answer but 200; `refused`: it is no use to ask again."""

    message: str
    refused: bool = False


def create_control_app(accounts: Accounts, payments: Payments, servers: ServerComparison) -> web.Application:
    async def create_admin(request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=CreateAdmin)
        return _answer(await accounts.create_admin(asked.tenant, asked.email, asked.password))

    async def import_users(request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=ImportLines)
        return _answer(await accounts.import_users(asked.tenant, asked.lines, asked.first_line))

    async def reconcile_payments(request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=Reconcile)
        return _answer(await payments.reconcile(asked.tenant, asked.older_than_minutes))

    async def reconcile_servers(request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=Compare)
        return _answer(await servers.compare(who=WHO, delete=asked.delete))

    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_failures])
    app.router.add_post(CREATE_ADMIN, create_admin)
    app.router.add_post(IMPORT_USERS, import_users)
    app.router.add_post(RECONCILE_PAYMENTS, reconcile_payments)
    app.router.add_post(RECONCILE_SERVERS, reconcile_servers)
    return app


@asynccontextmanager
async def control_site(
    accounts: Accounts, payments: Payments, servers: ServerComparison, data_dir: Path
) -> AsyncIterator[Path]:
    """The control socket of this data directory, open within the block. Raises ControlSocketTaken."""
    path = control_path(data_dir)
    listening = opened(path)
    runner = web.AppRunner(
        create_control_app(accounts, payments, servers),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=STOP_SECONDS,
    )
    try:
        await runner.setup()
        await web.SockSite(runner, listening).start()
        yield path
    finally:
        # First the name, so that the next daemon's socket under it is never taken for ours.
        closed(path, data_dir)
        await runner.cleanup()


@web.middleware
async def _failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except (Refusal, msgspec.MsgspecError) as refusal:
        return _answer(Failed(str(refusal), refused=True), 400)
    except (Busy, Unavailable) as error:
        return _answer(Failed(str(error) or "too much to do; try again"), 503)
    except Bug:
        return _answer(Failed("internal error; the daemon's log has it"), 500)


def _answer(content: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(content), content_type="application/json")
