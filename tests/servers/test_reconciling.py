"""Servers that nobody pays for, twins, and servers that have vanished: found, told once, deleted only if told to."""

import asyncio
import json
from typing import Any

import pytest

from decabilld.actors import server_comparison
from decabilld.actors.server_comparison import Compared
from decabilld.control.client import remote_servers
from decabilld.control.socket_file import control_path
from decabilld.domain.entities import OrphanServer
from decabilld.ids import new_id
from tests.control.command import decabilld
from tests.harness.people import Customer
from tests.providers.fake_api import Fault
from tests.providers.fake_cloudflare import FakeCloudflare
from tests.providers.fake_hetzner import FakeHetzner
from tests.servers.conftest import StartDaemon
from tests.servers.shop import ServerShop, deploying_at, opened_shop, until


class Books:
    """The shop's operator looks after servers."""

    def __init__(self, shop: ServerShop) -> None:
        self.shop, self.home = shop, shop.daemon.settings.data_path

    async def compared(self, *, delete: bool = False) -> Compared:
        """At Hetzner, as the command does it."""
        async with remote_servers(control_path(self.home)) as servers:
            (found,) = await servers.compare(delete=delete)
            return found

    async def sold(self, customer: Customer, count: int = 1) -> list[dict[str, Any]]:
        """The servers of that many new subscriptions, as the provider has them; each also knows its `subscription`."""
        servers = []
        for _ in range(count):
            subscription = await self.shop.order(customer)
            item = await self.shop.until_item(customer, subscription, "active")
            (server,) = self.shop.hetzner.of_item(item["id"])
            servers.append({**server, "subscription": subscription, "item": item["id"]})
        return servers

    async def told(self, *kinds: str) -> list[str]:
        """The journal's entries of these kinds."""
        return [kind for kind in await self.shop.admin.audit.journal_kinds("default") if kind in kinds]

    async def details(self) -> Any:
        return (await self.shop.admin.get("/ready")).get("details")


@pytest.fixture
async def books(shop: ServerShop) -> Books:
    return Books(shop)


async def test_what_is_paid_for_is_in_order(books: Books) -> None:
    anna = await books.shop.customer("anna")
    await books.sold(anna, 2)
    books.shop.hetzner.add_server("somebody-elses")
    books.shop.hetzner.add_server("no-id-of-ours", {"decabilld-item": "4711"})
    assert await books.compared(delete=True) == Compared(provider="hetzner", servers=2)
    assert len(books.shop.hetzner.servers) == 4
    assert await books.details() is None


async def test_an_orphan_is_told_once_and_stays_until_it_is_to_be_deleted(books: Books) -> None:
    label = new_id()
    server = books.shop.hetzner.add_server("calm-heron-x2345", {"decabilld-item": label})
    for _ in range(2):
        (orphan,) = (await books.compared()).orphans
        assert (orphan.server_id, orphan.label_id, orphan.deleted) == (str(server["id"]), label, False)
    assert await books.told("server.orphan_found") == ["server.orphan_found"]
    assert await books.details() == ["1 of our servers run and nobody pays for them; see the journal"]
    books.shop.hetzner.faults.append(Fault("DELETE /servers", status=403))
    assert [one.deleted for one in (await books.compared(delete=True)).orphans] == [False]
    assert [one.deleted for one in (await books.compared(delete=True)).orphans] == [True]
    assert books.shop.hetzner.servers == {}
    assert await books.told("server.orphan_deleted") == ["server.orphan_deleted"]
    assert await books.details() is None


async def test_what_comes_back_after_its_item_was_released_is_an_orphan_until_it_is_gone(books: Books) -> None:
    anna = await books.shop.customer("anna")
    (sold,) = await books.sold(anna)
    await anna.cancels(sold["subscription"])
    await books.shop.until_nothing_left()
    await until(lambda: books.told("server.removed"), bool, 5)
    late = books.shop.hetzner.add_server(sold["name"], sold["labels"])
    assert len((await books.compared()).orphans) == 1
    del books.shop.hetzner.servers[late["id"]]
    assert (await books.compared()).orphans == ()
    assert await books.told("server.orphan_found", "server.orphan_gone") == [
        "server.orphan_found",
        "server.orphan_gone",
    ]
    (kept,) = await books.shop.admin.audit.rows(OrphanServer, "default")
    assert (kept.label_id, kept.gone_at is None) == (sold["item"], False)


async def test_of_twins_the_items_own_server_stays(books: Books) -> None:
    anna = await books.shop.customer("anna")
    (sold,) = await books.sold(anna)
    twin = books.shop.hetzner.add_server("twin", sold["labels"])
    twin["created"] = "2020-01-01T00:00:00+00:00"  # older even: what the customer uses is the item's
    info = await anna.get(f"/subscriptions/{sold['subscription']}/items/{sold['item']}/server-info")
    assert (info["name"], info["publicIp"]) == (sold["name"], sold["ip"])
    (orphan,) = (await books.compared(delete=True)).orphans
    assert (orphan.server_id, orphan.deleted) == (str(twin["id"]), True)
    assert list(books.shop.hetzner.servers) == [sold["id"]]


async def test_a_vanished_server_fails_its_item_and_goes_on_being_charged_until_somebody_ends_it(books: Books) -> None:
    await books.shop.admin.move_to("2024-01-10 12:00")
    anna = await books.shop.customer("anna")
    first, second = await books.sold(anna, 2)
    del books.shop.hetzner.servers[first["id"]]
    for expected in ([first["item"]], []):
        assert [gone.item_id for gone in (await books.compared()).vanished] == expected
    item = await books.shop.item(anna, first["subscription"])
    assert item["provisioningStatus"] == "failed"
    assert await books.told("server.vanished") == ["server.vanished"]
    assert (await books.shop.item(anna, second["subscription"]))["provisioningStatus"] == "active"
    await books.shop.admin.move_to("2024-02-10 12:00")
    assert [net for *_, net in await anna.charges(first["subscription"])] == ["10.00"]
    await anna.cancels(first["subscription"])
    await until(lambda: books.told("server.removed"), bool, 10)
    assert len(books.shop.cloudflare.records) == 1


async def test_a_vanished_server_that_is_seen_again_is_its_items_again(books: Books) -> None:
    anna = await books.shop.customer("anna")
    (sold,) = await books.sold(anna)
    hetzner = books.shop.hetzner
    kept = dict(hetzner.servers)
    hetzner.servers.clear()  # the token of another account, say: one server alone gives nothing to compare with
    await books.compared()
    assert (await books.shop.item(anna, sold["subscription"]))["provisioningStatus"] == "failed"
    another = hetzner.add_server("its-twin", sold["labels"])
    await books.compared()
    assert (await books.shop.item(anna, sold["subscription"]))["provisioningStatus"] == "failed"
    del hetzner.servers[another["id"]]
    hetzner.servers.update(kept)
    for _ in range(2):
        assert await books.compared() == Compared(provider="hetzner", servers=1)
    assert (await books.shop.item(anna, sold["subscription"]))["provisioningStatus"] == "active"
    assert await books.told("server.vanished", "server.returned") == ["server.vanished", "server.returned"]
    await anna.get(f"/subscriptions/{sold['subscription']}/items/{sold['item']}/server-info")


async def test_a_list_that_fails_or_is_another_accounts_proves_nothing(books: Books) -> None:
    anna = await books.shop.customer("anna")
    await books.sold(anna, 2)
    hetzner = books.shop.hetzner
    hetzner.faults += [Fault("GET /servers", status=403)]
    assert "answer" not in (failed := (await books.compared()).failure or "")
    assert failed
    kept = dict(hetzner.servers)
    hetzner.servers.clear()
    found = await books.compared()
    assert (found.vanished, "another account" in (found.failure or "")) == ((), True)
    hetzner.servers.update(kept)
    assert await books.compared() == Compared(provider="hetzner", servers=2)
    assert await books.told("server.vanished", "server.orphan_found") == []


async def test_nothing_is_deleted_in_an_account_that_looks_like_anothers(books: Books) -> None:
    anna = await books.shop.customer("anna")
    await books.sold(anna, 2)
    hetzner = books.shop.hetzner
    hetzner.servers.clear()
    anothers = hetzner.add_server("calm-heron-x2345", {"decabilld-item": new_id()})
    assert "another account" in ((await books.compared(delete=True)).failure or "")
    assert list(hetzner.servers) == [anothers["id"]]
    assert await books.told("server.vanished", "server.orphan_found", "server.orphan_deleted") == []


async def test_however_many_orphans_there_are_what_has_vanished_is_found(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_comparison, "CONFIRMED_MAX", 3)
    anna = await books.shop.customer("anna")
    first, _ = await books.sold(anna, 2)
    for number in range(5):
        books.shop.hetzner.add_server(f"calm-heron-{number}", {"decabilld-item": new_id()})
    await books.compared()
    del books.shop.hetzner.servers[first["id"]]
    assert [gone.item_id for gone in (await books.compared()).vanished] == [first["item"]]


async def test_a_list_that_is_old_or_lacks_some_proves_nothing(books: Books) -> None:
    anna = await books.shop.customer("anna")
    first, second = await books.sold(anna, 2)
    hetzner = books.shop.hetzner
    removed = hetzner.add_server("calm-heron-x2345", {"decabilld-item": new_id()})
    shown = [hetzner._shown(hetzner.servers[one["id"]]) for one in (first, removed)]
    del hetzner.servers[removed["id"]]
    pages = {"page": 1, "per_page": 50, "previous_page": None, "next_page": None, "last_page": 1, "total_entries": 2}
    hetzner.faults.append(Fault("GET /servers", status=200, body={"servers": shown, "meta": {"pagination": pages}}))
    assert await books.compared(delete=True) == Compared(provider="hetzner", servers=2)
    assert (await books.shop.item(anna, second["subscription"]))["provisioningStatus"] == "active"
    assert hetzner.count("DELETE /servers") == 0


async def test_servers_of_tenants_that_are_not_served_here_are_paid_for(
    start_daemon: StartDaemon, hetzner: FakeHetzner, cloudflare: FakeCloudflare
) -> None:
    both = await start_daemon(tenants=("default", "acme"), **deploying_at(hetzner, cloudflare))
    shop = await opened_shop(both, hetzner, cloudflare)
    await Books(shop).sold(await shop.customer("anna"))
    await both.stop()
    other = await start_daemon(tenants=("acme",), **deploying_at(hetzner, cloudflare))
    async with remote_servers(control_path(other.settings.data_path)) as servers:
        assert await servers.compare(delete=True) == [Compared(provider="hetzner", servers=1)]


async def test_the_command_says_what_it_found(books: Books) -> None:
    anna = await books.shop.customer("anna")
    await books.sold(anna)
    books.shop.hetzner.add_server("calm-heron-x2345", {"decabilld-item": new_id()})
    said = await decabilld("reconcile-servers", data_dir=books.home)
    assert (said.code, said.out.splitlines()[0]) == (0, "hetzner: 2 servers, 1 without an item that pays, 0 vanished")
    assert "nobody pays for it" in said.out
    done = await decabilld("reconcile-servers", "--delete", "--json", data_dir=books.home)
    assert [one["deleted"] for one in json.loads(done.out)[0]["orphans"]] == [True]
    assert len(books.shop.hetzner.servers) == 1
    alone = await decabilld("reconcile-servers", data_dir=books.home / "elsewhere")
    assert (alone.code, "no daemon runs" in alone.err) == (1, True)


async def test_it_is_done_by_the_hour_and_deletes_where_the_operator_wants_that(
    start_daemon: StartDaemon, hetzner: FakeHetzner, cloudflare: FakeCloudflare
) -> None:
    orphan = hetzner.add_server("calm-heron-x2345", {"decabilld-item": new_id()})
    await start_daemon(
        server_reconcile_interval_ms=500, reconcile_delete_orphans=True, **deploying_at(hetzner, cloudflare)
    )
    async with asyncio.timeout(10):
        while orphan["id"] in hetzner.servers:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
