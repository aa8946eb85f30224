"""The dashboard: 2,000 sockets of 200 users with two servers each, every 10 s, opened evenly over such an interval.

The Hetzner behind takes 50 ms a page. The sockets speak Engine.IO 4 and Socket.IO 5 by hand, and offer compression as
browsers do. Owns the sockets and what is measured of the daemon's process meanwhile: its CPU time and its memory.
"""

import asyncio
import json
import time
from datetime import datetime
from pathlib import Path

import aiohttp
from msgspec import Struct

from bench.billing import percentile
from bench.cloud import cloud, create_shop
from bench.daemon import Daemon, daemon, token
from bench.results import Result
from tests.harness.ports import free_port

USERS, SERVERS, SOCKETS, INTERVAL_MS = 200, 2, 2_000, 10_000
PAGE_SECONDS = 0.05
SETTLING_SECONDS, MEASURED_SECONDS = 15.0, 60.0
CPU_PERCENT, RECEIPT_P99_MS, KB_A_SOCKET = 25.0, 250.0, 60.0
ANSWER_SECONDS = 30.0
_UPDATE = '42/billing,["dashboardStatusUpdate",'


class Watch:
    """What the sockets hear. `late_ms`: from a snapshot's `generatedAt`, which is its tick, until it came."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self.wrong: list[str] = []
        self.subscribed = 0
        self.stalled_ms = 0.0

    async def own_stalls(self) -> None:
        """How long we ourselves were kept from listening, at most: that is in `late_ms` too."""
        while True:
            begin = time.monotonic()
            await asyncio.sleep(0.01)
            self.stalled_ms = max(self.stalled_ms, (time.monotonic() - begin) * 1000 - 10)

    async def socket(self, session: aiohttp.ClientSession, url: str, bearer: str, begin_seconds: float) -> None:
        """One socket, opened after `begin_seconds`, until it is cancelled."""
        await asyncio.sleep(begin_seconds)
        wire = await session.ws_connect(url, compress=15)
        await wire.receive_str(timeout=ANSWER_SECONDS)
        await wire.send_str(f'40/billing,{{"Authorization":"Bearer {bearer}"}}')
        await wire.receive_str(timeout=ANSWER_SECONDS)
        await wire.send_str(f'42/billing,1["subscribeDashboardStatus",{{"pollIntervalMs":{INTERVAL_MS}}}]')
        while not self._take(await wire.receive_str(timeout=ANSWER_SECONDS)).startswith("43/billing,1"):
            pass
        self.subscribed += 1
        async for message in wire:
            if message.data == "2":
                await wire.send_str("3")
            else:
                self._take(message.data)
        self.wrong.append(f"closed with {wire.close_code}")

    def _take(self, said: str) -> str:
        if said.startswith(_UPDATE):
            now = time.time()
            snapshot = json.loads(said[len(_UPDATE) : -1])
            self.late_ms.append((now - datetime.fromisoformat(snapshot["generatedAt"]).timestamp()) * 1000)
            if len(snapshot["items"]) != SERVERS:
                self.wrong.append(said)
        elif not said.startswith("43/"):
            self.wrong.append(said)
        return said


class Seen(Struct, frozen=True):
    """What was measured: latencies, share of a core, and resident memory more than without sockets."""

    passed_seconds: float
    late_ms: list[float]
    stalled_ms: float
    cpu_percent: float
    more_kb: float


async def measure_dashboard(data_dir: Path) -> list[Result]:
    shop = await create_shop(data_dir, customers=USERS, servers=SERVERS)
    port = free_port()
    async with cloud(shop) as fake:
        await fake.answer_late(PAGE_SECONDS)
        async with daemon(data_dir, {**fake.settings, "WEBSOCKET_PORT": str(port)}) as running:
            seen = await _watched(running, f"ws://127.0.0.1:{port}", [token(user) for user in shop.world.customers])
    expected = SOCKETS * seen.passed_seconds * 1000 / INTERVAL_MS
    if not 0.95 * expected < len(seen.late_ms) < 1.05 * expected:
        raise RuntimeError(f"{len(seen.late_ms)} snapshots came instead of {expected:.0f}")
    cpu, p99, kb = seen.cpu_percent, percentile(seen.late_ms, 99), seen.more_kb / SOCKETS
    per_second = len(seen.late_ms) / seen.passed_seconds
    return [
        Result(name=f"dashboard, {SOCKETS:,} sockets of {USERS} users at {INTERVAL_MS // 1000} s", value=cpu,
               unit="% of a core", target=f"< {CPU_PERCENT:g} %", ok=cpu < CPU_PERCENT,
               note=f"{per_second:.0f} snapshots/s of {SERVERS} servers each"),
        Result(name="from tick to receipt, p99", value=p99, unit="ms", p50_ms=percentile(seen.late_ms, 50), p99_ms=p99,
               target=f"< {RECEIPT_P99_MS:g} ms", ok=p99 < RECEIPT_P99_MS,
               note=f"worst {max(seen.late_ms):.0f} ms; the listeners' own worst stall {seen.stalled_ms:.0f} ms"),
        Result(name="memory a socket", value=kb, unit="KB", target=f"< {KB_A_SOCKET:g} KB", ok=kb < KB_A_SOCKET),
    ]  # fmt: skip


async def _watched(running: Daemon, site: str, tokens: list[str]) -> Seen:
    watch, before_kb = Watch(), running.resident_mb * 1024
    url, apart = f"{site}/socket.io/?EIO=4&transport=websocket", INTERVAL_MS / 1000 / SOCKETS
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        sockets = [
            asyncio.create_task(watch.socket(session, url, tokens[number % len(tokens)], number * apart))
            for number in range(SOCKETS)
        ]
        sockets.append(asyncio.create_task(watch.own_stalls()))
        try:
            while watch.subscribed < SOCKETS:
                _raise_first(sockets)
                await asyncio.sleep(0.1)
            await asyncio.sleep(SETTLING_SECONDS)
            watch.late_ms.clear()
            watch.stalled_ms = 0.0
            used, begin = running.cpu_seconds, time.monotonic()
            await asyncio.sleep(MEASURED_SECONDS)
            passed, used = time.monotonic() - begin, running.cpu_seconds - used
            _raise_first(sockets)
            if watch.wrong:
                raise RuntimeError(f"{len(watch.wrong)} times something else was heard, such as {watch.wrong[0][:500]}")
            more_kb = running.resident_mb * 1024 - before_kb
            return Seen(passed, list(watch.late_ms), watch.stalled_ms, 100 * used / passed, more_kb)
        finally:
            for one in sockets:
                one.cancel()
            await asyncio.gather(*sockets, return_exceptions=True)


def _raise_first(sockets: list[asyncio.Task[None]]) -> None:
    for one in sockets:
        if one.done():
            one.result()
