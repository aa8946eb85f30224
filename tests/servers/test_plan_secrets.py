"""What a plan deploys by default may hold the operator's secrets: customers see that they are there, not what."""

from tests.servers.shop import DEFAULTS, ServerShop


async def test_customers_see_no_secret_among_a_plans_defaults(shop: ServerShop) -> None:
    defaults = {**DEFAULTS, "hetznerApiToken": "hush", "smtp": {"host": "mail.example.org", "password": "hush"}}
    plan = await shop.admin.plan("Secretive", serviceTypeId=shop.service_type, providerConfigDefaults=defaults)
    anna = await shop.customer("anna")
    (listed,) = [one for one in await anna.get("/service-plans") if one["id"] == plan]
    shown = {**DEFAULTS, "hetznerApiToken": "***", "smtp": {"host": "mail.example.org", "password": "***"}}
    assert listed["providerConfigDefaults"] == (await anna.get(f"/service-plans/{plan}"))["providerConfigDefaults"]
    assert listed["providerConfigDefaults"] == shown
    assert (await shop.admin.get(f"/service-plans/{plan}"))["providerConfigDefaults"] == defaults
