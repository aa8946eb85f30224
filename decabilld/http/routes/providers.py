"""Providers of servers, what they sell, and whether it can be had."""

from aiohttp import web

from decabilld.actors.availability import Availability, availability
from decabilld.actors.provider import Provider, ProviderAway, ProviderRefused
from decabilld.actors.tenant.handlers.catalog import NOTHING_DEPLOYED, plan_of, service_type_of
from decabilld.domain.entities import ServiceType
from decabilld.domain.provisioning import provisioning_options
from decabilld.domain.refusals import Invalid, ServerProviderFailed
from decabilld.http.call import Call
from decabilld.http.dependencies import Servers
from decabilld.http.operation import Auth, operation
from decabilld.http.schemas import provisioning
from decabilld.http.views.provisioning import (
    availability_view,
    provider_view,
    provisioning_option_view,
    server_type_view,
)

TAG = "Servers"


@operation(
    "GET",
    "/service-types/providers",
    id="getProviderDetails",
    auth=Auth.USER,
    tag=TAG,
    summary="List the providers of servers",
    description="Those that are installed, whether or not a token is set, with the schema of what each can be told.",
    answer=[provisioning.ProviderDetailSchema],
)
async def get_provider_details(call: Call) -> web.Response:
    return call.answer([provider_view(provider) for provider in call.deps.servers.providers()])


@operation(
    "GET",
    "/service-types/providers/{providerId}/server-types",
    id="getProviderServerTypes",
    auth=Auth.USER,
    tag=TAG,
    summary="List what a provider sells",
    description="Prices net and in EUR, left out where it says none; at most ten minutes old. Types that are not sold "
    "any more are left out. 400 for an unknown provider and for one without a token.",
    answer=[provisioning.ServerTypeSchema],
    refusals=(502,),
)
async def get_provider_server_types(call: Call) -> web.Response:
    provider = provider_of(call.deps.servers, call.texts["providerId"])
    try:
        types = await call.deps.servers.server_types(provider.id)
    except (ProviderAway, ProviderRefused) as error:
        raise ServerProviderFailed(f"{provider.display_name} does not answer: {error}") from None
    return call.answer([server_type_view(one) for one in types if not one.deprecated])


@operation(
    "POST",
    "/availability/check",
    id="checkAvailability",
    auth=Auth.USER,
    tag=TAG,
    summary="Ask whether a server can be had",
    description="By what the provider says it sells in that region now; where it can't, the reason, and what could.",
    answer=provisioning.AvailabilityResponseSchema,
    body=provisioning.AvailabilityCheckDtoSchema,
    refusals=(404, 502),
)
async def check_availability(call: Call) -> web.Response:
    return call.answer(availability_view(await _asked(call)))


@operation(
    "POST",
    "/availability/alternatives",
    id="checkAvailabilityAlternatives",
    auth=Auth.USER,
    tag=TAG,
    summary="Ask what could be had instead",
    description="The same answer as the check's.",
    answer=provisioning.AvailabilityResponseSchema,
    body=provisioning.AvailabilityCheckDtoSchema,
    refusals=(404, 502),
)
async def check_availability_alternatives(call: Call) -> web.Response:
    return call.answer(availability_view(await _asked(call)))


@operation(
    "GET",
    "/service-plans/{id}/order-provisioning-options",
    id="getOrderProvisioningOptions",
    auth=Auth.USER,
    tag=TAG,
    summary="List the services that a plan can deploy",
    description="What `requestedConfig.service` may be; nothing where nothing is deployed.",
    answer=[provisioning.ProvisioningOptionSchema],
    refusals=(404,),
)
async def get_order_provisioning_options(call: Call) -> web.Response:
    plan = plan_of(call.state, call.ids["id"])
    service_type = call.state.get(ServiceType, plan.service_type_id)
    return call.answer([provisioning_option_view(one) for one in provisioning_options(service_type, plan)])


def provider_of(servers: Servers, provider_id: str) -> Provider:
    """Raises Invalid for one that isn't installed, or has no token."""
    for provider in servers.providers():
        if provider.id == provider_id:
            if not provider.configured:
                raise Invalid(f"The provider {provider_id!r} is not set up here: it has no token")
            return provider
    raise Invalid(f"Unknown provider {provider_id!r}")


async def _asked(call: Call) -> Availability:
    service_type = service_type_of(call.state, call.body["service_type_id"])
    if service_type.provider == NOTHING_DEPLOYED:
        raise Invalid("Nothing is deployed for this service type")
    provider = provider_of(call.deps.servers, service_type.provider)
    try:
        types = await call.deps.servers.server_types(provider.id)
        limit = await call.deps.servers.limit_reached(provider.id)
    except (ProviderAway, ProviderRefused) as error:
        raise ServerProviderFailed(f"{provider.display_name} does not answer: {error}") from None
    return availability(types, call.body["server_type"], call.body["region"], limit)
