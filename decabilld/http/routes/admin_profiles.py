"""Customer profiles for the operator: every customer's, to look up, write and delete."""

from aiohttp import web

from decabilld.domain.entities import CustomerProfile, Id, User
from decabilld.domain.refusals import NotFound
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.http.routes.admin_invoices import TAG
from decabilld.http.schemas import common, profiles
from decabilld.http.views.profiles import admin_profile_view, listed_profile_view, profile_view
from decabilld.messages.commands import CreateCustomerProfile, DeleteCustomerProfile, UpdateCustomerProfile

PROFILES = "/admin/billing/customer-profiles"


@operation(
    "GET",
    PROFILES,
    id="listAdminCustomerProfiles",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="List customer profiles",
    description="Newest first. `isComplete`: the customer can order and be invoiced.",
    answer=profiles.PaginatedAdminCustomerProfilesResponseSchema,
    query=common.PageQuery,
)
async def list_admin_customer_profiles(call: Call) -> web.Response:
    found, total = await call.deps.readers.customer_profiles(call.tenant_id, **call.query)
    items = [listed_profile_view(profile, _email_of(call, profile.user_id)) for profile in found]
    return call.answer({"items": items, "total": total, **call.query})


@operation(
    "POST",
    PROFILES,
    id="createAdminCustomerProfile",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Create a customer profile",
    description="Of a user who has none yet; a second one is refused.",
    status=201,
    answer=profiles.CustomerProfileResponseSchema,
    body=profiles.CreateAdminCustomerProfileDtoSchema,
    refusals=(404, 409),
)
async def create_admin_customer_profile(call: Call) -> web.Response:
    fields = dict(call.body)
    return await call.ask(CreateCustomerProfile(user_id=fields.pop("user_id"), fields=fields), profile_view)


@operation(
    "GET",
    f"{PROFILES}/{{id}}",
    id="getAdminCustomerProfile",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Get a customer profile",
    description="With its user's address, and whether it is complete.",
    answer=profiles.AdminCustomerProfileDetailResponseSchema,
)
async def get_admin_customer_profile(call: Call) -> web.Response:
    profile = _profile(call)
    return call.answer(admin_profile_view(profile, _email_of(call, profile.user_id)))


@operation(
    "POST",
    f"{PROFILES}/{{id}}",
    id="updateAdminCustomerProfile",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Change a customer profile",
    description="Fields that are left out stay; null clears one. Issued invoices keep the address they were issued to.",
    answer=profiles.CustomerProfileResponseSchema,
    body=profiles.CustomerProfileDtoSchema,
)
async def update_admin_customer_profile(call: Call) -> web.Response:
    profile = _profile(call)
    command = UpdateCustomerProfile(user_id=profile.user_id, fields=call.body, profile_id=profile.id)
    return await call.ask(command, profile_view)


@operation(
    "DELETE",
    f"{PROFILES}/{{id}}",
    id="deleteAdminCustomerProfile",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Delete a customer profile",
    description="Gone for good. Refused when its user has, or ever had, an invoice or a subscription.",
    status=204,
    answer=None,
)
async def delete_admin_customer_profile(call: Call) -> web.Response:
    profile = _profile(call)
    count = await call.deps.readers.invoices_of_user(call.tenant_id, profile.user_id)
    await call.tell(DeleteCustomerProfile(profile_id=profile.id, invoices=count))
    return web.Response(status=204)


def _profile(call: Call) -> CustomerProfile:
    profile = call.state.get(CustomerProfile, call.ids["id"])
    if profile is None or call.state.get(User, profile.user_id) is None:
        raise NotFound("Customer profile")
    return profile


def _email_of(call: Call, user_id: Id) -> str | None:
    user = call.state.get(User, user_id)
    return user.email if user else None
