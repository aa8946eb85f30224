"""Accounts as the operator makes them at the command line: the first administrator, and users from elsewhere.

Owns reading and checking what is given. Who may call is the socket's affair (`server.py`): the daemon's own user only.
"""

import re
from collections.abc import Awaitable, Callable, Container, Sequence
from datetime import datetime
from typing import Annotated, Protocol

import msgspec
from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from msgspec import Meta, Struct
from msgspec.structs import replace

from decabilld.domain.entities import Role, User
from decabilld.domain.refusals import Conflict, Invalid
from decabilld.ids import new_id
from decabilld.messages.commands import CreateUser, ImportedUser, ImportUsers
from decabilld.messages.decision import Command
from decabilld.messages.replies import UsersImported

WHO = "operator"
ASK_SECONDS = 60.0
LINES_MAX = 1_000
_BCRYPT = re.compile(r"\$2[ab]\$(\d\d)\$[./A-Za-z0-9]{53}")
BCRYPT_COST_MAX = 14
ARGON2_KIB_MAX, ARGON2_PASSES_MAX, ARGON2_LANES_MAX = 262_144, 16, 16
"""Each login works through the hash's own parameters: these bounds keep one from taking the machine."""


class Asks(Protocol):
    async def ask(self, tenant_id: str, command: Command, *, who: str, cause: str, timeout_seconds: float) -> object:
        """The reply of the tenant's actor, as `registry.Tenants` has it."""
        ...


class Checks(Protocol):
    """The rules of registering, so that no account is made here that couldn't register. Each raises Invalid."""

    def email(self, email: str) -> None: ...

    def password(self, password: str) -> None: ...


class LineFault(Struct, frozen=True):
    """A line that was left out, counted from 1, and why."""

    line: int
    message: str


class Imported(Struct, frozen=True, kw_only=True):
    """What became of some lines; `known` had an account already, which stays as it is."""

    created: int = 0
    known: int = 0
    faults: list[LineFault] = []


class _Line(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    email: str
    password_hash: str
    role: Role = "user"
    email_confirmed_at: Annotated[datetime, Meta(tz=True)] | None = None


_read_line = msgspec.json.Decoder(_Line).decode


class Accounts:
    """Of all tenants in `tenant_ids`. `hash_password` is the daemon's, beside the loop."""

    def __init__(
        self,
        tenants: Asks,
        tenant_ids: Container[str],
        *,
        checks: Checks,
        hash_password: Callable[[str], Awaitable[str]],
    ) -> None:
        self._tenants, self._tenant_ids, self._checks, self._hash = tenants, tenant_ids, checks, hash_password

    async def create_admin(self, tenant_id: str, email: str, password: str) -> User:
        """A confirmed administrator (shown without the hash). Raises Invalid, Conflict for an address that is taken."""
        self._check_tenant(tenant_id)
        self._checks.email(email)
        self._checks.password(password)
        command = CreateUser(email=email, password_hash=await self._hash(password), role="admin")
        try:
            user = await self._ask(tenant_id, command)
        except Conflict:
            raise Conflict(
                f"{email} has an account in {tenant_id} already, which was left as it is. Choose another address, "
                "or let an administrator change the account's role"
            ) from None
        assert isinstance(user, User)
        return replace(user, password_hash=None)

    async def import_users(self, tenant_id: str, lines: Sequence[str], first_line: int) -> Imported:
        """The accounts of these JSON lines, all in one commit; a bad one is named and left out, a blank one skipped."""
        self._check_tenant(tenant_id)
        if len(lines) > LINES_MAX:
            raise Invalid(f"at most {LINES_MAX} lines at a time")
        users: list[ImportedUser] = []
        faults: list[LineFault] = []
        for number, line in enumerate(lines, first_line):
            if not line.strip():
                continue
            try:
                users.append(self._user(line))
            except (msgspec.MsgspecError, UnicodeError, Invalid) as fault:
                faults.append(LineFault(number, str(fault)))
        if not users:
            return Imported(faults=faults)
        done = await self._ask(tenant_id, ImportUsers(users=tuple(users)))
        assert isinstance(done, UsersImported)
        return Imported(created=done.created, known=done.known, faults=faults)

    def _user(self, line: str) -> ImportedUser:
        read = _read_line(line)
        self._checks.email(read.email)
        _check_hash(read.password_hash)
        return ImportedUser(
            email=read.email,
            password_hash=read.password_hash,
            role=read.role,
            email_confirmed_at=read.email_confirmed_at,
        )

    def _check_tenant(self, tenant_id: str) -> None:
        if tenant_id not in self._tenant_ids:
            raise Invalid(f"{tenant_id} is not among the TENANTS that are served")

    async def _ask(self, tenant_id: str, command: Command) -> object:
        return await self._tenants.ask(tenant_id, command, who=WHO, cause=new_id(), timeout_seconds=ASK_SECONDS)


def _check_hash(password_hash: str) -> None:
    """Raises Invalid for what no login could be checked against, or at too high a price."""
    if found := _BCRYPT.fullmatch(password_hash):
        if not 4 <= int(found[1]) <= BCRYPT_COST_MAX:
            raise Invalid(f"passwordHash: bcrypt's cost must be 4 to {BCRYPT_COST_MAX}")
        return
    try:
        cost = extract_parameters(password_hash)
    except (InvalidHashError, ValueError):
        raise Invalid("passwordHash: neither argon2 ($argon2id$...) nor bcrypt ($2a$..., $2b$...)") from None
    if cost.memory_cost > ARGON2_KIB_MAX or cost.time_cost > ARGON2_PASSES_MAX or cost.parallelism > ARGON2_LANES_MAX:
        raise Invalid(
            f"passwordHash: argon2 may take at most m={ARGON2_KIB_MAX}, t={ARGON2_PASSES_MAX}, p={ARGON2_LANES_MAX}"
        )
