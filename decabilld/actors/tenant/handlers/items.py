"""Servers of subscriptions, one step at a time: made, given an address and a name, switched, and taken away again.

While a step's effect is under way the item waits for its outcome; so nothing overtakes anything, and a server is only
removed once it is known whether it was made. What an outcome means for the subscription is `servers.py`'s.
"""

from typing import Any

from msgspec.structs import replace

from decabilld.actors.tenant.indexes import ITEM_BY_HOSTNAME
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Id, ServerStep, ServicePlan, ServiceType, SubscriptionItem
from decabilld.domain.provisioning import check_config, effective_config, hostname, offered_services
from decabilld.domain.refusals import Invalid
from decabilld.messages.commands import NewSecrets
from decabilld.messages.decision import Context, Entry
from decabilld.messages.server_effects import (
    AwaitAddress,
    CreateServer,
    PublishName,
    RemoveServer,
    ServerEffect,
    SwitchServer,
)

EFFECT_OF_STEP: dict[ServerStep, type[ServerEffect]] = {
    "create": CreateServer,
    "await_address": AwaitAddress,
    "publish_name": PublishName,
    "switch": SwitchServer,
    "remove": RemoveServer,
}
HOSTNAMES_TRIED = 100


def new_item(
    state: TenantState,
    plan: ServicePlan,
    service_type: ServiceType,
    requested: dict[str, Any],
    secrets: NewSecrets,
    context: Context,
    *,
    subscription_id: Id,
    user_id: Id,
    auto_backorder: bool,
) -> SubscriptionItem:
    """An item that waits to be made, with a hostname of its own. Raises Invalid naming what can't be deployed."""
    item = SubscriptionItem(
        id=context.new_id(),
        subscription_id=subscription_id,
        user_id=user_id,
        service_type_id=service_type.id,
        provisioning_status="pending",
        provider=service_type.provider,
        server_type="",
        location="",
        config_defaults=plan.provider_config_defaults,
        sealed_secrets=secrets.sealed,
        ssh_public_key=secrets.ssh_public_key,
        host_public_key=secrets.host_public_key,
        auto_backorder=auto_backorder,
        hostname=_free_hostname(state, context),
        created_at=context.now,
        updated_at=context.now,
    )
    return configured(item, plan, service_type, requested, context)


def configured(
    item: SubscriptionItem,
    plan: ServicePlan,
    service_type: ServiceType,
    requested: dict[str, Any],
    context: Context,
) -> SubscriptionItem:
    """The item as it was asked for, over what the plan says now. Raises Invalid naming what can't be deployed."""
    config = config_of(plan, requested)
    check_config(service_type.config_schema, config)
    offered = offered_services(service_type.config_schema, plan.provider_config_defaults)
    service = config.get("service") or (offered[0] if len(offered) == 1 else None)
    if service not in offered:
        raise Invalid(f"requestedConfig.service: must be one of {', '.join(offered)}")
    if service not in context.policy.services_ready:
        raise Invalid(f"requestedConfig.service: {service} can't be deployed here; {service.upper()}_IMAGE is not set")
    return replace(
        item,
        config_defaults=plan.provider_config_defaults,
        server_type=_text(config, "serverType"),
        location=_text(config, "location"),
        image=_text(config, "image") if "image" in config else None,
        service=service,
    )


def config_of(plan: ServicePlan, requested: dict[str, Any]) -> dict[str, Any]:
    """What is to be deployed when `requested` is asked of a plan. Raises Invalid."""
    return effective_config(
        plan.provider_config_defaults,
        requested,
        allow_location=plan.allow_customer_location_selection,
        allow_server_type=plan.allow_customer_server_type_selection,
        allowed_server_types=plan.allowed_server_types,
    )


def begin(
    item: SubscriptionItem, step: ServerStep, context: Context, kind: type[ServerEffect] | None = None, **asked: Any
) -> tuple[SubscriptionItem, ServerEffect]:
    """The item with that step under way, and its effect, of the step's `kind`; `asked` is what that says besides."""
    assert item.step is None, "one step at a time"
    effect = (kind or EFFECT_OF_STEP[step])(
        id=context.new_id(), item_id=item.id, subscription_id=item.subscription_id, user_id=item.user_id, **asked
    )
    return replace(item, step=step, updated_at=context.now), effect


def abandon(item: SubscriptionItem, context: Context) -> tuple[SubscriptionItem, tuple[ServerEffect, ...]]:
    """The item of a subscription that has ended: everything outside goes, now or once its step's outcome is known."""
    unwanted = replace(item, unwanted_since=item.unwanted_since or context.now, updated_at=context.now)
    if unwanted.step is not None:
        return unwanted, ()
    removed, effect = begin(unwanted, "remove", context)
    return removed, (effect,)


def item_entry(
    kind: str, message: str, item: SubscriptionItem, *, level: str = "info", **data: str | bool | None
) -> Entry:
    """A journal entry of an item. Nothing secret goes into `data`."""
    return Entry(
        kind=kind,
        message=message,
        entity=item,
        user_id=item.user_id,
        level=level,
        data={"subscription_id": item.subscription_id, "hostname": item.hostname, "provider": item.provider, **data},
    )


def _text(config: dict[str, Any], name: str) -> str:
    value = config.get(name)
    if value is None or value == "":
        raise Invalid(f"requestedConfig.{name}: neither the request nor the plan says it")
    if not isinstance(value, str):
        raise Invalid(f"requestedConfig.{name}: must be a string")
    return value


def _free_hostname(state: TenantState, context: Context) -> str:
    for _ in range(HOSTNAMES_TRIED):
        name = hostname(context.new_id())
        if state.first(ITEM_BY_HOSTNAME, name) is None:
            return name
    raise Invalid("There is no hostname left")
