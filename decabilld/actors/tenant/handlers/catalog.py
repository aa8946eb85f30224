"""What is sold: service types and plans. A change touches new orders only; what was sold keeps its terms."""

from typing import Any

from msgspec.structs import replace

from decabilld.actors.tenant.indexes import PLANS_OF_TYPE, SERVICE_TYPE_BY_KEY, SUBSCRIPTIONS_OF_PLAN
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import ServicePlan, ServiceType
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.pricing import plan_price
from decabilld.domain.provisioning import check_schema, location_selectable
from decabilld.domain.refusals import Conflict, Invalid, NotFound
from decabilld.messages.commands import (
    CreateServicePlan,
    CreateServiceType,
    DeleteServicePlan,
    DeleteServiceType,
    UpdateServicePlan,
    UpdateServiceType,
)
from decabilld.messages.decision import Context, Decision, Entry

NOTHING_DEPLOYED = "none"


def create_service_type(state: TenantState, command: CreateServiceType, context: Context) -> Decision:
    new = ServiceType(id=context.new_id(), created_at=context.now, updated_at=context.now, **command.fields)
    if state.first(SERVICE_TYPE_BY_KEY, new.key) is not None:
        raise Conflict(f"A service type with the key {new.key!r} exists already")
    check_schema(new.config_schema)
    _check_provider(new, context.policy)
    return _saved(new, "service_type.created", f"Service type {new.name} created")


def update_service_type(state: TenantState, command: UpdateServiceType, context: Context) -> Decision:
    service_type = service_type_of(state, command.service_type_id)
    changed = replace(service_type, updated_at=context.now, **command.fields)
    check_schema(changed.config_schema)
    if changed.provider != service_type.provider:
        _check_provider(changed, context.policy)
    for plan in state.each(PLANS_OF_TYPE, changed.id):
        _check_location(plan, changed)
    return _saved(changed, "service_type.updated", f"Service type {changed.name} updated", command.fields)


def delete_service_type(state: TenantState, command: DeleteServiceType, context: Context) -> Decision:
    """Refused while a plan is of that type."""
    service_type = service_type_of(state, command.service_type_id)
    if plans := state.count(PLANS_OF_TYPE, service_type.id):
        raise Conflict(f"The service type has {plans} service plan(s); delete them first")
    deleted = replace(service_type, deleted_at=context.now, updated_at=context.now)
    return _saved(deleted, "service_type.deleted", f"Service type {deleted.name} deleted")


def create_service_plan(state: TenantState, command: CreateServicePlan, context: Context) -> Decision:
    new = ServicePlan(id=context.new_id(), created_at=context.now, updated_at=context.now, **command.fields)
    _check_plan(state, new)
    return _saved(new, "service_plan.created", f"Service plan {new.name} created")


def update_service_plan(state: TenantState, command: UpdateServicePlan, context: Context) -> Decision:
    changed = replace(plan_of(state, command.plan_id), updated_at=context.now, **command.fields)
    _check_plan(state, changed)
    return _saved(changed, "service_plan.updated", f"Service plan {changed.name} updated", command.fields)


def delete_service_plan(state: TenantState, command: DeleteServicePlan, context: Context) -> Decision:
    """Refused while subscriptions of it run: their owners must find what they have bought."""
    plan = plan_of(state, command.plan_id)
    if running := state.count(SUBSCRIPTIONS_OF_PLAN, plan.id):
        raise Conflict(f"The service plan has {running} running subscription(s); deactivate it instead")
    deleted = replace(plan, deleted_at=context.now, updated_at=context.now)
    return _saved(deleted, "service_plan.deleted", f"Service plan {deleted.name} deleted")


def service_type_of(state: TenantState, service_type_id: str) -> ServiceType:
    """Raises NotFound."""
    service_type = state.get(ServiceType, service_type_id)
    if service_type is None or not service_type.live:
        raise NotFound("Service type")
    return service_type


def plan_of(state: TenantState, plan_id: str) -> ServicePlan:
    """Raises NotFound."""
    plan = state.get(ServicePlan, plan_id)
    if plan is None or not plan.live:
        raise NotFound("Service plan")
    return plan


def _check_provider(service_type: ServiceType, policy: BillingPolicy) -> None:
    known = (NOTHING_DEPLOYED, *sorted(policy.providers))
    if service_type.provider not in known:
        raise Invalid(f"Unknown provider {service_type.provider!r}; there are: {', '.join(known)}")


def _check_plan(state: TenantState, plan: ServicePlan) -> None:
    service_type = state.get(ServiceType, plan.service_type_id)
    if plan.service_type_id is not None and (service_type is None or not service_type.live):
        raise Invalid("serviceTypeId: there is no such service type")
    _check_location(plan, service_type)
    if plan_price(plan.base_price, plan.margin_percent, plan.margin_fixed) < 0:
        raise Invalid("basePrice and margins add up to less than zero")
    if plan.billing_day_of_month is not None and plan.interval not in ("month", "year"):
        raise Invalid("billingDayOfMonth goes with billingIntervalType month or year only")


def _check_location(plan: ServicePlan, service_type: ServiceType | None) -> None:
    selectable = service_type is not None and location_selectable(service_type.config_schema)
    if plan.allow_customer_location_selection and not selectable:
        raise Invalid(
            f"allowCustomerLocationSelection of plan {plan.name!r}: the service type's configSchema needs a string "
            "`location` with an enum"
        )


def _saved(
    entity: ServiceType | ServicePlan, kind: str, message: str, fields: dict[str, Any] | None = None
) -> Decision:
    data = {"fields": sorted(fields)} if fields else {}
    return Decision(
        reply=entity, changes=(entity,), entries=(Entry(kind=kind, message=message, entity=entity, data=data),)
    )
