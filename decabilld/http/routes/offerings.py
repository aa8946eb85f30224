"""What anybody may see of the catalog: active plans with their prices, without a token."""

from aiohttp import web
from immutables import Map
from msgspec import Raw, Struct

from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Id, ServicePlan, ServiceType
from decabilld.domain.pricing import plan_price_minor
from decabilld.domain.refusals import NotFound
from decabilld.http.call import Call, encode
from decabilld.http.operation import Auth, operation
from decabilld.http.schemas import catalog
from decabilld.http.views.catalog import offering_view

TAG = "Catalog"


class Offering(Struct, frozen=True):
    """`shown` is the offering as it goes out."""

    service_type_id: Id | None
    price_minor: int
    shown: Raw


class Offerings(Struct, frozen=True):
    """A tenant's offerings, newest first, as of these plans and types; the maps never change, so they tell."""

    plans: Map[Id, ServicePlan]
    types: Map[Id, ServiceType]
    listed: list[Offering]


_made: dict[str, Offerings] = {}
"""The last of each tenant: as many as there are tenants."""


@operation(
    "GET",
    "/public/service-plan-offerings",
    id="listPublicServicePlanOfferings",
    auth=Auth.PUBLIC,
    tag=TAG,
    summary="List what is offered",
    description="Active plans of active service types with the customer's net price, newest first.",
    answer=[catalog.PublicServicePlanOfferingSchema],
    query=catalog.OfferingPageQuery,
)
async def list_offerings(call: Call) -> web.Response:
    offset, limit = call.query["offset"], call.query["limit"]
    return call.answer([one.shown for one in _offered(call)[offset : offset + limit]])


@operation(
    "GET",
    "/public/service-plan-offerings/cheapest",
    id="getCheapestPublicServicePlanOffering",
    auth=Auth.PUBLIC,
    tag=TAG,
    summary="The cheapest offer",
    description="The active plan with the lowest price of one interval, whatever the interval.",
    answer=catalog.PublicServicePlanOfferingSchema,
    query=catalog.OfferingQuery,
    refusals=(404,),
)
async def get_cheapest_offering(call: Call) -> web.Response:
    cheapest = min(_offered(call), key=lambda offering: offering.price_minor, default=None)
    if cheapest is None:
        raise NotFound("Service plan offering")
    return call.answer(cheapest.shown)


def _offered(call: Call) -> list[Offering]:
    state = call.state
    plans, types = state.all(ServicePlan), state.all(ServiceType)
    made = _made.get(call.tenant_id)
    if made is None or made.plans is not plans or made.types is not types:
        made = _made[call.tenant_id] = Offerings(plans, types, _offerings(state, call.deps.policy.currency))
    wanted = call.query.get("service_type_id")
    return made.listed if wanted is None else [one for one in made.listed if one.service_type_id == wanted]


def _offerings(state: TenantState, currency: str) -> list[Offering]:
    offerings = []
    for plan in sorted(state.all(ServicePlan).values(), key=lambda plan: (plan.created_at, plan.id), reverse=True):
        service_type = state.get(ServiceType, plan.service_type_id)
        if plan.is_active and (service_type is None or service_type.is_active):
            shown = Raw(encode(offering_view(plan, service_type, currency)))
            offerings.append(Offering(plan.service_type_id, plan_price_minor(plan, currency), shown))
    return offerings
