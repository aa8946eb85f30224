"""Registration, confirmation and login of the tenant's own users."""

from datetime import timedelta

import structlog
from aiohttp import web

from decabilld.actors.tenant.handlers.identity import email_key
from decabilld.actors.tenant.indexes import USER_BY_EMAIL
from decabilld.domain.refusals import EmailNotConfirmed, Invalid, SignupDisabled, Unauthenticated
from decabilld.http.auth import LOCKED
from decabilld.http.call import Call
from decabilld.http.codes import code_digest, new_code
from decabilld.http.operation import Auth, operation
from decabilld.http.schemas import common, identity
from decabilld.http.views.identity import registered_view, user_view
from decabilld.messages.commands import ConfirmEmail, RegisterUser

_log = structlog.get_logger("http")


@operation(
    "POST",
    "/auth/register",
    id="register",
    auth=Auth.PUBLIC,
    tag="Authentication",
    summary="Sign up",
    description="The first user of a tenant becomes its administrator; others confirm their address by a code. "
    "An address that is still unconfirmed gets the new password and a new code.",
    status=201,
    answer=identity.RegisterResponseSchema,
    body=identity.RegisterDtoSchema,
    refusals=(409,),
)
async def register(call: Call) -> web.Response:
    settings = call.deps.settings
    _check_users_mode(call)
    if settings.disable_signup:
        raise SignupDisabled("Registration is switched off")
    code = new_code()
    command = RegisterUser(
        email=call.body["email"],
        password_hash=await call.deps.passwords.hash_password(call.body["password"]),
        code_digest=code_digest(settings.code_key, call.tenant_id, code),
        code_expires_at=call.deps.clock() + timedelta(minutes=settings.confirmation_code_ttl_minutes),
    )
    registered = await call.tell(command)
    if registered.needs_confirmation:
        _log.warning("confirmation_code", email=registered.user.email, code=code)
    return call.answer(registered_view(registered))


@operation(
    "POST",
    "/auth/confirm-email",
    id="confirmEmail",
    auth=Auth.PUBLIC,
    tag="Authentication",
    summary="Confirm an address",
    description="Takes the code that was sent to the address: once, in time, and within five tries.",
    answer=common.MessageResponseSchema,
    body=identity.ConfirmEmailDtoSchema,
)
async def confirm_email(call: Call) -> web.Response:
    _check_users_mode(call)
    digest = code_digest(call.deps.settings.code_key, call.tenant_id, call.body["code"])
    await call.tell(ConfirmEmail(email=call.body["email"], code_digest=digest))
    return call.answer({"message": "Your e-mail address is confirmed. You can log in now."})


@operation(
    "POST",
    "/auth/login",
    id="login",
    auth=Auth.PUBLIC,
    tag="Authentication",
    summary="Log in",
    description="Answers a token for `Authorization: Bearer`, good for seven days unless it is revoked.",
    answer=identity.LoginResponseSchema,
    body=identity.LoginDtoSchema,
    refusals=(401,),
)
async def login(call: Call) -> web.Response:
    _check_users_mode(call)
    user = call.state.first(USER_BY_EMAIL, email_key(call.body["email"]))
    password_hash = user.password_hash if user else None
    # Only who knows the password learns more than that it didn't work.
    if not await call.deps.passwords.verify_password(password_hash, call.body["password"]) or user is None:
        raise Unauthenticated("Invalid email or password")
    if user.locked_at is not None:
        raise Unauthenticated(LOCKED)
    if user.email_confirmed_at is None:
        raise EmailNotConfirmed("Please confirm your e-mail address first")
    return call.answer({"access_token": call.deps.tokens.issue(user, call.tenant_id), "user": user_view(user)})


def _check_users_mode(call: Call) -> None:
    if call.deps.settings.authentication_method != "users":
        raise Invalid("This daemon doesn't keep passwords: its AUTHENTICATION_METHOD is another")
