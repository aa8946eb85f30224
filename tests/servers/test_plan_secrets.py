"""What a plan deploys by default may hold the operator's secrets: customers see that they are there, not what."""

from decabilld.domain.entities import SubscriptionItem
from tests.servers.shop import DEFAULTS, ServerShop, until


async def test_customers_see_no_secret_among_a_plans_defaults(shop: ServerShop) -> None:
    defaults = {**DEFAULTS, "hetznerApiToken": "hush", "smtp": {"host": "mail.example.org", "password": "hush"}}
    plan = await shop.admin.plan("Secretive", serviceTypeId=shop.service_type, providerConfigDefaults=defaults)
    anna = await shop.customer("anna")
    (listed,) = [one for one in await anna.get("/service-plans") if one["id"] == plan]
    shown = {**DEFAULTS, "hetznerApiToken": "***", "smtp": {"host": "mail.example.org", "password": "***"}}
    assert listed["providerConfigDefaults"] == (await anna.get(f"/service-plans/{plan}"))["providerConfigDefaults"]
    assert listed["providerConfigDefaults"] == shown
    assert (await shop.admin.get(f"/service-plans/{plan}"))["providerConfigDefaults"] == defaults


async def test_nothing_of_them_is_kept_with_what_has_ended(shop: ServerShop) -> None:
    defaults = {**DEFAULTS, "smtp": {"password": "hush"}}
    plan = await shop.admin.plan("Secretive", serviceTypeId=shop.service_type, providerConfigDefaults=defaults)
    anna = await shop.customer("anna")
    subscription = await shop.order(anna, plan)
    await shop.until_item(anna, subscription, "active")
    await anna.cancels(subscription)
    (item,) = await until(lambda: _released(shop), bool, 20)
    assert (item.config_defaults, item.sealed_secrets) == ({}, None)


async def _released(shop: ServerShop) -> list[SubscriptionItem]:
    return await shop.admin.audit.rows(SubscriptionItem, "default", "released_at IS NOT NULL")
