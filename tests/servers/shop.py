"""A shop that sells servers at fakes, and words for its stories."""

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.harness.daemons import RunningDaemon
from tests.harness.people import Admin, Customer
from tests.providers.fake_cloudflare import FakeCloudflare
from tests.providers.fake_hetzner import FakeHetzner

SCHEMA = {
    "type": "object",
    "properties": {
        "serverType": {"type": "string"},
        "location": {"type": "string", "enum": ["fsn1", "nbg1", "hel1"]},
        "service": {"type": "string", "enum": ["controller", "manager"]},
    },
    "required": ["serverType", "location"],
}
DEFAULTS = {"serverType": "cx23", "location": "fsn1", "service": "manager", "authenticationMethod": "api-key"}


def deploying_at(hetzner: FakeHetzner, cloudflare: FakeCloudflare | None = None) -> dict[str, Any]:
    """Settings of a daemon that deploys at these fakes."""
    dns = {}
    if cloudflare is not None:
        dns = {
            "cloudflare_api_token": cloudflare.token,
            "cloudflare_api_base": cloudflare.base,
            "cloudflare_zone_id": cloudflare.zone_id,
            "dns_base_domain": cloudflare.domain,
        }
    return {
        "variables": {"HETZNER_API_TOKEN": hetzner.token, "HETZNER_API_BASE": hetzner.base},
        "controller_image": "registry.example/controller:1",
        "manager_image": "registry.example/manager:1",
        **dns,
    }


@dataclass
class ServerShop:
    daemon: RunningDaemon
    admin: Admin
    hetzner: FakeHetzner
    cloudflare: FakeCloudflare
    service_type: str
    plan: str

    async def customer(self, name: str) -> Customer:
        return await self.admin.customer(name)

    async def order(self, customer: Customer, plan: str | None = None, **wishes: Any) -> str:
        """The new subscription's id; `wishes` are fields of the request beside `planId`."""
        return str((await customer.post("/subscriptions", {"planId": plan or self.plan, **wishes}))["id"])

    async def item(self, customer: Customer, subscription: str) -> Any:
        (item,) = await customer.get(f"/subscriptions/{subscription}/items")
        return item

    async def until_item(self, customer: Customer, subscription: str, status: str, seconds: float = 20.0) -> Any:
        return await until(lambda: self.item(customer, subscription), lambda item: item["provisioningStatus"] == status,
                           seconds)  # fmt: skip

    async def until_nothing_left(self, seconds: float = 20.0) -> None:
        """Neither server nor key nor name."""

        async def left() -> int:
            return len(self.hetzner.servers) + len(self.hetzner.ssh_keys) + len(self.cloudflare.records)

        await until(left, lambda count: count == 0, seconds)


async def until(look: Any, right: Any, seconds: float) -> Any:
    """What `look` sees once it is `right`. Raises AssertionError with what was seen last."""
    seen = await look()
    try:
        async with asyncio.timeout(seconds):
            while not right(seen):
                await asyncio.sleep(0.02)
                seen = await look()
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s; seen last: {seen}") from None
    return seen


async def opened_shop(
    daemon: RunningDaemon, hetzner: FakeHetzner, cloudflare: FakeCloudflare, tenant: str = "default"
) -> ServerShop:
    admin = await daemon.admin(tenant)
    kind = {"key": "server", "name": "Server", "provider": "hetzner", "configSchema": SCHEMA}
    service_type = str((await admin.post("/service-types", kind))["id"])
    shop = ServerShop(daemon, admin, hetzner, cloudflare, service_type, "")
    shop.plan = await admin.plan("Manager S", serviceTypeId=service_type, providerConfigDefaults=DEFAULTS)
    return shop
