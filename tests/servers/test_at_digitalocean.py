"""The same at DigitalOcean: an order whose answer is lost, a switch, and the end."""

from typing import Any

from tests.providers.fake_api import Fault
from tests.providers.fake_cloudflare import FakeCloudflare
from tests.providers.fake_digitalocean import FakeDigitalOcean
from tests.servers.conftest import StartDaemon
from tests.servers.shop import until

SCHEMA = {
    "type": "object",
    "properties": {
        "serverType": {"type": "string"},
        "region": {"type": "string", "enum": ["fra1", "ams3"]},
        "service": {"type": "string", "enum": ["controller", "manager"]},
    },
    "required": ["serverType", "region"],
}
DEFAULTS = {"serverType": "s-2vcpu-4gb", "region": "fra1", "service": "manager", "authenticationMethod": "api-key"}


def deploying_at(fake: FakeDigitalOcean, cloudflare: FakeCloudflare) -> dict[str, Any]:
    return {
        "variables": {"DIGITALOCEAN_API_TOKEN": fake.token, "DIGITALOCEAN_API_BASE": fake.base},
        "manager_image": "registry.example/manager:1",
        "cloudflare_api_token": cloudflare.token,
        "cloudflare_api_base": cloudflare.base,
        "cloudflare_zone_id": cloudflare.zone_id,
        "dns_base_domain": cloudflare.domain,
    }


async def test_a_droplet_from_the_order_to_the_end(start_daemon: StartDaemon, cloudflare: FakeCloudflare) -> None:
    async with FakeDigitalOcean() as fake:
        fake.boot_seconds = 0.3
        fake.faults = [Fault(on="POST /droplets", lost="after")]
        admin = await (await start_daemon(**deploying_at(fake, cloudflare))).admin()
        kind = {"key": "server", "name": "Server", "provider": "digital-ocean", "configSchema": SCHEMA}
        service_type = str((await admin.post("/service-types", kind))["id"])
        plan = await admin.plan("Manager S", serviceTypeId=service_type, providerConfigDefaults=DEFAULTS)
        anna = await admin.customer("anna")
        subscription = str((await anna.post("/subscriptions", {"planId": plan}))["id"])
        items = f"/subscriptions/{subscription}/items"

        (item,) = await until(lambda: anna.get(items), lambda seen: seen[0]["provisioningStatus"] == "active", 20)
        (droplet,) = fake.droplets.values()
        assert droplet["name"] == item["hostname"]
        assert droplet["tags"] == ["decabilld", f"decabilld-item:{item['id']}"]
        info = await anna.get(f"{items}/{item['id']}/server-info")
        (record,) = cloudflare.records.values()
        assert (info["status"], info["publicIp"]) == ("running", record["content"])

        assert await anna.post(f"{items}/{item['id']}/actions/stop") == {"success": True}
        assert (await anna.get(f"{items}/{item['id']}/server-info"))["status"] == "stopped"
        assert fake.actions == [(droplet["id"], "shutdown")]

        await anna.cancels(subscription)

        async def left() -> int:
            return len(fake.droplets) + len(fake.keys) + len(cloudflare.records)

        await until(left, lambda count: count == 0, 20)
