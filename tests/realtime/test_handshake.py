"""Who may connect, and where the handshake says who it is."""

import aiohttp
import pytest
from aiohttp import ClientSession

from decabilld.realtime import server
from tests.realtime.site import NAMESPACE, Site

TRANSPORTS = pytest.mark.parametrize("transport", ["polling", "websocket"])
BEGINNING = {"EIO": "4", "transport": "polling"}


@TRANSPORTS
async def test_token_and_tenant_in_auth(site: Site, transport: str) -> None:
    client = site.client()
    auth = {"Authorization": site.token("acme"), "tenantId": "acme"}
    await client.connect(site.url, transport, auth=auth)
    assert client.sio.connected
    assert client.sio.transport() == transport


@TRANSPORTS
async def test_token_and_tenant_in_headers(site: Site, transport: str) -> None:
    client = site.client()
    await client.connect(site.url, transport, headers={"Authorization": site.token("acme"), "X-Tenant": "acme"})
    assert client.sio.connected


async def test_a_client_may_begin_with_polling_and_go_over_to_websocket(site: Site) -> None:
    client = site.client()
    await client.sio.connect(site.url, auth={"Authorization": site.token()}, namespaces=[NAMESPACE], wait_timeout=3)
    assert client.sio.transport() == "websocket"
    await client.call("subscribeDashboardStatus")
    assert client.count("dashboardStatusUpdate") == 1


@TRANSPORTS
@pytest.mark.parametrize(
    "auth",
    [
        None,
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "nonsense"},
        {"Authorization": "Bearer \ud800"},
        {"Authorization": 5},
        {"Authorization": {"Bearer": "x"}},
        ["Authorization"],
        "Bearer x",
    ],
)
async def test_without_a_good_token(site: Site, transport: str, auth: object) -> None:
    assert await site.client().refused(site.url, transport=transport, auth=auth) == "Unauthorized"


async def test_a_token_counts_in_its_tenant_only(site: Site) -> None:
    auth = {"Authorization": site.token("acme")}
    assert await site.client().refused(site.url, auth=auth) == "Unauthorized"


@pytest.mark.parametrize("tenant_id", ["nobody", "ACME", 7, {"x": 1}])
async def test_an_unknown_tenant(site: Site, tenant_id: object) -> None:
    auth = {"Authorization": site.token(), "tenantId": tenant_id}
    assert await site.client().refused(site.url, auth=auth) == "Invalid tenant"


async def test_no_tenant_where_there_is_no_default(site: Site) -> None:
    await site.serve(tenants_allow_default=False)
    assert await site.client().refused(site.url, auth={"Authorization": site.token()}) == "Invalid tenant"


async def test_nobody_enters_another_namespace(site: Site) -> None:
    async with (
        ClientSession(site.url) as session,
        session.ws_connect("/socket.io/?EIO=4&transport=websocket") as socket,
    ):
        await socket.receive_str()
        await socket.send_str('40{"Authorization":"x"}')
        assert (await socket.receive_str(timeout=5)).startswith("44")


async def test_other_origins_only_as_configured(site: Site) -> None:
    async def begin(origin: str) -> aiohttp.ClientResponse:
        async with ClientSession(site.url) as session:
            return await session.get("/socket.io/", params=BEGINNING, headers={"Origin": origin})

    assert (await begin("https://evil.example")).status == 400
    assert (await begin(site.url)).status == 200
    await site.serve(cors_origins=("https://app.example",))
    assert (await begin("https://evil.example")).status == 400
    answer = await begin("https://app.example")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    await site.serve(cors_origins=("*",))
    assert (await begin("https://evil.example")).status == 200


async def test_no_socket_is_compressed(site: Site) -> None:
    """Though browsers offer it: a window each would cost more than all else of a socket."""
    async with ClientSession(site.url) as session:
        url = "/socket.io/?EIO=4&transport=websocket"
        async with session.ws_connect(url, compress=15) as wire:
            assert (await wire.receive_str()).startswith("0{")
            assert wire.compress == 0


async def test_there_is_a_limit_of_sockets(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SOCKETS_MAX", 2)
    first, _ = await site.connected(), await site.connected("polling")
    async with ClientSession(site.url) as session, session.get("/socket.io/", params=BEGINNING) as answer:
        assert answer.status == 503
    await first.call("subscribeDashboardStatus")
    assert first.count("dashboardStatusUpdate") == 1
