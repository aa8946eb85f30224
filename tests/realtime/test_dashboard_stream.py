"""The stream: first snapshot, interval, errors, and what ends it. Intervals are shortened; bounds have a table."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse

from decabilld.http.auth import EXPIRED, TOKEN_LIFETIME
from decabilld.realtime import billing_namespace, payloads, server
from decabilld.realtime.payloads import DashboardStatusUpdate, ErrorMessage
from tests.realtime.site import Site

SUBSCRIBE, UNSUBSCRIBE, UPDATE = "subscribeDashboardStatus", "unsubscribeDashboardStatus", "dashboardStatusUpdate"
TRANSPORTS = pytest.mark.parametrize("transport", ["polling", "websocket"])
SHORT_MS = 100


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals a hundred times as short as the contract allows."""
    monkeypatch.setattr(payloads, "SHORTEST_POLL_MS", SHORT_MS)


@TRANSPORTS
async def test_the_first_snapshot_comes_before_the_acknowledgement(site: Site, transport: str) -> None:
    client = await site.connected(transport)
    await client.call(SUBSCRIBE, {"pollIntervalMs": 30_000})
    assert [event for event, _ in client.heard] == [UPDATE, "ack"]
    update = client.last(UPDATE)
    assert DashboardStatusUpdate().validate(update) == {}
    assert update["items"] == []
    assert update["generatedAt"][:16] == site.clock().isoformat()[:16]
    assert update["generatedAt"].endswith("Z")


@TRANSPORTS
@pytest.mark.usefixtures("soon")
async def test_then_one_per_interval_until_unsubscribed(site: Site, transport: str) -> None:
    client = await site.connected(transport)
    await client.call(SUBSCRIBE, {"pollIntervalMs": 1})
    await client.until(UPDATE, 4)
    await client.call(UNSUBSCRIBE)
    so_many = client.count(UPDATE)
    await asyncio.sleep(3 * SHORT_MS / 1000)
    assert client.count(UPDATE) == so_many


@pytest.mark.usefixtures("soon")
async def test_the_interval_is_the_one_asked_for(site: Site) -> None:
    """The bounds leave room for a busy machine; the jitter itself is a constant."""
    client = await site.connected()
    loop = asyncio.get_running_loop()
    await client.call(SUBSCRIBE, {"pollIntervalMs": 500})
    began = loop.time()
    await client.until(UPDATE, 3)
    assert 2 * 0.45 - 0.05 <= loop.time() - began <= 2 * 0.55 + 0.4
    assert billing_namespace.JITTER <= 0.1


@pytest.mark.usefixtures("soon")
async def test_subscribing_again_replaces_the_stream(site: Site) -> None:
    client = await site.connected()
    for _ in range(5):
        await client.call(SUBSCRIBE, {"pollIntervalMs": SHORT_MS})
    await client.call(SUBSCRIBE, {"pollIntervalMs": 60_000})
    assert client.count(UPDATE) == 6
    await asyncio.sleep(3 * SHORT_MS / 1000)
    assert client.count(UPDATE) == 6


@pytest.mark.usefixtures("soon")
async def test_only_the_subscriber_is_told(site: Site) -> None:
    subscriber, other = await site.connected(), await site.connected()
    await subscriber.call(SUBSCRIBE, {"pollIntervalMs": SHORT_MS})
    await subscriber.until(UPDATE, 3)
    assert other.heard == []


async def test_an_api_key_is_nobodys_customer(site: Site) -> None:
    await site.serve_by_key("secret")
    client = await site.connected(authorization="ApiKey secret")
    await client.call(SUBSCRIBE)
    assert client.heard == [("error", {"message": "User not authenticated"}), ("ack", SUBSCRIBE)]


@pytest.mark.parametrize("interval", ["10000", 10000.5, None, True, [], {}])
async def test_an_interval_that_is_no_whole_number(site: Site, interval: object) -> None:
    client = await site.connected()
    await client.call(SUBSCRIBE, {"pollIntervalMs": interval})
    assert "pollIntervalMs" in (await client.until("error"))["message"]
    assert client.count(UPDATE) == 0


@pytest.mark.parametrize("payload", [5, "text", [1], True])
async def test_a_payload_that_is_no_object(site: Site, payload: object) -> None:
    client = await site.connected()
    await client.call(SUBSCRIBE, payload)
    assert ErrorMessage().validate(await client.until("error")) == {}
    await client.call(SUBSCRIBE, {})
    assert client.count(UPDATE) == 1


@pytest.mark.usefixtures("soon")
async def test_an_expired_token_ends_the_stream(site: Site) -> None:
    client = await site.connected()
    await client.call(SUBSCRIBE, {"pollIntervalMs": SHORT_MS})
    await client.until(UPDATE, 2)
    site.clock.ahead += TOKEN_LIFETIME + timedelta(seconds=1)
    await client.until("disconnect")
    assert client.heard[-2] == ("error", {"message": EXPIRED})
    assert client.last("disconnect") == "server disconnect"


async def test_an_expired_token_subscribes_to_nothing(site: Site) -> None:
    client = await site.connected()
    site.clock.ahead += TOKEN_LIFETIME
    await client.sio.emit(SUBSCRIBE, namespace="/billing")
    await client.until("disconnect")
    assert client.count(UPDATE) == 0


@pytest.mark.usefixtures("soon")
async def test_a_tenant_that_is_away_is_an_error_and_not_the_end(site: Site) -> None:
    client = await site.connected()
    await client.call(SUBSCRIBE, {"pollIntervalMs": SHORT_MS})
    await site.tenants.stop(1.0)
    assert (await client.until("error", 2))["message"] == "Failed to load dashboard status"
    assert client.sio.connected


@pytest.mark.usefixtures("soon")
async def test_a_stream_ends_with_its_socket(site: Site) -> None:
    client = await site.connected()
    await client.call(SUBSCRIBE, {"pollIntervalMs": SHORT_MS})
    await client.sio.disconnect()
    await asyncio.sleep(0.1)
    assert not _streams()


@TRANSPORTS
async def test_the_end_of_the_site_is_the_end_of_its_sockets(site: Site, transport: str) -> None:
    client = await site.connected(transport)
    await client.call(SUBSCRIBE)
    async with asyncio.timeout(3):
        await site.stop()
    await client.until("disconnect")
    assert client.last("disconnect") != "server disconnect"  # after which clients don't come back by themselves
    assert not _streams()


@pytest.mark.parametrize(
    "frame",
    [
        "4",
        "4nonsense",
        "42/billing,",
        "42/billing,{}",
        "42/billing,[]",
        "42/billing,[5]",
        "42/billing,[[]]",
        "42/billing,[{}]",
        '42/billing,["connect",{"HTTP_AUTHORIZATION":"x"},{}]',
        '42/billing,["connect"]',
        '42/billing,["unknown"]',
        '42/billing,["subscribeDashboardStatus",1,2,3]',
        '451-/billing,["subscribeDashboardStatus",{"_placeholder":true,"num":0}]',
        "459999999999-/billing,[1]",
        "40/billing,",
        "43/billing,1[]",
        "44/billing,[]",
        "9",
    ],
)
async def test_nonsense_harms_nobody(site: Site, frame: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is sent, the socket goes on, and the log isn't the sender's to fill."""
    async with ClientSession(site.url) as session, session.ws_connect("/socket.io/?EIO=4&transport=websocket") as wire:
        await _enter(wire, site)
        await wire.send_str(frame)
        await wire.send_str('42/billing,7["subscribeDashboardStatus"]')
        async with asyncio.timeout(5):
            while not (await wire.receive_str()).startswith("43/billing,7"):
                pass
    assert not caplog.records


@pytest.mark.parametrize("frame", ["", "x", "bx"])
async def test_nonsense_below_socket_io_ends_the_transport(
    site: Site, frame: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with ClientSession(site.url) as session, session.ws_connect("/socket.io/?EIO=4&transport=websocket") as wire:
        await _enter(wire, site)
        await wire.send_str(frame)
        await wire.receive(timeout=5)
        assert wire.closed
    assert not caplog.records


async def test_a_disconnect_in_words_of_the_client_leaves_nothing(site: Site) -> None:
    async with ClientSession(site.url) as session, session.ws_connect("/socket.io/?EIO=4&transport=websocket") as wire:
        await _enter(wire, site)
        await wire.send_str('42/billing,["subscribeDashboardStatus"]')
        await wire.send_str('42/billing,["disconnect"]')
        await wire.send_str('42/billing,1["subscribeDashboardStatus"]')
        async with asyncio.timeout(5):
            while not (await wire.receive_str()).startswith("43/billing,1"):
                pass
        assert not _streams()


async def test_a_connect_in_words_of_the_client_makes_no_second_socket(site: Site) -> None:
    client = await site.connected()
    await client.call(SUBSCRIBE)
    await client.sio.emit("connect", ({}, {"Authorization": site.token()}), namespace="/billing")
    await client.call(SUBSCRIBE)
    assert len(_streams()) == 1


async def test_too_long_a_message_ends_the_socket(site: Site) -> None:
    client = await site.connected()
    await client.sio.emit(SUBSCRIBE, {"x": "y" * server.MESSAGE_BYTES_MAX}, namespace="/billing")
    await client.until("disconnect")


async def test_who_doesnt_read_is_sent_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A polling client that only posts: the answers would pile up."""
    monkeypatch.setattr(billing_namespace, "UNREAD_MAX", 4)
    async with ClientSession(site.url) as session:
        params = await _enter_by_polling(session, site)
        for number in range(8):
            await session.post("/socket.io/", params=params, data=f'42/billing,{number}["subscribeDashboardStatus"]')
        heard = await (await session.get("/socket.io/", params=params)).text()
    assert heard.count(UPDATE) == 3  # each with its acknowledgement
    assert "Too much is unread" in heard
    assert "41/billing,\x1e" in heard


async def test_what_waits_for_a_client_is_limited(site: Site) -> None:
    """Answers of the library's own, too: it tells of every namespace that isn't there."""
    async with ClientSession(site.url) as session:
        params = await _enter_by_polling(session, site)
        for _ in range(server.WAITING_MAX // 16 + 4):
            with contextlib.suppress(ClientError):
                await session.post("/socket.io/", params=params, data="\x1e".join(["40/nowhere,"] * 16))
        heard = await (await session.get("/socket.io/", params=params)).text()
    assert 0 < heard.count("44/nowhere,") <= server.WAITING_MAX


async def test_strangers_are_sent_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STRANGERS_SECONDS", 0.1)
    await site.serve()
    member = await site.connected()
    async with ClientSession(site.url) as session, session.ws_connect("/socket.io/?EIO=4&transport=websocket") as wire:
        await wire.receive_str()
        async with asyncio.timeout(5):
            while not wire.closed:
                await wire.receive()
    await member.call(SUBSCRIBE)
    assert member.count(UPDATE) == 1


@pytest.mark.parametrize(
    ("payload", "interval_ms"),
    [
        (None, 15_000),
        ({}, 15_000),
        ({"pollIntervalMs": 0}, 10_000),
        ({"pollIntervalMs": -(10**30)}, 10_000),
        ({"pollIntervalMs": 9_999}, 10_000),
        ({"pollIntervalMs": 10_000}, 10_000),
        ({"pollIntervalMs": 45_678}, 45_678),
        ({"pollIntervalMs": 120_001}, 120_000),
        ({"pollIntervalMs": 10**30, "newer": 1}, 120_000),
    ],
)
def test_intervals_are_clamped(payload: Any, interval_ms: int) -> None:
    assert payloads.poll_interval_ms(payload, 15_000) == interval_ms


def _streams() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("dashboard ")]


async def _enter(wire: ClientWebSocketResponse, site: Site) -> None:
    await wire.receive_str()
    await wire.send_str(f'40/billing,{{"Authorization":"{site.token()}"}}')
    assert (await wire.receive_str()).startswith("40/billing,")


async def _enter_by_polling(session: ClientSession, site: Site) -> dict[str, str]:
    params = {"EIO": "4", "transport": "polling"}
    opened = await (await session.get("/socket.io/", params=params)).text()
    params["sid"] = opened.split('"sid":"')[1].split('"')[0]
    await session.post("/socket.io/", params=params, data=f'40/billing,{{"Authorization":"{site.token()}"}}')
    assert (await (await session.get("/socket.io/", params=params)).text()).startswith("40/billing,")
    return params
