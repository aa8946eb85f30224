"""What an order of a server needs before it is decided: fresh keys, and whether there is room for it now."""

import asyncio
from typing import Any

import structlog

from decabilld.actors.availability import availability
from decabilld.actors.provider import ProviderAway, ProviderRefused
from decabilld.actors.tenant.handlers.catalog import NOTHING_DEPLOYED
from decabilld.actors.tenant.handlers.items import config_of
from decabilld.domain.entities import Id, ServicePlan, ServiceType
from decabilld.http.call import Call

ASK_SECONDS = 5.0
_log = structlog.get_logger("http")


async def server_order(call: Call, plan_id: Id, requested: dict[str, Any]) -> dict[str, Any]:
    """The fields of OrderSubscription that a server's order has; none where nothing is deployed. Raises Invalid.

    A provider that doesn't say in time whether there is room is believed to have it: making the server will tell.
    """
    plan = call.state.get(ServicePlan, plan_id)
    service_type = call.state.get(ServiceType, plan.service_type_id) if plan is not None else None
    if plan is None or service_type is None or service_type.provider == NOTHING_DEPLOYED:
        return {}
    config = config_of(plan, requested)
    return {
        "secrets": call.deps.servers.new_secrets(call.tenant_id, requested),
        "no_capacity": await _no_capacity(call, service_type.provider, config),
    }


async def _no_capacity(call: Call, provider_id: str, config: dict[str, Any]) -> str | None:
    provider = next((one for one in call.deps.servers.providers() if one.id == provider_id), None)
    if provider is None or not provider.configured:
        return None
    try:
        async with asyncio.timeout(ASK_SECONDS):
            types = await call.deps.servers.server_types(provider_id)
            limit = await call.deps.servers.limit_reached(provider_id)
    except (ProviderAway, ProviderRefused, TimeoutError) as error:
        _log.warning("availability_unknown", provider=provider_id, reason=f"{type(error).__name__}: {error}")
        return None
    return availability(types, str(config.get("serverType")), str(config.get("location")), limit).reason
