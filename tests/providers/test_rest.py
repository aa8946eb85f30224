"""How often and how long an API is tried, and what is believed of its answers."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from decabilld.actors.provider import ProviderAway, ProviderRefused
from decabilld.gateways import rest
from decabilld.gateways.rest import ErrorAnswer, RateLimit, Rest
from tests.providers.fake_api import BODY, ApiError, FakeApi, Fault


class Counter(FakeApi):
    """`POST /count` counts, `GET /count` tells."""

    root = "/v9"

    def __init__(self) -> None:
        self.counted = 0
        super().__init__()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v9/count", self._tell)
        router.add_post("/v9/count", self._count)
        router.add_get("/v9/elsewhere", self._redirect)

    def error(self, status: int, text: str | None = None) -> ApiError:
        return ApiError(status, {"error": {"text": text or f"error {status}"}})

    def headers(self) -> dict[str, str]:
        return {"RateLimit-Limit": "3600", "RateLimit-Remaining": "3599", "RateLimit-Reset": "1795370400"}

    async def _tell(self, _: web.Request) -> web.Response:
        return web.Response(text=f'{{"count": {self.counted}, "price": 0.10}}', content_type="application/json")

    async def _count(self, request: web.Request) -> web.Response:
        self.counted += request[BODY]["by"]
        return web.Response(status=204)

    async def _redirect(self, _: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{self.base}/count"})


def read_error(answer: ErrorAnswer) -> Exception:
    said = answer.text("error", "text") or f"status {answer.status}"
    return ProviderAway(said) if answer.status in (409, 429) or answer.status >= 500 else ProviderRefused(said)


@pytest.fixture
async def counter() -> AsyncIterator[Counter]:
    async with Counter() as counter:
        yield counter


@pytest.fixture
async def account(counter: Counter) -> AsyncIterator[Rest]:
    account = Rest("Counter", counter.base, counter.token, read_error, call_seconds=3.0, first_pause_seconds=0.01)
    yield account
    await account.close()


async def get(account: Rest, path: str = "/count") -> Any:
    async with account.calls() as ask:
        return await ask("GET", path)


async def count(account: Rest, *, repeatable: bool | None = None) -> None:
    async with account.calls() as ask:
        assert await ask("POST", "/count", body={"by": 1}, repeatable=repeatable) is None


async def test_prices_are_no_floats_and_limits_are_kept(account: Rest) -> None:
    answer = await get(account)
    assert isinstance(answer["price"], Decimal)
    assert account.rate_limit == RateLimit(3600, 3599, 1_795_370_400)


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (Fault(status=400), 1),
        (Fault(status=500), 1),
        (Fault(status=502, page="<html>Bad Gateway</html>"), 1),
        (Fault(page="<html>Welcome to the hotel</html>"), 1),
        (Fault(lost="before"), 1),
        (Fault(lost="after"), 1),
        (Fault(status=409), 2),
        (Fault(status=429), 2),
    ],
)
async def test_what_may_have_been_taken_is_not_sent_again(
    counter: Counter, account: Rest, fault: Fault, tries: int
) -> None:
    counter.faults = [fault]
    if tries == 1:
        with pytest.raises((ProviderAway, ProviderRefused)):
            await count(account)
    else:
        await count(account)
    assert len(counter.requests) == tries
    assert counter.counted <= 1


@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(page="<html></html>"), Fault(lost="before"), Fault(status=429)]
)
async def test_what_is_repeatable_is(counter: Counter, account: Rest, fault: Fault) -> None:
    counter.faults = [fault, fault]
    await count(account, repeatable=True)
    counter.faults = [fault, fault]
    assert (await get(account))["count"] == 1


async def test_four_tries_and_no_more(counter: Counter, account: Rest) -> None:
    counter.faults = [Fault(status=503)] * 9
    with pytest.raises(ProviderAway, match="Counter: error 503"):
        await get(account)
    assert len(counter.requests) == rest.MAX_TRIES


async def test_a_call_ends_in_time_however_slow_the_answer(counter: Counter, account: Rest) -> None:
    account.call_seconds = 0.3
    counter.faults = [Fault(delay_seconds=600)]
    async with asyncio.timeout(60):
        with pytest.raises(ProviderAway, match="in time"):
            await get(account)


async def test_a_slow_answer_within_the_time_is_taken(counter: Counter, account: Rest) -> None:
    counter.faults = [Fault(delay_seconds=0.2)]
    await count(account)
    assert (counter.counted, len(counter.requests)) == (1, 1)


@pytest.mark.parametrize(("status", "requests"), [(429, 1), (503, 2)])
async def test_a_wait_longer_than_the_call_may_last_is_not_begun(
    counter: Counter, account: Rest, status: int, requests: int
) -> None:
    """After a 429 the whole account keeps quiet; a 503 is about that one request."""
    counter.faults = [Fault(status=status, headers={"Retry-After": "600"})] * 2
    for _ in range(2):
        async with asyncio.timeout(60):
            with pytest.raises(ProviderAway):
                await get(account)
    assert len(counter.requests) == requests


async def test_no_answer_silences_an_account_for_days(counter: Counter, account: Rest) -> None:
    counter.faults = [Fault(status=429, headers={"Retry-After": "999999"})]
    with pytest.raises(ProviderAway):
        await get(account)
    assert account.quiet_until - asyncio.get_running_loop().time() < 3_601


async def test_an_answer_without_end_is_cut_off(
    counter: Counter, account: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "MAX_BODY_BYTES", 1000)
    counter.faults = [Fault(page="x" * 2000)] * 4
    with pytest.raises(ProviderAway, match="longer than"):
        await get(account)


async def test_the_token_goes_nowhere_else(counter: Counter, account: Rest) -> None:
    with pytest.raises(ProviderRefused, match="302"):
        await get(account, "/elsewhere")
    assert [request.path for request in counter.requests] == ["/elsewhere"]


async def test_nobody_there(counter: Counter, account: Rest) -> None:
    await counter.stop()
    with pytest.raises(ProviderAway, match="can't be reached"):
        await count(account)


async def test_a_caller_that_gives_up_is_no_time_out(counter: Counter, account: Rest) -> None:
    counter.faults = [Fault(delay_seconds=5)]
    task = asyncio.create_task(get(account))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_another_token_counts_from_the_next_try_on(account: Rest, counter: Counter) -> None:
    await get(account)
    counter.token = "token-after-the-change"
    with pytest.raises(ProviderRefused):
        await get(account)
    account.change_token("token-after-the-change")
    await get(account)
