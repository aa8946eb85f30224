"""Wishes and defaults that don't go together: refused when they are told, or without harm, never left to hang."""

from tests.servers.shop import DEFAULTS, ServerShop, until


async def test_a_place_that_nobody_may_choose_is_left_out_even_if_it_contradicts_itself(shop: ServerShop) -> None:
    anna = await shop.customer("anna")
    subscription = await shop.order(anna, requestedConfig={"location": "nbg1", "region": "hel1", "serverType": "cx33"})
    await shop.until_item(anna, subscription, "active")
    (server,) = shop.hetzner.servers.values()
    assert (server["place"], server["kind"]) == ("fsn1", "cx23")


async def test_an_image_that_is_no_name_is_refused_with_the_order(shop: ServerShop) -> None:
    anna = await shop.customer("anna")
    odd = {**DEFAULTS, "image": 5}
    plan = await shop.admin.plan("Odd", serviceTypeId=shop.service_type, providerConfigDefaults=odd)
    refused = await anna.refused("POST", "/subscriptions", {"planId": plan})
    assert (refused.status, "requestedConfig.image" in refused.message) == (400, True)


async def test_wishes_for_another_provider_than_was_ordered_are_refused(shop: ServerShop) -> None:
    anna = await shop.customer("anna")
    shop.hetzner.sold_out.add(("cx23", "fsn1"))
    subscription = await shop.order(anna, autoBackorder=True)
    (backorder,) = await anna.get("/backorders")
    await shop.admin.post(f"/service-types/{shop.service_type}", {"provider": "digital-ocean"})
    retry = f"/backorders/{backorder['id']}/retry"
    refused = await anna.refused("POST", retry, {"overrideConfig": {"staticApiKey": "mine"}})
    assert (refused.status, "another provider" in refused.message) == (409, True)
    shop.hetzner.sold_out.clear()
    await anna.post(retry)
    await shop.until_item(anna, subscription, "active")
    assert len(shop.hetzner.servers) == 1
    await until(lambda: anna.get("/backorders"), lambda found: found[0]["status"] == "fulfilled", 5)
