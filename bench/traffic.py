"""Requests a second: writes, orders and reads, the daemon and its twin by turns so that noise hits both."""

import json
from statistics import median_low

from msgspec.structs import replace

from bench.daemon import Daemon, token
from bench.load import Load, Route, load
from bench.results import Result, per_second
from bench.twin import Twin
from bench.world import World

ROUNDS, SECONDS, WARM_UP_SECONDS = 3, 3, 1
WRITERS = 256
WRITES_TIMES = 3.0
READS_PER_SECOND, READS_P99_MS = 5_000, 30.0

_PROFILE = json.dumps(
    {
        "firstName": "Zoë",
        "lastName": "Müller",
        "addressLine1": "Karl-Liebknecht-Straße 2",
        "postalCode": "04107",
        "city": "Leipzig",
        "country": "DE",
        "email": "zoe@bench.example",
    }
)


def writes(world: World) -> Route:
    return Route(method="POST", path="/api/customer-profile", tokens=_writers(world), body=_PROFILE)


def orders(world: World) -> Route:
    body = json.dumps({"planId": world.daily.id})
    return Route(method="POST", path="/api/subscriptions", tokens=_writers(world), body=body)


def subscriptions(world: World) -> Route:
    return Route(method="GET", path="/api/subscriptions", tokens=[token(world.reader)])


def offerings(world: World) -> Route:
    return Route(method="GET", path="/api/public/service-plan-offerings", tokens=[token(world.reader)])


async def measure_writes(daemon: Daemon, world: World, twin: Twin) -> list[Result]:
    """Beside the twin that keeps the same journal, and beside the loose one, which nobody has to wait for."""
    results = []
    for connections, target in ((32, WRITES_TIMES), (128, None)):
        ours, naive, loose = await _rounds(
            connections,
            (daemon.port, writes(world)),
            (twin.port, writes(twin.world)),
            (twin.port, replace(writes(twin.world), path="/loose/customer-profile")),
        )
        result = _result(f"durable writes, {connections} connections", ours, naive, times=target)
        without = (
            f"without a chained journal naive {loose.per_second:,.0f}/s, {ours.per_second / loose.per_second:.1f}x"
        )
        results.append(replace(result, note=f"{result.note}; {without}"))
    return results


async def measure_orders(daemon: Daemon, world: World, twin: Twin) -> list[Result]:
    ours, naive = await _rounds(32, (daemon.port, orders(world)), (twin.port, orders(twin.world)))
    return [_result("orders, 32 connections", ours, naive)]


async def measure_reads(daemon: Daemon, world: World, twin: Twin) -> list[Result]:
    ours, naive = await _rounds(32, (daemon.port, subscriptions(world)), (twin.port, subscriptions(twin.world)))
    ok = ours.per_second >= READS_PER_SECOND and ours.p99_ms < READS_P99_MS
    target = f">= {READS_PER_SECOND:,}/s, p99 < {READS_P99_MS:g} ms"
    [public] = await _rounds(32, (daemon.port, offerings(world)))
    return [
        _result("GET 10 subscriptions, 32 connections", ours, naive, target=target, ok=ok),
        _result("GET public offerings, 32 connections", public, None),
    ]


def _writers(world: World) -> list[str]:
    return [token(customer) for customer in world.customers[:WRITERS]]


async def _rounds(connections: int, *sides: tuple[int, Route]) -> list[Load]:
    """The median round of each (port, route)."""
    rounds: list[list[Load]] = [[] for _ in sides]
    for port, route in sides:
        await load(port, route, connections=connections, seconds=WARM_UP_SECONDS)
    for _ in range(ROUNDS):
        for (port, route), loads in zip(sides, rounds, strict=True):
            loads.append(await load(port, route, connections=connections, seconds=SECONDS))
    return [_middle(loads) for loads in rounds]


def _middle(loads: list[Load]) -> Load:
    failed = sum(one.failed for one in loads)
    if failed:
        raise RuntimeError(f"{failed} of {sum(one.requests for one in loads)} requests failed")
    wanted = median_low([one.per_second for one in loads])
    return next(one for one in loads if one.per_second == wanted)


def _result(
    name: str, ours: Load, naive: Load | None, *, target: str = "", ok: bool | None = None, times: float | None = None
) -> Result:
    if times is not None and naive is not None:
        target, ok = f">= {times:g}x naive", ours.per_second >= times * naive.per_second
    return per_second(
        name,
        ours.per_second,
        p50_ms=ours.p50_ms,
        p99_ms=ours.p99_ms,
        naive=None if naive is None else naive.per_second,
        target=target,
        ok=ok,
        note="" if naive is None else f"naive p99 {naive.p99_ms:.0f} ms",
    )
