"""What people do about their own access: registration, codes, passwords, sessions. Others' is `users`' affair."""

from msgspec.structs import replace

from decabilld.actors.tenant.handlers.users import email_key, new_user, user_of, voided_codes, without_sessions
from decabilld.actors.tenant.indexes import REVOKED_BY_HOUR, USER_BY_EMAIL, due_hour
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import CodePurpose, OneTimeCode, RevokedToken, User
from decabilld.domain.ids import id_of
from decabilld.domain.refusals import Conflict, Invalid
from decabilld.messages.commands import (
    ChangePassword,
    ConfirmEmail,
    EndAllSessions,
    EndSession,
    RegisterUser,
    RenewPasswordHash,
    RequestPasswordReset,
    ResetPassword,
)
from decabilld.messages.decision import Context, Decision, Entry
from decabilld.messages.effects import SendMail
from decabilld.messages.replies import Registered

CODE_TRIES = 5
FORGOTTEN_AT_ONCE = 100
"""Expired revocations that one logout clears away, so that it stays short and they stay few."""
NOBODY = "nobody"
"""Stands for a user where an unknown address shall cost the same work."""
_WRONG_CODE = "The code is invalid or expired"


def register_user(state: TenantState, command: RegisterUser, context: Context) -> Decision:
    """The first user of a tenant is its confirmed admin; others confirm by a code. An unconfirmed one starts over."""
    known = state.first(USER_BY_EMAIL, email_key(command.email))
    if known is not None and known.email_confirmed_at is not None:
        raise Conflict("This e-mail address is already registered")
    first = not state.all(User)
    if known is None:
        user = replace(
            new_user(command.email, command.password_hash, context),
            role="admin" if first else "user",
            email_confirmed_at=context.now if first else None,
        )
    else:
        user = replace(known, password_hash=command.password_hash, updated_at=context.now)
    entry = Entry(kind="user.registered", message=f"User registered as {user.role}", entity=user, user_id=user.id)
    if first:
        return Decision(reply=Registered(user=user, needs_confirmation=False), changes=(user,), entries=(entry,))
    code = OneTimeCode(
        id=id_of(user.id, "confirm_email"),
        purpose="confirm_email",
        digest=command.code_digest,
        expires_at=command.code_expires_at,
        tries_left=CODE_TRIES,
    )
    return Decision(
        reply=Registered(user=user, needs_confirmation=True),
        changes=(user, code),
        entries=(entry,),
        effects=_mail(user, code, command.sealed_code, context),
    )


def confirm_email(state: TenantState, command: ConfirmEmail, context: Context) -> Decision:
    user = state.first(USER_BY_EMAIL, email_key(command.email))
    if user is not None and user.email_confirmed_at is not None:
        raise Invalid("This e-mail address is already confirmed")
    user, code = _code_of(state, user, "confirm_email", context)
    if code.digest != command.code_digest:
        return _wrong(user, code)
    confirmed = replace(user, email_confirmed_at=context.now, updated_at=context.now)
    entry = Entry(kind="user.email_confirmed", message="E-mail address confirmed", entity=user, user_id=user.id)
    return Decision(reply=confirmed, changes=(confirmed, replace(code, used_at=context.wall)), entries=(entry,))


def request_password_reset(state: TenantState, command: RequestPasswordReset, context: Context) -> Decision:
    """For an unknown address nobody's code is made anew, so that the answer takes as long."""
    user = state.first(USER_BY_EMAIL, email_key(command.email))
    code = OneTimeCode(
        id=id_of(NOBODY if user is None else user.id, "reset_password"),
        purpose="reset_password",
        digest=command.code_digest,
        expires_at=command.code_expires_at,
        tries_left=CODE_TRIES,
    )
    entry = Entry(
        kind="user.password_reset_requested",
        message="Password reset requested" if user else "Password reset requested for an unknown address",
        entity=user or code,
        user_id=user.id if user else None,
    )
    effects = _mail(user, code, command.sealed_code, context) if user else ()
    return Decision(reply=user, changes=(code,), entries=(entry,), effects=effects)


def reset_password(state: TenantState, command: ResetPassword, context: Context) -> Decision:
    """Ends every session. Who got the code has the mailbox, so the address counts as confirmed."""
    user, code = _code_of(state, state.first(USER_BY_EMAIL, email_key(command.email)), "reset_password", context)
    if code.digest != command.code_digest:
        return _wrong(user, code)
    changed = replace(
        without_sessions(user, context),
        password_hash=command.password_hash,
        email_confirmed_at=user.email_confirmed_at or context.now,
    )
    entry = Entry(kind="user.password_reset", message="Password reset by a code", entity=changed, user_id=user.id)
    return Decision(reply=changed, changes=(changed, replace(code, used_at=context.wall)), entries=(entry,))


def change_password(state: TenantState, command: ChangePassword, context: Context) -> Decision:
    """Ends every session; whoever changes it gets a new one. The reply is the user as that needs it."""
    user = _verified(state, command.user_id, command.known_hash)
    changed = replace(without_sessions(user, context), password_hash=command.password_hash)
    entry = Entry(kind="user.password_changed", message="Password changed", entity=changed, user_id=user.id)
    return Decision(reply=changed, changes=(changed, *voided_codes(state, user, context)), entries=(entry,))


def renew_password_hash(state: TenantState, command: RenewPasswordHash, context: Context) -> Decision:
    """Changes nothing when another login has renewed it, or the password was changed, meanwhile."""
    user = user_of(state, command.user_id)
    if user.password_hash != command.known_hash:
        return Decision()
    changed = replace(user, password_hash=command.password_hash)
    entry = Entry(kind="user.password_hash_renewed", message="Hash renewed", entity=changed, user_id=user.id)
    return Decision(changes=(changed,), entries=(entry,))


def end_session(state: TenantState, command: EndSession, context: Context) -> Decision:
    """The token counts no more. What was revoked earlier and has expired since is forgotten on the way."""
    user = user_of(state, command.user_id)
    revoked = RevokedToken(id=command.token_id, user_id=user.id, expires_at=command.expires_at)
    expired = [
        replace(token, forgotten=True)
        for hour in sorted(state.keys(REVOKED_BY_HOUR))
        if hour < due_hour(context.wall)
        for token in state.each(REVOKED_BY_HOUR, hour)
    ]
    entry = Entry(kind="user.logged_out", message="Logged out", entity=user, user_id=user.id)
    return Decision(changes=(revoked, *expired[:FORGOTTEN_AT_ONCE]), entries=(entry,))


def end_all_sessions(state: TenantState, command: EndAllSessions, context: Context) -> Decision:
    changed = without_sessions(user_of(state, command.user_id), context)
    entry = Entry(kind="user.sessions_ended", message="Logged out everywhere", entity=changed, user_id=changed.id)
    return Decision(changes=(changed,), entries=(entry,))


def _mail(user: User, code: OneTimeCode, sealed_code: str | None, context: Context) -> tuple[SendMail, ...]:
    if sealed_code is None:
        return ()
    return (
        SendMail(
            id=context.new_id(),
            template=code.purpose,
            to=user.email,
            user_id=user.id,
            sealed_code=sealed_code,
            expires_at=code.expires_at,
        ),
    )


def _code_of(state: TenantState, user: User | None, purpose: CodePurpose, context: Context) -> tuple[User, OneTimeCode]:
    """The user and the code that still counts. Raises Invalid, in the same words whatever is missing."""
    code = None if user is None else state.get(OneTimeCode, id_of(user.id, purpose))
    if user is None or code is None or not code.live or code.expires_at <= context.wall or code.tries_left < 1:
        raise Invalid(_WRONG_CODE)
    return user, code


def _wrong(user: User, code: OneTimeCode) -> Decision:
    """A wrong code costs a try, which must be kept: so it is a reply, not a raised refusal.

    Digests are keyed, so comparing them in whatever time tells nothing about the code.
    """
    tried = replace(code, tries_left=code.tries_left - 1)
    entry = Entry(kind="user.code_refused", message="Wrong code", entity=user, user_id=user.id, level="warning")
    return Decision(reply=Invalid(_WRONG_CODE), changes=(tried,), entries=(entry,))


def _verified(state: TenantState, user_id: str, known_hash: str) -> User:
    """The user, if the password that was verified a moment ago still is theirs."""
    user = user_of(state, user_id)
    if user.password_hash != known_hash:
        raise Conflict("The password has been changed meanwhile")
    return user
