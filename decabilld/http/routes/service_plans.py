"""Service plans: what is sold. And what one would cost."""

from collections.abc import Callable

from aiohttp import web

from decabilld.actors.tenant.handlers.catalog import plan_of
from decabilld.domain.entities import ServicePlan
from decabilld.http.call import Call
from decabilld.http.errors import Malformed
from decabilld.http.operation import Auth, operation
from decabilld.http.schemas import catalog, common
from decabilld.http.views.catalog import ordered_plan_view, pricing_view, service_plan_view
from decabilld.messages.commands import CreateServicePlan, DeleteServicePlan, UpdateServicePlan

TAG = "Catalog"


@operation(
    "GET",
    "/service-plans",
    id="listServicePlans",
    auth=Auth.USER,
    tag=TAG,
    summary="List service plans",
    description="The tenant's plans, newest first, also those that are not offered any more.",
    answer=[catalog.ServicePlanResponseSchema],
    query=common.PageQuery,
)
async def list_service_plans(call: Call) -> web.Response:
    view = _view_for(call)
    return call.answer([view(one) for one in call.page_of(call.state.all(ServicePlan).values())])


@operation(
    "POST",
    "/service-plans",
    id="createServicePlan",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Create a service plan",
    description="Prices are decimal strings with up to four decimals. The customer's price is "
    "basePrice + basePrice x marginPercent / 100 + marginFixed, rounded once. Admin only.",
    status=201,
    answer=catalog.ServicePlanResponseSchema,
    body=catalog.CreateServicePlanDtoSchema,
)
async def create_service_plan(call: Call) -> web.Response:
    return await call.ask(CreateServicePlan(fields=call.body), service_plan_view)


@operation(
    "GET",
    "/service-plans/{id}",
    id="getServicePlan",
    auth=Auth.USER,
    tag=TAG,
    summary="Get a service plan",
    description="One of the tenant's plans.",
    answer=catalog.ServicePlanResponseSchema,
)
async def get_service_plan(call: Call) -> web.Response:
    return call.answer(_view_for(call)(plan_of(call.state, call.ids["id"])))


@operation(
    "POST",
    "/service-plans/{id}",
    id="updateServicePlan",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Update a service plan",
    description="Touches new orders only: what is sold keeps its terms. Fields that are left out stay as they are; "
    "null clears an optional one. Admin only.",
    answer=catalog.ServicePlanResponseSchema,
    body=catalog.UpdateServicePlanDtoSchema,
)
async def update_service_plan(call: Call) -> web.Response:
    return await call.ask(UpdateServicePlan(plan_id=call.ids["id"], fields=call.body), service_plan_view)


@operation(
    "DELETE",
    "/service-plans/{id}",
    id="deleteServicePlan",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Delete a service plan",
    description="Refused while subscriptions of it run. Admin only.",
    status=204,
    answer=None,
    refusals=(409,),
)
async def delete_service_plan(call: Call) -> web.Response:
    await call.tell(DeleteServicePlan(plan_id=call.ids["id"]))
    return web.Response(status=204)


@operation(
    "POST",
    "/pricing/preview",
    id="previewPricing",
    auth=Auth.USER,
    tag=TAG,
    summary="What a plan costs",
    description="The customer's net price of one interval and the parts that it is made of.",
    answer=catalog.PricingPreviewResponseSchema,
    body=catalog.PricingPreviewDtoSchema,
    refusals=(404,),
)
async def preview_pricing(call: Call) -> web.Response:
    plan_id = call.body.get("plan_id")
    if plan_id is None:
        raise Malformed([("planId", "Which plan is to be priced?")])
    return call.answer(pricing_view(plan_of(call.state, plan_id), call.deps.policy.currency))


def _view_for(call: Call) -> Callable[[ServicePlan], dict[str, object]]:
    """Admins see a plan as they wrote it."""
    return service_plan_view if call.principal.role == "admin" else ordered_plan_view
