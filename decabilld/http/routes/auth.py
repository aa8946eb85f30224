"""How the tenant's own users get in: registration, codes, passwords, sessions."""

from datetime import UTC, datetime, timedelta

import structlog
from aiohttp import web

from decabilld.actors.tenant.handlers.users import email_key
from decabilld.actors.tenant.indexes import USER_BY_EMAIL
from decabilld.domain.entities import User
from decabilld.domain.refusals import EmailNotConfirmed, Invalid, MailNotConfigured, SignupDisabled, Unauthenticated
from decabilld.http.auth import LOCKED, REVOKED
from decabilld.http.call import Call
from decabilld.http.codes import code_digest, new_code
from decabilld.http.operation import Auth, operation
from decabilld.http.schemas import common, identity
from decabilld.http.views.identity import registered_view, user_view
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

TAG = "Authentication"
_log = structlog.get_logger("http")


def sealed_code(call: Call, code: str) -> str | None:
    """The code as the outbox keeps it for its mail; None where codes are logged. Raises MailNotConfigured."""
    if call.deps.seal_code is not None:
        return call.deps.seal_code(code, call.tenant_id)
    if call.deps.settings.production:
        raise MailNotConfigured("Mail is not configured")
    return None


def log_code(call: Call, email: str, code: str) -> None:
    """Without a mail server, outside production: for whoever tries the daemon out."""
    if call.deps.seal_code is None:
        _log.warning("confirmation_code", email=email, code=code)


@operation(
    "POST",
    "/auth/register",
    id="register",
    auth=Auth.PUBLIC,
    throttled=True,
    tag=TAG,
    summary="Sign up",
    description="The first user of a tenant becomes its administrator; others confirm their address by a code. "
    "An address that is still unconfirmed gets the new password and a new code.",
    status=201,
    answer=identity.RegisterResponseSchema,
    body=identity.RegisterDtoSchema,
    refusals=(409,),
)
async def register(call: Call) -> web.Response:
    check_users_mode(call)
    if call.deps.settings.disable_signup:
        raise SignupDisabled("Registration is switched off")
    code = new_code()
    command = RegisterUser(
        email=call.body["email"],
        password_hash=await call.deps.passwords.hash_password(call.body["password"]),
        code_digest=_digest(call, code),
        code_expires_at=_code_expiry(call),
        sealed_code=sealed_code(call, code),
    )
    registered = await call.tell(command)
    if registered.needs_confirmation:
        log_code(call, registered.user.email, code)
    return call.answer(registered_view(registered))


@operation(
    "POST",
    "/auth/confirm-email",
    id="confirmEmail",
    auth=Auth.PUBLIC,
    throttled=True,
    tag=TAG,
    summary="Confirm an address",
    description="Takes the code that was sent to the address: once, in time, and within five tries.",
    answer=common.MessageResponseSchema,
    body=identity.ConfirmEmailDtoSchema,
)
async def confirm_email(call: Call) -> web.Response:
    check_users_mode(call)
    await call.tell(ConfirmEmail(email=call.body["email"], code_digest=_digest(call, call.body["code"])))
    return call.answer({"message": "Your e-mail address is confirmed. You can log in now."})


@operation(
    "POST",
    "/auth/login",
    id="login",
    auth=Auth.PUBLIC,
    throttled=True,
    tag=TAG,
    summary="Log in",
    description="Answers a token for `Authorization: Bearer`, good for seven days unless it is revoked.",
    answer=identity.LoginResponseSchema,
    body=identity.LoginDtoSchema,
    refusals=(401,),
)
async def login(call: Call) -> web.Response:
    check_users_mode(call)
    passwords, password = call.deps.passwords, call.body["password"]
    user = call.state.first(USER_BY_EMAIL, email_key(call.body["email"]))
    known_hash = user.password_hash if user else None
    # Only who knows the password learns more than that it didn't work.
    if not await passwords.verify_password(known_hash, password) or user is None or known_hash is None:
        raise Unauthenticated("Invalid email or password")
    if user.locked_at is not None:
        raise Unauthenticated(LOCKED)
    if user.email_confirmed_at is None:
        raise EmailNotConfirmed("Please confirm your e-mail address first")
    if passwords.is_outdated(known_hash):
        renewed = await passwords.hash_password(password)
        await call.tell(RenewPasswordHash(user_id=user.id, known_hash=known_hash, password_hash=renewed))
    return call.answer({"access_token": call.deps.tokens.issue(user, call.tenant_id), "user": user_view(user)})


@operation(
    "POST",
    "/auth/request-password-reset",
    id="requestPasswordReset",
    auth=Auth.PUBLIC,
    throttled=True,
    tag=TAG,
    summary="Ask for a reset code",
    description="Sends a code to the address, if it is somebody's. The answer is the same either way.",
    answer=common.MessageResponseSchema,
    body=identity.RequestPasswordResetDtoSchema,
)
async def request_password_reset(call: Call) -> web.Response:
    check_users_mode(call)
    code = new_code()
    command = RequestPasswordReset(
        email=call.body["email"],
        code_digest=_digest(call, code),
        code_expires_at=_code_expiry(call),
        sealed_code=sealed_code(call, code),
    )
    user: User | None = await call.tell(command)
    if user is not None:
        log_code(call, user.email, code)
    return call.answer({"message": "If this address is registered, a code is on its way to it."})


@operation(
    "POST",
    "/auth/reset-password",
    id="resetPassword",
    auth=Auth.PUBLIC,
    throttled=True,
    tag=TAG,
    summary="Set a new password by a code",
    description="Takes the code that was sent to the address: once, in time, and within five tries. "
    "Ends every session of the user.",
    answer=common.MessageResponseSchema,
    body=identity.ResetPasswordDtoSchema,
)
async def reset_password(call: Call) -> web.Response:
    check_users_mode(call)
    command = ResetPassword(
        email=call.body["email"],
        code_digest=_digest(call, call.body["code"]),
        password_hash=await call.deps.passwords.hash_password(call.body["new_password"]),
    )
    await call.tell(command)
    return call.answer({"message": "Your password is changed. You can log in with it now."})


@operation(
    "POST",
    "/auth/change-password",
    id="changePassword",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Change one's password",
    description="Ends every session of the user, and answers a token for a new one.",
    answer=common.MessageResponseSchema,
    body=identity.ChangePasswordDtoSchema,
    refusals=(409,),
)
async def change_password(call: Call) -> web.Response:
    check_users_mode(call)
    body, passwords = call.body, call.deps.passwords
    if body["new_password"] != body["new_password_confirmation"]:
        raise Invalid("newPasswordConfirmation: Is not the new password.")
    known_hash = _caller(call).password_hash
    if not await passwords.verify_password(known_hash, body["current_password"]) or known_hash is None:
        raise Invalid("currentPassword: Is not your password.")
    new_hash = await passwords.hash_password(body["new_password"])
    user = await call.tell(ChangePassword(user_id=call.user_id, known_hash=known_hash, password_hash=new_hash))
    message = "Your password is changed; your other sessions have ended."
    return call.answer({"message": message, "access_token": call.deps.tokens.issue(user, call.tenant_id)})


@operation(
    "POST",
    "/auth/logout",
    id="logout",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Log out",
    description="Ends this session at once; with `invalidateAllSessions`, every session of the user.",
    status=204,
    answer=None,
    body=identity.LogoutDtoSchema,
    body_required=False,
)
async def logout(call: Call) -> web.Response:
    check_users_mode(call)
    session = call.principal.session
    if call.body["invalidate_all_sessions"] or session is None:
        await call.tell(EndAllSessions(user_id=call.user_id))
    else:
        expires_at = datetime.fromtimestamp(session.expires_at_seconds, UTC)
        await call.tell(EndSession(user_id=call.user_id, token_id=session.token_id, expires_at=expires_at))
    return web.Response(status=204)


def check_users_mode(call: Call) -> None:
    if call.deps.settings.authentication_method != "users":
        raise Invalid("This daemon doesn't keep passwords: its AUTHENTICATION_METHOD is another")


def _caller(call: Call) -> User:
    user = call.state.get(User, call.user_id)
    if user is None:
        raise Unauthenticated(REVOKED)
    return user


def _digest(call: Call, code: str) -> str:
    return code_digest(call.deps.settings.code_key, call.tenant_id, code)


def _code_expiry(call: Call) -> datetime:
    return call.deps.clock() + timedelta(minutes=call.deps.settings.confirmation_code_ttl_minutes)
