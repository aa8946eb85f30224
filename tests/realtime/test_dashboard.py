"""Which items a snapshot shows, and what it does when a provider is silent. Providers are functions of the test."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from msgspec import Struct
from structlog.testing import capture_logs

from decabilld.actors.ports import Unavailable
from decabilld.actors.registry import Tenants
from decabilld.domain.entities import Id, SubscriptionItem
from decabilld.realtime import dashboard
from decabilld.realtime.dashboard import Dashboard
from decabilld.realtime.payloads import DashboardStatusItem
from decabilld.realtime.ports import NothingSeen
from decabilld.store.pool import Pool
from decabilld.store.tenant_store import PostgresTenantStore
from tests.jobs.living import MovedClock, tenants_over
from tests.store import samples as s

USER, OTHER = s.user(), s.user()
CLOUD = s.service_type(provider="cloud")
PLAN = s.plan(CLOUD)
LATER = s.NOW + timedelta(days=36_500)
NOTHING_DUE: dict[str, Any] = {"cancel_effective_at": LATER, "period_end": LATER}
RUNNING = s.subscription(USER, PLAN, status="active", **NOTHING_DUE)
LEAVING = s.subscription(USER, PLAN, status="pending_cancel", **NOTHING_DUE)
WAITING = s.subscription(USER, PLAN, status="pending_backorder", **NOTHING_DUE)
OTHERS = s.subscription(OTHER, PLAN, status="active", **NOTHING_DUE)
FIRST = s.item(RUNNING, provider="cloud", service="controller", hostname="calm-heron")
SECOND = s.item(LEAVING, provider="hill", hostname="wild-otter", created_at=s.NOW + timedelta(hours=1))
UNSEEN = [
    s.item(RUNNING, provider="cloud", provisioning_status="pending"),
    s.item(RUNNING, provider="cloud", provisioning_status="failed"),
    s.item(RUNNING, provider="cloud", released_at=s.NOW),
    s.item(RUNNING, provider="cloud", service=None),
    s.item(RUNNING, provider="never-installed"),
    s.item(WAITING, provider="cloud"),
    s.item(OTHERS, provider="cloud"),
]
ENTITIES = [USER, OTHER, CLOUD, PLAN, RUNNING, LEAVING, WAITING, OTHERS, FIRST, SECOND, *UNSEEN]


class Server(Struct):
    item_id: Id
    name: str = "srv"
    public_ip: str = "203.0.113.7"
    private_ip: str | None = None
    status: str = "running"
    metadata: dict[str, Any] | None = None


async def all_run(tenant_id: str, items: Sequence[SubscriptionItem]) -> list[Server]:
    assert tenant_id == "acme"
    return [Server(item.id) for item in items]


async def broken(*_: object) -> list[Server]:
    raise ConnectionError("no route")


async def silent(*_: object) -> list[Server]:
    await asyncio.sleep(60)
    return []


@pytest.fixture
async def tenants(database: str) -> AsyncIterator[Tenants]:
    pool = await Pool.open(database, size=1)
    store = PostgresTenantStore(database, "acme", str(uuid4()), pool)
    await store.commit(s.batch(await store.claim(), list(ENTITIES)))
    await store.close()
    await pool.close()
    async with tenants_over(database, ["acme"], MovedClock()) as tenants:
        tenants.start()
        while tenants.not_ready():  # noqa: ASYNC110 (nobody is told)
            await asyncio.sleep(0.01)
        yield tenants


async def test_the_items_in_use_of_running_subscriptions_of_ones_own(tenants: Tenants) -> None:
    shown = await Dashboard(tenants, {"cloud": all_run, "hill": all_run}).snapshot("acme", USER.id)
    seen = {"name": "srv", "publicIp": "203.0.113.7", "status": "running"}
    assert shown == [
        {"subscriptionId": RUNNING.id, "itemId": FIRST.id, "service": "controller", "hostname": "calm-heron", **seen},
        {"subscriptionId": LEAVING.id, "itemId": SECOND.id, "service": "manager", "hostname": "wild-otter", **seen},
    ]
    assert DashboardStatusItem(many=True).validate(shown) == {}


async def test_what_a_provider_says_more(tenants: Tenants) -> None:
    async def talkative(*_: object) -> list[Server]:
        return [Server(FIRST.id, private_ip="10.0.0.2", metadata={"cores": 2}), Server(s.new_id())]

    (shown,) = await Dashboard(tenants, {"cloud": talkative}, "shop.example").snapshot("acme", USER.id)
    assert (shown["privateIp"], shown["metadata"]) == ("10.0.0.2", {"cores": 2})
    assert shown["hostnameFqdn"] == "calm-heron.shop.example"
    assert DashboardStatusItem().validate(shown) == {}


async def test_without_providers_there_is_nothing_to_show(tenants: Tenants) -> None:
    assert await Dashboard(tenants, {}).snapshot("acme", USER.id) == []
    assert await Dashboard(tenants, {"cloud": broken}).snapshot("acme", s.new_id()) == []


@pytest.mark.parametrize("failing", [broken, silent])
async def test_a_provider_that_fails_leaves_out_its_own(
    tenants: Tenants, failing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "LOOK_UP_SECONDS", 0.05)
    shown = await Dashboard(tenants, {"cloud": failing, "hill": all_run}).snapshot("acme", USER.id)
    assert [item["itemId"] for item in shown] == [SECOND.id]


async def test_a_silence_is_told_once_however_many_look_until_it_is_over(tenants: Tenants) -> None:
    """Thousands of sockets look every ten seconds."""
    answering = False

    async def moody(tenant_id: str, items: Sequence[SubscriptionItem]) -> list[Server]:
        return await (all_run if answering else broken)(tenant_id, items)

    board = Dashboard(tenants, {"cloud": moody, "hill": all_run})
    with capture_logs() as logs:
        for answering in (False, False, False, True, False, False):  # noqa: B007 (moody looks at it)
            await board.snapshot("acme", USER.id)
    assert [line["event"] for line in logs] == ["provider_silent", "provider_silent"]


async def test_all_failing_is_not_the_same_as_nothing(tenants: Tenants) -> None:
    with pytest.raises(NothingSeen):
        await Dashboard(tenants, {"cloud": broken, "hill": broken}).snapshot("acme", USER.id)


async def test_a_tenant_that_is_not_loaded(database: str) -> None:
    async with tenants_over(database, ["acme"], MovedClock()) as tenants:
        with pytest.raises(Unavailable):
            await Dashboard(tenants, {}).snapshot("acme", USER.id)
