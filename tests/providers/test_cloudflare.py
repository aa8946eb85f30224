"""Names at Cloudflare, against a Cloudflare on loopback."""

from collections.abc import AsyncIterator, Callable

import pytest

from decabilld.actors.provider import Names, ProviderAway, ProviderRefused
from decabilld.gateways.cloudflare import CloudflareNames
from tests.providers.fake_api import Fault
from tests.providers.fake_cloudflare import FakeCloudflare

IS_NAMES: Callable[[CloudflareNames], Names] = lambda names: names  # noqa: E731
HOST = "calm-otter-x7k2m"
OURS = "decabilld-item=7"


@pytest.fixture
async def fake() -> AsyncIterator[FakeCloudflare]:
    async with FakeCloudflare() as fake:
        yield fake


@pytest.fixture
async def names(fake: FakeCloudflare) -> AsyncIterator[CloudflareNames]:
    names = CloudflareNames(
        fake.token, fake.base, fake.zone_id, fake.domain, first_pause_seconds=0.01, call_seconds=5.0
    )
    yield names
    await names.close()


async def test_a_name_is_published_once_however_often_it_is_asked_for(
    fake: FakeCloudflare, names: CloudflareNames
) -> None:
    for _ in range(2):
        await names.publish(HOST, "203.0.113.9", "7")
    (record,) = fake.records.values()
    assert {field: record[field] for field in ("type", "name", "content", "ttl", "proxied", "comment")} == {
        "type": "A", "name": f"{HOST}.cloud.example.org", "content": "203.0.113.9", "ttl": 60, "proxied": False,
        "comment": OURS,
    }  # fmt: skip
    assert fake.count("POST") == 1


async def test_another_address_replaces_the_one_before(fake: FakeCloudflare, names: CloudflareNames) -> None:
    await names.publish(HOST, "203.0.113.9", "7")
    await names.publish(HOST, "203.0.113.10", "7")
    assert [record["content"] for record in fake.at(HOST)] == ["203.0.113.10"]


async def test_of_two_records_of_ours_one_is_left(fake: FakeCloudflare, names: CloudflareNames) -> None:
    fake.add_record(HOST, "203.0.113.1", comment=OURS)
    fake.add_record(HOST, "203.0.113.9", comment=OURS)
    await names.publish(HOST, "203.0.113.10", "7")
    assert [record["content"] for record in fake.at(HOST)] == ["203.0.113.10"]


@pytest.mark.parametrize(
    ("kind", "content", "comment"),
    [
        ("A", "203.0.113.1", None),
        ("A", "203.0.113.9", "decabilld-item=8"),
        ("CNAME", "www.example.net", None),
        ("AAAA", "2001:db8::1", None),
    ],
)
async def test_anothers_name_is_left_alone(
    fake: FakeCloudflare, names: CloudflareNames, kind: str, content: str, comment: str | None
) -> None:
    theirs = fake.add_record(HOST, content, kind=kind, comment=comment)
    with pytest.raises(ProviderRefused, match="another's"):
        await names.publish(HOST, "203.0.113.9", "7")
    await names.remove(HOST, "7")
    assert list(fake.records.values()) == [theirs]


async def test_a_text_record_is_in_nobodys_way(fake: FakeCloudflare, names: CloudflareNames) -> None:
    fake.add_record(HOST, "v=spf1 -all", kind="TXT")
    await names.publish(HOST, "203.0.113.9", "7")
    assert sorted(record["type"] for record in fake.at(HOST)) == ["A", "TXT"]


async def test_removing_twice_is_fine(fake: FakeCloudflare, names: CloudflareNames) -> None:
    await names.publish(HOST, "203.0.113.9", "7")
    fake.faults = [Fault(on="DELETE", lost="after")]
    await names.remove(HOST, "7")
    await names.remove(HOST, "7")
    assert fake.records == {}


async def test_a_lost_answer_makes_no_second_record(fake: FakeCloudflare, names: CloudflareNames) -> None:
    fake.faults = [Fault(on="POST", lost="after")]
    await names.publish(HOST, "203.0.113.9", "7")
    assert len(fake.records) == 1


async def test_who_comes_between_look_and_record_keeps_the_name(fake: FakeCloudflare, names: CloudflareNames) -> None:
    refusal = fake.error(400, "An A, AAAA, or CNAME record with that host already exists.", 81053)
    fake.faults = [Fault(on="POST", status=400, body=refusal.body)]
    with pytest.raises(ProviderRefused, match="already exists"):
        await names.publish(HOST, "203.0.113.9", "7")


async def test_a_record_that_is_gone_is_known_by_its_code_too(fake: FakeCloudflare, names: CloudflareNames) -> None:
    fake.add_record(HOST, "203.0.113.9", comment=OURS)
    gone = fake.error(400, "Record does not exist.", 81044)
    fake.faults = [Fault(on="DELETE", status=400, body=gone.body)]
    await names.remove(HOST, "7")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_passes_is_tried_again(fake: FakeCloudflare, names: CloudflareNames, status: int) -> None:
    fake.faults = [Fault(on="GET", status=status), Fault(on="POST", status=status)]
    await names.publish(HOST, "203.0.113.9", "7")
    assert len(fake.at(HOST)) == 1


async def test_over_the_limit_it_is_away_and_asks_no_more(fake: FakeCloudflare, names: CloudflareNames) -> None:
    fake.limit = 2
    await names.publish(HOST, "203.0.113.9", "7")
    with pytest.raises(ProviderAway):
        await names.remove(HOST, "7")
    with pytest.raises(ProviderAway, match="rate limit"):
        await names.remove(HOST, "7")
    assert len(fake.requests) == 3


async def test_a_bad_address_or_token_is_refused(fake: FakeCloudflare, names: CloudflareNames) -> None:
    with pytest.raises(ProviderRefused, match="valid IPv4"):
        await names.publish(HOST, "not-an-address", "7")
    stranger = CloudflareNames("SECRET", fake.base, fake.zone_id, fake.domain)
    with pytest.raises(ProviderRefused, match="Authentication error") as caught:
        await stranger.publish(HOST, "203.0.113.9", "7")
    await stranger.close()
    assert "SECRET" not in repr(caught.value)
    assert fake.records == {}
