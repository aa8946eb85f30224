"""Providers, availability, servers and backorders on the wire."""

from typing import Any

from decabilld.actors.availability import Availability
from decabilld.actors.provider import Provider, Server, ServerType
from decabilld.domain.entities import Backorder, SubscriptionItem
from decabilld.domain.provisioning import ProvisioningOption, masked
from decabilld.http.views.wire import instant, instant_or_none


def provider_view(provider: Provider) -> dict[str, object]:
    return {"id": provider.id, "displayName": provider.display_name, "configSchema": provider.config_schema}


def server_type_view(server_type: ServerType) -> dict[str, object]:
    """A price that the provider doesn't say is left out."""
    prices = {"priceMonthly": server_type.price_monthly, "priceHourly": server_type.price_hourly}
    return {
        "id": server_type.id,
        "name": server_type.name,
        "cores": server_type.cores,
        "memory": server_type.memory,
        "disk": server_type.disk,
        **{name: price for name, price in prices.items() if price is not None},
        "description": server_type.description,
    }


def availability_view(availability: Availability) -> dict[str, object]:
    if availability.reason is None:
        return {"isAvailable": True, "reason": None, "alternatives": None}
    return {"isAvailable": False, "reason": availability.reason, "alternatives": alternatives_view(availability)}


def alternatives_view(availability: Availability) -> dict[str, object]:
    return {"serverTypes": list(availability.server_types), "regions": list(availability.regions)}


def provisioning_option_view(option: ProvisioningOption) -> dict[str, object]:
    return {"key": option.key, "label": option.label, "description": option.description}


def server_info_view(item: SubscriptionItem, server: Server, domain: str | None) -> dict[str, object]:
    return {
        "name": server.name,
        "publicIp": server.public_ip or item.public_ip or "",
        "privateIp": server.private_ip,
        "status": server.status,
        "metadata": server.metadata or None,
        "hostname": item.hostname,
        "hostnameFqdn": None if domain is None else f"{item.hostname}.{domain}",
    }


def server_action_view(item: SubscriptionItem) -> dict[str, object]:
    """The provider has taken it; else the request is refused."""
    return {"success": True}


def backorder_view(backorder: Backorder, wishes: dict[str, Any]) -> dict[str, object]:
    """`wishes` is what the customer asked for; secrets are left out here."""
    return {
        "id": backorder.id,
        "userId": backorder.user_id,
        "serviceTypeId": backorder.service_type_id,
        "planId": backorder.plan_id,
        "status": backorder.status,
        "failureReason": backorder.failure_reason,
        "requestedConfigSnapshot": masked(wishes),
        "providerErrors": backorder.provider_errors,
        "preferredAlternatives": backorder.preferred_alternatives,
        "retryAfter": instant_or_none(backorder.retry_at),
        "createdAt": instant(backorder.created_at),
        "updatedAt": instant(backorder.updated_at),
    }
