"""Commands that make accounts: beside a running daemon through its control socket, otherwise on its database."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import click

from decabilld import logs
from decabilld.cli_options import EXIT_FAULT, EXIT_SETTINGS, env_file_option, json_option, with_settings
from decabilld.control.accounts import Imported, LineFault
from decabilld.domain.entities import User
from decabilld.settings import Settings

LINES_AT_A_TIME = 500
LINE_BYTES_MAX = 65_536
T = TypeVar("T")

tenant_option = click.option("--tenant", default="default", show_default=True, help="The tenant that they belong to.")


class AnyAccounts(Protocol):
    """`control.accounts.Accounts`, here or in the daemon."""

    async def create_admin(self, tenant_id: str, email: str, password: str) -> User: ...

    async def import_users(self, tenant_id: str, lines: list[str], first_line: int) -> Imported: ...


@click.command("create-admin")
@env_file_option
@tenant_option
@click.option("--email", required=True, help="The address that they log in with.")
@json_option
def create_admin(env_file: Path | None, tenant: str, email: str, *, as_json: bool) -> None:
    """Make a confirmed administrator, beside a running daemon or without one.

    The password is asked for, or read as the first line of standard input. Exit 1 if the account wasn't made.

    \b
    Example:
      decabilld create-admin --tenant default --email admin@example.com < password.txt
    """
    settings = _in_users_mode(env_file)
    password = _password()

    async def work(accounts: AnyAccounts) -> User:
        return await accounts.create_admin(tenant, email, password)

    user = _run(settings, tenant, work)
    if as_json:
        click.echo(json.dumps({"id": user.id, "email": user.email, "role": user.role, "tenant": tenant}))
    else:
        click.echo(f"{user.email} is an administrator of {tenant} now.")


@click.command("import-users")
@env_file_option
@tenant_option
@json_option
@click.argument("file", type=click.File("rb"))
def import_users(env_file: Path | None, tenant: str, file: BinaryIO, *, as_json: bool) -> None:
    """Take over users from elsewhere, beside a running daemon or without one.

    FILE (`-`: standard input) has a JSON object a line: `email`, `passwordHash` (argon2, or bcrypt's $2a$ and $2b$),
    and optionally `role` (user or admin) and `emailConfirmedAt` (without it they confirm their address first). Whoever
    has an account keeps it as it is, so that a second run changes nothing. A bad line is named and left out; exit 1.

    \b
    Example:
      decabilld import-users --tenant default users.jsonl
    """
    settings = _in_users_mode(env_file)

    async def work(accounts: AnyAccounts) -> Imported:
        return await _import(accounts, tenant, file, shown=not as_json)

    done = _run(settings, tenant, work)
    faults = [{"line": fault.line, "message": fault.message} for fault in done.faults]
    if as_json:
        click.echo(json.dumps({"created": done.created, "known": done.known, "faults": faults}, indent=2))
    else:
        for fault in faults:
            click.echo(f"line {fault['line']}: {fault['message']}", err=True)
        click.echo(f"{done.created} made, {done.known} known before, {len(faults)} bad lines left out.")
    sys.exit(EXIT_FAULT if faults else 0)


async def _import(accounts: AnyAccounts, tenant: str, file: BinaryIO, *, shown: bool) -> Imported:
    """Batch after batch; each is durable before the next, so that a broken run is simply run again."""
    created = known = 0
    faults: list[LineFault] = []
    numbered = enumerate(_lines(file), 1)
    with _progress(file, shown=shown) as advance:
        while batch := list(islice(numbered, LINES_AT_A_TIME)):
            lines = [line.decode(errors="replace") for _, line in batch]
            done = await accounts.import_users(tenant, lines, batch[0][0])
            created, known = created + done.created, known + done.known
            faults += done.faults
            advance(sum(len(line) for _, line in batch))
    return Imported(created=created, known=known, faults=faults)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Each line; of one that is longer than any account only the beginning, which is no JSON."""
    while line := file.readline(LINE_BYTES_MAX):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(LINE_BYTES_MAX)
        yield line


@contextlib.contextmanager
def _progress(file: BinaryIO, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Told how many bytes are done; shown where somebody watches and the length is known."""
    if not (shown and sys.stderr.isatty() and file.seekable()):
        yield lambda _: None
        return
    length = file.seek(0, 2)
    file.seek(0)
    with click.progressbar(length=length, label="Importing", file=sys.stderr) as bar:
        yield bar.update


def _password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _in_users_mode(env_file: Path | None) -> Settings:
    settings = with_settings(env_file)
    if settings.authentication != "users":
        click.echo(
            f"decabilld: AUTHENTICATION_METHOD is {settings.authentication}: accounts aren't kept here", err=True
        )
        sys.exit(EXIT_SETTINGS)
    return settings


def _run(settings: Settings, tenant: str, work: Callable[[AnyAccounts], Awaitable[T]]) -> T:
    """The result of `work` on the accounts, or an exit with what went wrong."""
    from decabilld.actors.draft import Bug
    from decabilld.actors.ports import Busy, Unavailable
    from decabilld.control.socket_file import ControlSocketTaken
    from decabilld.domain.refusals import Refusal
    from decabilld.settings import SettingsError
    from decabilld.store.errors import DatabaseError, HomeInUse, PostgresFailed

    async def run() -> T:
        async with _accounts(settings, tenant) as accounts:
            return await work(accounts)

    logs.configure("error", "text")  # to standard output, where the answer goes
    try:
        return asyncio.run(run())
    except (Refusal, Busy, Unavailable, Bug, ControlSocketTaken, SettingsError, DatabaseError, HomeInUse,
            PostgresFailed, OSError) as error:  # fmt: skip
        click.echo(f"decabilld: {str(error) or type(error).__name__}", err=True)
        sys.exit(EXIT_FAULT)


@asynccontextmanager
async def _accounts(settings: Settings, tenant: str) -> AsyncIterator[AnyAccounts]:
    """A running daemon's, else those of the tenant alone."""
    from decabilld.account_setup import accounts_of
    from decabilld.control.client import remote_accounts
    from decabilld.control.socket_file import control_path, is_answered
    from decabilld.domain.refusals import Invalid
    from decabilld.http.passwords import Passwords
    from decabilld.offline import bare_tenant

    path = control_path(settings.data_path)
    if is_answered(path):
        async with remote_accounts(path) as accounts:
            yield accounts
        return
    if tenant not in settings.tenants:
        raise Invalid(f"{tenant} is not among the TENANTS that are served")
    passwords = Passwords()
    try:
        async with bare_tenant(settings, tenant) as alone:
            yield accounts_of(alone, settings.tenants, passwords)
    finally:
        passwords.close()
