"""Users: registration, confirmation, creation by an admin."""

from msgspec.structs import replace

from decabilld.actors.tenant.indexes import USER_BY_EMAIL
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import OneTimeCode, User
from decabilld.domain.periods import local_date
from decabilld.domain.refusals import Conflict, Invalid
from decabilld.messages.commands import ConfirmEmail, CreateUser, RegisterUser
from decabilld.messages.decision import Context, Decision, Entry
from decabilld.messages.replies import Registered

CODE_TRIES = 5
BILLING_DAY_LAST = 28
_WRONG_CODE = "The confirmation code is invalid or expired"


def email_key(email: str) -> str:
    """How addresses are compared: without case."""
    return email.strip().casefold()


def register_user(state: TenantState, command: RegisterUser, context: Context) -> Decision:
    """The first user of a tenant is its confirmed admin; others confirm by a code. An unconfirmed one starts over."""
    known = state.first(USER_BY_EMAIL, email_key(command.email))
    if known is not None and known.email_confirmed_at is not None:
        raise Conflict("This e-mail address is already registered")
    first = not state.all(User)
    if known is None:
        user = replace(
            _new_user(command.email, command.password_hash, context),
            role="admin" if first else "user",
            email_confirmed_at=context.now if first else None,
        )
    else:
        user = replace(known, password_hash=command.password_hash, updated_at=context.now)
    entry = Entry(kind="user.registered", message=f"User registered as {user.role}", entity=user, user_id=user.id)
    if first:
        return Decision(reply=Registered(user=user, needs_confirmation=False), changes=(user,), entries=(entry,))
    code = OneTimeCode(
        id=user.id, digest=command.code_digest, expires_at=command.code_expires_at, tries_left=CODE_TRIES
    )
    return Decision(reply=Registered(user=user, needs_confirmation=True), changes=(user, code), entries=(entry,))


def confirm_email(state: TenantState, command: ConfirmEmail, context: Context) -> Decision:
    """A wrong code costs a try, which must be kept: so it is a reply, not a raised refusal."""
    user = state.first(USER_BY_EMAIL, email_key(command.email))
    if user is not None and user.email_confirmed_at is not None:
        raise Invalid("This e-mail address is already confirmed")
    code = None if user is None else state.get(OneTimeCode, user.id)
    if user is None or code is None or not code.live or code.expires_at <= context.wall or code.tries_left < 1:
        raise Invalid(_WRONG_CODE)
    # Digests are keyed, so comparing them tells an attacker nothing about the code.
    if code.digest != command.code_digest:
        tried = replace(code, tries_left=code.tries_left - 1)
        entry = Entry(kind="user.code_refused", message="Wrong code", entity=user, user_id=user.id, level="warning")
        return Decision(reply=Invalid(_WRONG_CODE), changes=(tried,), entries=(entry,))
    confirmed = replace(user, email_confirmed_at=context.now, updated_at=context.now)
    entry = Entry(kind="user.email_confirmed", message="E-mail address confirmed", entity=user, user_id=user.id)
    return Decision(reply=confirmed, changes=(confirmed, replace(code, used_at=context.wall)), entries=(entry,))


def create_user(state: TenantState, command: CreateUser, context: Context) -> Decision:
    """By an admin: confirmed at once."""
    if state.first(USER_BY_EMAIL, email_key(command.email)) is not None:
        raise Conflict("This e-mail address is already registered")
    user = replace(
        _new_user(command.email, command.password_hash, context), role=command.role, email_confirmed_at=context.now
    )
    entry = Entry(kind="user.created", message=f"User created as {user.role}", entity=user, user_id=user.id)
    return Decision(reply=user, changes=(user,), entries=(entry,))


def _new_user(email: str, password_hash: str, context: Context) -> User:
    return User(
        id=context.new_id(),
        email=email.strip(),
        email_key=email_key(email),
        password_hash=password_hash,
        billing_day=min(local_date(context.now, context.policy.zone).day, BILLING_DAY_LAST),
        created_at=context.now,
        updated_at=context.now,
    )
