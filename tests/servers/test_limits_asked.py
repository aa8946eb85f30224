"""Whoever asks again and again whether there is room doesn't use up the requests that orders need."""

from tests.providers.fake_cloudflare import FakeCloudflare
from tests.providers.fake_digitalocean import FakeDigitalOcean
from tests.servers.conftest import StartDaemon
from tests.servers.test_at_digitalocean import SCHEMA, deploying_at


async def test_room_is_asked_about_once_for_many_who_ask(start_daemon: StartDaemon, cloudflare: FakeCloudflare) -> None:
    async with FakeDigitalOcean() as fake:
        admin = await (await start_daemon(**deploying_at(fake, cloudflare))).admin()
        kind = {"key": "server", "name": "Server", "provider": "digital-ocean", "configSchema": SCHEMA}
        service_type = str((await admin.post("/service-types", kind))["id"])
        anna = await admin.customer("anna")
        body = {"serviceTypeId": service_type, "serverType": "s-2vcpu-4gb", "region": "fra1"}
        answers = [await anna.post("/availability/check", body) for _ in range(10)]
        assert all(answer["isAvailable"] for answer in answers)
        assert 1 <= fake.count("GET /account") <= 2
