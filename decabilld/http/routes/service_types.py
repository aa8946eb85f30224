"""Service types: the product lines."""

from aiohttp import web

from decabilld.actors.tenant.handlers.catalog import service_type_of
from decabilld.domain.entities import ServiceType
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.http.schemas import catalog, common
from decabilld.http.views.catalog import service_type_view
from decabilld.messages.commands import CreateServiceType, DeleteServiceType, UpdateServiceType

TAG = "Catalog"


@operation(
    "GET",
    "/service-types",
    id="listServiceTypes",
    auth=Auth.USER,
    tag=TAG,
    summary="List service types",
    description="The tenant's product lines, newest first.",
    answer=[catalog.ServiceTypeResponseSchema],
    query=common.PageQuery,
)
async def list_service_types(call: Call) -> web.Response:
    return call.answer([service_type_view(one) for one in call.page_of(call.state.all(ServiceType).values())])


@operation(
    "POST",
    "/service-types",
    id="createServiceType",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Create a service type",
    description="`key` is unique in the tenant; the provider `none` deploys nothing. Admin only.",
    status=201,
    answer=catalog.ServiceTypeResponseSchema,
    body=catalog.CreateServiceTypeDtoSchema,
    refusals=(409,),
)
async def create_service_type(call: Call) -> web.Response:
    return await call.ask(CreateServiceType(fields=call.body), service_type_view)


@operation(
    "GET",
    "/service-types/{id}",
    id="getServiceType",
    auth=Auth.USER,
    tag=TAG,
    summary="Get a service type",
    description="One of the tenant's product lines.",
    answer=catalog.ServiceTypeResponseSchema,
)
async def get_service_type(call: Call) -> web.Response:
    return call.answer(service_type_view(service_type_of(call.state, call.ids["id"])))


@operation(
    "POST",
    "/service-types/{id}",
    id="updateServiceType",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Update a service type",
    description="Fields that are left out stay as they are; null clears an optional one. Admin only.",
    answer=catalog.ServiceTypeResponseSchema,
    body=catalog.UpdateServiceTypeDtoSchema,
)
async def update_service_type(call: Call) -> web.Response:
    command = UpdateServiceType(service_type_id=call.ids["id"], fields=call.body)
    return await call.ask(command, service_type_view)


@operation(
    "DELETE",
    "/service-types/{id}",
    id="deleteServiceType",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Delete a service type",
    description="Refused while the type has plans. Admin only.",
    status=204,
    answer=None,
    refusals=(409,),
)
async def delete_service_type(call: Call) -> web.Response:
    await call.tell(DeleteServiceType(service_type_id=call.ids["id"]))
    return web.Response(status=204)
