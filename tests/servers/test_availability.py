"""`/availability/check` and `/alternatives`: what can be had, why not, and what happens when nobody can say."""

from typing import Any

import pytest

from tests.providers.fake_api import Fault
from tests.providers.fake_cloudflare import FakeCloudflare
from tests.providers.fake_hetzner import FakeHetzner
from tests.servers.conftest import StartDaemon
from tests.servers.shop import SCHEMA, ServerShop, deploying_at, until


async def asked(shop: ServerShop, server_type: str = "cx23", region: str = "fsn1", kind: str | None = None) -> Any:
    """Both routes say the same."""
    body = {"serviceTypeId": kind or shop.service_type, "serverType": server_type, "region": region}
    checked = await shop.admin.post("/availability/check", body)
    assert await shop.admin.post("/availability/alternatives", body) == checked
    return checked


async def refusal(shop: ServerShop, kind: str | None = None) -> tuple[int, str]:
    body = {"serviceTypeId": kind or shop.service_type, "serverType": "cx23", "region": "fsn1"}
    refused = [await shop.admin.refused("POST", f"/availability/{one}", body) for one in ("check", "alternatives")]
    assert refused[0].status == refused[1].status
    return refused[0].status, refused[0].message


async def test_what_is_sold_can_be_had(shop: ServerShop) -> None:
    assert await asked(shop) == {"isAvailable": True, "reason": None, "alternatives": None}


@pytest.mark.parametrize(
    ("server_type", "region", "reason"),
    [
        ("cx99", "fsn1", "There is no server type 'cx99'"),
        ("cx23", "mars", "There is no region 'mars'"),
    ],
)
async def test_what_is_unknown_has_a_reason(shop: ServerShop, server_type: str, region: str, reason: str) -> None:
    answer = await asked(shop, server_type, region)
    assert (answer["isAvailable"], reason in answer["reason"]) == (False, True)


async def test_what_is_deprecated_is_not_sold_any_more(shop: ServerShop) -> None:
    old = next(kind["name"] for kind in shop.hetzner.server_types.values() if kind["deprecation"])
    answer = await asked(shop, old)
    assert (answer["isAvailable"], "not sold any more" in answer["reason"]) == (False, True)
    assert old not in answer["alternatives"]["serverTypes"]


async def test_a_type_that_a_region_lacks_is_to_be_had_elsewhere(shop: ServerShop) -> None:
    shop.hetzner.sold_out.add(("cx23", "fsn1"))
    answer = await asked(shop)
    assert (answer["isAvailable"], "can't be had in 'fsn1' now" in answer["reason"]) == (False, True)
    assert "nbg1" in answer["alternatives"]["regions"]
    assert "fsn1" not in answer["alternatives"]["regions"]
    assert answer["alternatives"]["serverTypes"]


async def test_an_account_that_is_full_says_so(shop: ServerShop) -> None:
    shop.hetzner.server_limit = 0
    anna = await shop.customer("anna")
    subscription = await shop.order(anna)
    await until(lambda: anna.subscription(subscription), lambda one: one["status"] == "canceled", 10)
    answer = await asked(shop)
    assert (answer["isAvailable"], "limit" in answer["reason"]) == (False, True)


async def test_a_provider_that_is_away_is_a_bad_gateway(shop: ServerShop) -> None:
    shop.hetzner.faults += [Fault("GET /server_types", status=403)] * 2
    status, message = await refusal(shop)
    assert (status, "Hetzner Cloud does not answer" in message) == (502, True)


async def test_where_nothing_is_deployed_or_there_is_no_token_there_is_nothing_to_ask(
    start_daemon: StartDaemon, hetzner: FakeHetzner, cloudflare: FakeCloudflare
) -> None:
    settings = deploying_at(hetzner, cloudflare)
    daemon = await start_daemon(**{**settings, "variables": {"HETZNER_API_BASE": hetzner.base}})
    admin = await daemon.admin()
    kinds = {}
    for provider in ("hetzner", "none"):
        kind = {"key": provider, "name": provider, "provider": provider, "configSchema": SCHEMA}
        kinds[provider] = (await admin.post("/service-types", kind))["id"]
    shop = ServerShop(daemon, admin, hetzner, cloudflare, kinds["hetzner"], "")
    status, message = await refusal(shop)
    assert (status, "it has no token" in message) == (400, True)
    status, message = await refusal(shop, kinds["none"])
    assert (status, "Nothing is deployed" in message) == (400, True)
    assert hetzner.requests == []


async def test_an_unknown_service_type_is_not_found(shop: ServerShop) -> None:
    assert (await refusal(shop, shop.plan))[0] == 404
