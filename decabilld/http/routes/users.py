"""Users, as an administrator sees and makes them."""

from aiohttp import web

from decabilld.domain.entities import User
from decabilld.domain.refusals import NotFound
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.http.schemas import common, identity
from decabilld.http.views.identity import user_view
from decabilld.messages.commands import CreateUser, DeleteUser, LockUser, UnlockUser, UpdateUser


@operation(
    "GET",
    "/users",
    id="listUsers",
    auth=Auth.ADMIN,
    tag="Users",
    summary="List users",
    description="The tenant's users, newest first. Admin only.",
    answer=[identity.UserResponseSchema],
    query=common.PageQuery,
)
async def list_users(call: Call) -> web.Response:
    users = await call.deps.readers.users(call.tenant_id, **call.query)
    return call.answer([user_view(user) for user in users])


@operation(
    "POST",
    "/users",
    id="createUser",
    auth=Auth.ADMIN,
    tag="Users",
    summary="Create a user",
    description="The new user's address counts as confirmed. Admin only.",
    status=201,
    answer=identity.UserResponseSchema,
    body=identity.CreateUserDtoSchema,
    refusals=(409,),
)
async def create_user(call: Call) -> web.Response:
    body = call.body
    password_hash = await call.deps.passwords.hash_password(body["password"])
    return await call.ask(CreateUser(email=body["email"], password_hash=password_hash, role=body["role"]), user_view)


@operation(
    "GET",
    "/users/{id}",
    id="getUser",
    auth=Auth.ADMIN,
    tag="Users",
    summary="Get a user",
    description="One of the tenant's users. Admin only.",
    answer=identity.UserResponseSchema,
)
async def get_user(call: Call) -> web.Response:
    user = call.state.get(User, call.ids["id"])
    if user is None:
        raise NotFound("User")
    return call.answer(user_view(user))


@operation(
    "POST",
    "/users/{id}",
    id="updateUser",
    auth=Auth.ADMIN,
    tag="Users",
    summary="Change a user",
    description="Fields that are left out stay. Another password or role ends every session of the user. "
    "The last administrator stays one. Admin only.",
    answer=identity.UserResponseSchema,
    body=identity.UpdateUserDtoSchema,
    refusals=(409,),
)
async def update_user(call: Call) -> web.Response:
    body = call.body
    password = body.get("password")
    password_hash = None if password is None else await call.deps.passwords.hash_password(password)
    command = UpdateUser(
        user_id=call.ids["id"], email=body.get("email"), password_hash=password_hash, role=body.get("role")
    )
    return await call.ask(command, user_view)


@operation(
    "POST",
    "/users/{id}/lock",
    id="lockUser",
    auth=Auth.ADMIN,
    tag="Users",
    summary="Lock a user out",
    description="Ends every session at once, and lets no new one begin. Nobody locks themselves. Admin only.",
    answer=identity.UserResponseSchema,
)
async def lock_user(call: Call) -> web.Response:
    return await call.ask(LockUser(user_id=call.ids["id"]), user_view)


@operation(
    "POST",
    "/users/{id}/unlock",
    id="unlockUser",
    auth=Auth.ADMIN,
    tag="Users",
    summary="Let a user in again",
    description="Sessions that the lock ended stay ended. Admin only.",
    answer=identity.UserResponseSchema,
)
async def unlock_user(call: Call) -> web.Response:
    return await call.ask(UnlockUser(user_id=call.ids["id"]), user_view)


@operation(
    "DELETE",
    "/users/{id}",
    id="deleteUser",
    auth=Auth.ADMIN,
    tag="Users",
    summary="Delete a user",
    description="Only somebody without subscriptions and invoices; the address may be registered anew. Admin only.",
    status=204,
    answer=None,
)
async def delete_user(call: Call) -> web.Response:
    user_id = call.ids["id"]
    count = await call.deps.readers.invoices_of_user(call.tenant_id, user_id)
    await call.tell(DeleteUser(user_id=user_id, invoices=count))
    return web.Response(status=204)
