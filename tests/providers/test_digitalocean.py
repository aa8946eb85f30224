"""DigitalOcean's client, against a DigitalOcean on loopback: what is asked, what answers mean, what is never done."""

import logging
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from decabilld.actors.provider import (
    CapacityGone,
    OverBudget,
    Provider,
    ProviderAway,
    ProviderFactory,
    ProviderRefused,
    ServerOrder,
)
from decabilld.gateways.digitalocean import digitalocean
from decabilld.gateways.digitalocean.client import DigitalOcean
from tests.providers.fake_api import Fault, Request
from tests.providers.fake_digitalocean import FakeDigitalOcean

IS_A_FACTORY: ProviderFactory = digitalocean
IS_A_PROVIDER: Callable[[DigitalOcean], Provider] = lambda account: account  # noqa: E731


@pytest.fixture
async def fake() -> AsyncIterator[FakeDigitalOcean]:
    async with FakeDigitalOcean() as fake:
        yield fake


@pytest.fixture
async def account(fake: FakeDigitalOcean) -> AsyncIterator[DigitalOcean]:
    account = DigitalOcean(fake.token, fake.base, first_pause_seconds=0.01, call_seconds=5.0)
    yield account
    await account.close()


def public_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def order(**changes: str) -> ServerOrder:
    usual = {
        "item_id": str(uuid4()), "name": "calm-otter-x7k2m", "server_type": "s-2vcpu-4gb", "region": "fra1",
        "image": "ubuntu-24-04-x64", "user_data": "#cloud-config\n", "ssh_public_key": public_key(),
    }  # fmt: skip
    return ServerOrder(**{**usual, **changes})


async def test_a_server_is_made_with_its_key_its_tags_and_its_user_data(
    fake: FakeDigitalOcean, account: DigitalOcean
) -> None:
    wanted = order()
    made = await account.create_server(wanted)
    droplet, key = fake.droplets[int(made.id)], next(iter(fake.keys.values()))
    assert droplet["tags"] == ["decabilld", f"decabilld-item:{wanted.item_id}"]
    assert (droplet["user_data"], droplet["image"]) == ("#cloud-config\n", "ubuntu-24-04-x64")
    assert droplet["ssh_keys"] == [key["id"]]
    assert (key["name"], key["public_key"]) == (f"decabilld-{wanted.item_id}", wanted.ssh_public_key)
    assert (made.item_id, made.name, made.server_type, made.region) == (
        wanted.item_id, "calm-otter-x7k2m", "s-2vcpu-4gb", "fra1",
    )  # fmt: skip
    assert made.metadata["regionName"] == "Frankfurt 1"


async def test_its_addresses_come_after_a_while(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    fake.boot_seconds = 60
    wanted = order()
    made = await account.create_server(wanted)
    assert (made.status, made.public_ip) == ("starting", None)
    fake.boot_seconds = 0
    (server,) = await account.servers_of(wanted.item_id)
    assert (server.status, server.public_ip, server.private_ip) == (
        "running", f"203.0.113.{int(made.id) % 250}", f"10.135.0.{int(made.id) % 250}",
    )  # fmt: skip


async def test_a_lost_answer_is_not_tried_again_and_its_server_is_found(
    fake: FakeDigitalOcean, account: DigitalOcean
) -> None:
    wanted = order()
    fake.faults = [Fault(on="POST /droplets", lost="after")]
    with pytest.raises(ProviderAway):
        await account.create_server(wanted)
    assert fake.count("POST /droplets") == 1
    (found,) = await account.servers_of(wanted.item_id)
    again = await account.create_server(wanted)
    assert again.id == found.id
    assert len(fake.droplets) == 1


@pytest.mark.parametrize("status", [500, 503])
async def test_a_failure_of_theirs_may_have_made_it_so_it_is_not_tried_again(
    fake: FakeDigitalOcean, account: DigitalOcean, status: int
) -> None:
    fake.faults = [Fault(on="POST /droplets", status=status)]
    with pytest.raises(ProviderAway):
        await account.create_server(order())
    assert fake.count("POST /droplets") == 1


async def test_turned_away_by_the_rate_limit_it_is_tried_again(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    fake.faults = [Fault(on="POST /droplets", status=429, headers={"Retry-After": "1"})]
    started = time.monotonic()
    await account.create_server(order())
    assert time.monotonic() - started >= 1
    assert len(fake.droplets) == 1


async def test_tags_that_come_late_make_no_twin(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    """The name is looked for right before: by then the tags may be there which the look by tag hadn't seen."""
    wanted = order()
    fake.tag_seconds = 60
    fake.faults = [Fault(on="POST /droplets", lost="after")]
    with pytest.raises(ProviderAway):
        await account.create_server(wanted)
    assert await account.servers_of(wanted.item_id) == []
    fake.tag_seconds = 0
    await account.create_server(wanted)
    assert len(fake.droplets) == 1


async def test_anothers_server_of_that_name_is_not_ours(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    wanted = order()
    theirs = fake.add_droplet(wanted.name, "production")
    assert (await account.create_server(wanted)).id != str(theirs["id"])


async def test_twins_are_listed_the_older_first(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    tags = ("decabilld", "decabilld-item:7")
    younger = fake.add_droplet("a", *tags, created_at="2026-11-22T10:00:01Z")
    older = fake.add_droplet("a", *tags, created_at="2026-11-22T10:00:00Z")
    assert [server.id for server in await account.servers_of("7")] == [str(older["id"]), str(younger["id"])]


async def test_a_key_that_is_registered_already_is_used(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    wanted = order()
    fake.faults = [Fault(on="POST /account/keys", lost="after")]
    made = await account.create_server(wanted)
    (key,) = fake.keys.values()
    assert fake.droplets[int(made.id)]["ssh_keys"] == [key["fingerprint"]]
    assert fake.count("GET /account/keys") == 0


async def test_what_is_no_key_is_refused_before_anything_is_asked(
    fake: FakeDigitalOcean, account: DigitalOcean
) -> None:
    with pytest.raises(ProviderRefused):
        await account.create_server(order(ssh_public_key="ssh-ed25519"))
    assert fake.count("POST") == 0


def sold_out(fake: FakeDigitalOcean) -> None:
    fake.sizes["s-2vcpu-4gb"]["regions"].remove("fra1")


def region_closed(fake: FakeDigitalOcean) -> None:
    fake.closed_regions.add("fra1")


def account_full(fake: FakeDigitalOcean) -> None:
    fake.droplet_limit = 0


@pytest.mark.parametrize("gone", [sold_out, region_closed, account_full])
async def test_no_room_is_told_apart(
    fake: FakeDigitalOcean, account: DigitalOcean, gone: Callable[[FakeDigitalOcean], None]
) -> None:
    gone(fake)
    with pytest.raises(CapacityGone):
        await account.create_server(order())
    assert fake.droplets == {}


@pytest.mark.parametrize(
    "wrong",
    [{"server_type": "x"}, {"region": "mars1"}, {"image": "windows-95"}, {"user_data": "#" * 66_000}],
)
async def test_a_bad_order_is_refused_for_good(
    fake: FakeDigitalOcean, account: DigitalOcean, wrong: dict[str, str]
) -> None:
    with pytest.raises(ProviderRefused):
        await account.create_server(order(**wrong))
    assert fake.count("POST /droplets") == 1


async def test_an_image_missing_in_a_region_is_no_matter_of_room(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    words = "The image you specified is not available in the selected region, you can transfer it to this region"
    fake.faults = [Fault(on="POST /droplets", status=422, body={"id": "unprocessable_entity", "message": words})]
    with pytest.raises(ProviderRefused, match="image you specified"):
        await account.create_server(order())


async def test_all_our_servers_are_listed_page_by_page(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    for number in range(450):
        fake.add_droplet(f"d{number}", "decabilld", f"decabilld-item:{number}")
    fake.add_droplet("theirs")
    unlabelled = fake.add_droplet("by-hand", "decabilld")
    servers = await account.servers()
    assert len(servers) == 451
    assert {server.item_id for server in servers} == {None, *map(str, range(450))}
    assert [server.item_id for server in servers if server.id == str(unlabelled["id"])] == [None]
    assert fake.count("GET /droplets") == 3


class Shrinking(FakeDigitalOcean):
    """Loses its newest droplet when the second page is first asked for: all others move up by one place."""

    def admit(self, request: Request) -> None:
        if request.query.get("page") == "2" and len(self.droplets) == 402:
            del self.droplets[max(self.droplets)]
        super().admit(request)


async def test_one_deleted_while_pages_are_turned_hides_no_other() -> None:
    async with Shrinking() as fake:
        account = DigitalOcean(fake.token, fake.base)
        for number in range(402):
            fake.add_droplet(f"d{number}", "decabilld", f"decabilld-item:{number}")
        servers = await account.servers()
        await account.close()
    assert {server.item_id for server in servers} == {str(number) for number in range(401)}
    assert fake.count("GET /droplets") == 3 + 3


async def test_server_types_are_told_with_their_regions_and_in_euros(fake: FakeDigitalOcean) -> None:
    fake.closed_regions.add("nyc1")
    fake.sizes["c-4"]["available"] = False
    environment = {
        "DIGITALOCEAN_API_TOKEN": fake.token, "DIGITALOCEAN_API_BASE": fake.base + "/",
        "DIGITALOCEAN_USD_EUR_RATE": "0.92",
    }  # fmt: skip
    account = digitalocean(environment)
    types = {kind.id: kind for kind in await account.server_types()}
    await account.close()
    middle = types["s-2vcpu-4gb"]
    assert (middle.cores, middle.memory, middle.disk) == (2, Decimal(4), Decimal(80))
    assert (middle.price_monthly, middle.price_hourly) == (Decimal("22.0800"), Decimal("0.032853"))
    assert middle.regions == ("fra1", "ams3")
    assert types["c-4"].regions == ()
    assert str(types["s-1vcpu-512mb-10gb"].memory) == "0.5"


async def test_without_a_rate_there_are_no_prices_in_euros(account: DigitalOcean) -> None:
    for kind in await account.server_types():
        assert (kind.price_monthly, kind.price_hourly) == (None, None)
        assert "USD a month" in kind.description


async def test_switching(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    droplet = fake.add_droplet("d")
    server_id = str(droplet["id"])
    for power, expected in (
        ("start", []), ("stop", ["shutdown"]), ("stop", []), ("start", ["power_on"]), ("restart", ["reboot"]),
    ):  # fmt: skip
        fake.actions.clear()
        await account.switch(server_id, power)  # type: ignore[arg-type]
        assert [kind for _, kind in fake.actions] == expected, power
    droplet["power"], fake.actions = "off", []
    await account.switch(server_id, "restart")
    assert fake.actions == [(droplet["id"], "power_on")]


async def test_one_that_is_busy_is_asked_again_until_it_is_not(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    droplet = fake.add_droplet("d")
    fake.action_seconds = 60
    await account.switch(str(droplet["id"]), "restart")
    with pytest.raises(ProviderAway, match="pending event"):
        await account.switch(str(droplet["id"]), "stop")
    assert fake.count("POST /droplets") == 1 + 4


async def test_switching_one_that_is_gone_is_refused(account: DigitalOcean) -> None:
    with pytest.raises(ProviderRefused):
        await account.switch("123", "start")


async def test_deleting_twice_is_fine(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    wanted = order()
    made = await account.create_server(wanted)
    fake.faults = [Fault(on="DELETE /droplets", lost="after")]
    await account.delete_server(made.id)
    await account.delete_server(made.id)
    await account.delete_ssh_key(wanted.item_id)
    await account.delete_ssh_key(wanted.item_id)
    assert (fake.droplets, fake.keys) == ({}, {})


async def test_only_the_items_own_key_is_deleted(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    """The eleventh list of keys in a while is turned away; what else is asked goes on."""
    for number in range(11):
        await account.create_server(order(item_id=str(number), name=f"d{number}"))
    for number in range(10):
        await account.delete_ssh_key(str(number))
    assert [key["name"] for key in fake.keys.values()] == ["decabilld-10"]
    with pytest.raises(ProviderAway):
        await account.delete_ssh_key("10")
    assert len(await account.servers()) == 11


async def test_another_token_counts_for_everything(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    fake.token = "dop_v1_token_after_the_change"
    account.change_token(fake.token)
    await account.create_server(order(item_id="1"))
    await account.delete_ssh_key("1")
    assert fake.keys == {}


async def test_when_the_hours_requests_get_short_listings_yield_first(
    fake: FakeDigitalOcean, account: DigitalOcean
) -> None:
    """The limit counts whoever else uses the account: what is left is what the last answer said."""
    fake.hourly_limit = 30
    made = await account.create_server(order())
    with pytest.raises(OverBudget):
        await account.servers()
    await account.delete_server(made.id)
    assert fake.count("GET /droplets") == 1, "the look for the name, before it was made"


async def test_the_accounts_limit_is_told_before_it_is_met(fake: FakeDigitalOcean, account: DigitalOcean) -> None:
    fake.droplet_limit = 2
    fake.add_droplet("theirs")
    assert await account.limit_reached() is None
    fake.add_droplet("theirs-too")
    assert "2 servers" in (await account.limit_reached() or "")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DIGITALOCEAN_API_TOKEN", "se cret"),
        ("DIGITALOCEAN_API_BASE", "ftp://secret"),
        ("DIGITALOCEAN_USD_EUR_RATE", "secret"),
        ("DIGITALOCEAN_USD_EUR_RATE", "0"),
    ],
)
def test_a_bad_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=variable) as caught:
        digitalocean({variable: value})
    assert value == "0" or value not in str(caught.value)


def test_without_a_token_it_still_tells_what_may_be_set() -> None:
    account = digitalocean({})
    assert not account.configured
    schema = account.config_schema
    assert schema["basePriceFromField"] == "serverType"
    assert set(schema["required"]) <= set(schema["properties"])
    assert account.default_image == schema["properties"]["image"]["default"]


async def test_the_token_is_in_no_word(
    fake: FakeDigitalOcean, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    account = DigitalOcean("dop_v1_SECRET", fake.base, first_pause_seconds=0.01)
    with pytest.raises(ProviderAway, match="Unable to authenticate"):
        await account.servers()
    with pytest.raises(ProviderRefused, match="Unable to authenticate") as refused:
        await account.delete_server("1")
    await fake.stop()
    with pytest.raises(ProviderAway) as away:
        await account.servers()
    await account.close()
    said = f"{refused.value!r} {away.value!r} {capsys.readouterr()} {caplog.text}"
    assert "call_failed" in said
    assert "SECRET" not in said
