"""The customer's own profile."""

from aiohttp import web

from decabilld.actors.tenant.indexes import PROFILE_OF_USER
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.http.schemas import profiles
from decabilld.http.views.profiles import no_profile_view, profile_view
from decabilld.messages.commands import UpdateCustomerProfile


@operation(
    "GET",
    "/customer-profile",
    id="getCustomerProfile",
    auth=Auth.CUSTOMER,
    tag="Customer",
    summary="Get one's profile",
    description="Before there is one: every field null, and no id.",
    answer=profiles.CustomerProfileResponseSchema,
)
async def get_customer_profile(call: Call) -> web.Response:
    profile = call.state.first(PROFILE_OF_USER, call.user_id)
    return call.answer(no_profile_view() if profile is None else profile_view(profile))


@operation(
    "POST",
    "/customer-profile",
    id="updateCustomerProfile",
    auth=Auth.CUSTOMER,
    tag="Customer",
    summary="Write one's profile",
    description="Creates it when there is none. Fields that are left out stay as they are; null clears one. "
    "Invoices that were issued keep the address they were issued to.",
    answer=profiles.CustomerProfileResponseSchema,
    body=profiles.CustomerProfileDtoSchema,
)
async def update_customer_profile(call: Call) -> web.Response:
    return await call.ask(UpdateCustomerProfile(user_id=call.user_id, fields=call.body), profile_view)
