"""A cloud that answers only after 30 s: what all else of the tenant takes meanwhile.

So many servers are ordered and switched that every place of the outbox for servers is taken, and more wait; meanwhile
others read and write. Owns that traffic.
"""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from pathlib import Path

from bench.billing import percentile, value_of
from bench.client import Client, request
from bench.cloud import Shop, cloud, create_shop
from bench.daemon import Daemon, daemon, token
from bench.results import Result
from decabilld.actors.outbox import AT_A_TIME

LATE_SECONDS = 30.0
ORDERS = SWITCHES = 24
READERS, WRITERS, PAUSE_SECONDS = 3, 2, 0.02
MEASURED_SECONDS = 15.0
P99_MS = 50.0
_WAITING = "SELECT count(*) FROM outbox WHERE lane = 'servers' AND failed_at IS NULL"
_PROFILE = json.dumps({"firstName": "Zoë", "lastName": "Müller", "city": "Leipzig", "country": "DE"})


async def measure_slow_cloud(data_dir: Path) -> list[Result]:
    shop = await create_shop(data_dir, customers=ORDERS + SWITCHES + WRITERS, servers=1)
    async with cloud(shop) as fake, daemon(data_dir, fake.settings) as running:
        client = await Client.open(running.port)
        await client.json("GET", "/api/service-types/providers/hetzner/server-types", token(shop.world.admin))
        await client.close()
        before = await _others(running, shop)
        await fake.answer_late(LATE_SECONDS)
        slow = [asyncio.create_task(one) for one in (*_orders(running, shop), *_switches(running, shop))]
        await asyncio.sleep(2.0)
        meanwhile = await _others(running, shop)
        waiting = await value_of(running.dsn, _WAITING)
        if waiting <= AT_A_TIME["servers"]:
            raise RuntimeError(f"only {waiting} servers were under way: {[one for one in slow if one.done()]}")
        for one in slow:
            one.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
    return [_result(method, *both) for method, *both in zip(("GET", "POST"), before, meanwhile, strict=True)]


def _result(method: str, before: list[float], latencies: list[float]) -> Result:
    p99 = percentile(latencies, 99)
    return Result(
        name=f"p99 of {method}s while a cloud takes {LATE_SECONDS:g} s", value=p99, unit="ms",
        p50_ms=percentile(latencies, 50), p99_ms=p99, target=f"< {P99_MS:g} ms", ok=p99 < P99_MS,
        note=f"{ORDERS} orders and {SWITCHES} switches under way; before them p99 {percentile(before, 99):.0f} ms",
    )  # fmt: skip


def _orders(running: Daemon, shop: Shop) -> Iterator[Coroutine[None, None, None]]:
    for customer in shop.world.customers[:ORDERS]:
        yield _ask(running, "/api/subscriptions", token(customer), {"planId": shop.plan})


def _switches(running: Daemon, shop: Shop) -> Iterator[Coroutine[None, None, None]]:
    for number in range(ORDERS, ORDERS + SWITCHES):
        (item,) = shop.servers[number]
        path = f"/api/subscriptions/{item.subscription_id}/items/{item.id}/actions/stop"
        yield _ask(running, path, token(shop.world.customers[number]), {})


async def _ask(running: Daemon, path: str, bearer: str, body: object) -> None:
    client = await Client.open(running.port)
    await client.json("POST", path, bearer, body)
    await client.close()


async def _others(running: Daemon, shop: Shop) -> tuple[list[float], list[float]]:
    """Latencies of reads and of writes in milliseconds."""
    reads: list[float] = []
    writes: list[float] = []
    read = request("GET", "/api/subscriptions", token(shop.world.reader))
    wanted = [(reads, read)] * READERS
    for customer in shop.world.customers[-WRITERS:]:
        wanted.append((writes, request("POST", "/api/customer-profile", token(customer), _PROFILE)))

    async def keep_asking(latencies: list[float], wanted: bytes) -> None:
        client = await Client.open(running.port)
        await client.timed_ms(wanted)
        while True:
            latencies.append(await client.timed_ms(wanted))
            await asyncio.sleep(PAUSE_SECONDS)

    askers = [asyncio.create_task(keep_asking(*one)) for one in wanted]
    done, _ = await asyncio.wait(askers, timeout=MEASURED_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
    for one in askers:
        one.cancel()
    for one in done:
        one.result()
    await asyncio.gather(*askers, return_exceptions=True)
    return reads, writes
