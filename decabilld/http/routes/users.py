"""Users, as an administrator sees and makes them."""

from aiohttp import web

from decabilld.domain.entities import User
from decabilld.domain.refusals import NotFound
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.http.schemas import common, identity
from decabilld.http.views.identity import user_view
from decabilld.messages.commands import CreateUser


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
