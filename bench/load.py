"""Load on one route from many connections: by wrk where it is installed, else by `client` in this process."""

import asyncio
import itertools
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from bench.client import Client, request

_SCRIPT = Path(__file__).with_name("wrk.lua")
_WRK = shutil.which("wrk")
GENERATOR = "wrk (1 thread)" if _WRK else "asyncio client of bench/client.py: wrk is not installed, so it is slower"
GRACE_SECONDS = 20.0


class Route(Struct, frozen=True, kw_only=True):
    """What is asked for, by turns with each of the tokens."""

    method: str
    path: str
    tokens: Sequence[str]
    body: str = ""


class Load(Struct, frozen=True, kw_only=True):
    """What came of some seconds. `failed` counts errors of the connection and statuses over 299."""

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def per_second(self) -> float:
        return (self.requests - self.failed) / self.seconds


async def load(port: int, route: Route, *, connections: int, seconds: int) -> Load:
    """As fast as it goes, for so long."""
    if _WRK is None:
        return await _by_client(port, route, connections, seconds)
    with tempfile.NamedTemporaryFile("w", prefix="bench-tokens-") as tokens:
        tokens.write("\n".join(route.tokens) + "\n")
        tokens.flush()
        command = [
            _WRK, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(_SCRIPT),
            f"http://127.0.0.1:{port}", "--", route.method, route.path, tokens.name, route.body,
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1)
        out, err = await asyncio.wait_for(process.communicate(), seconds + GRACE_SECONDS)
    found = [line for line in out.decode().splitlines() if line.startswith("{")]
    if not found:
        raise RuntimeError(f"wrk said nothing of use: {out.decode()} {err.decode()}")
    return Load(**json.loads(found[-1]))


async def _by_client(port: int, route: Route, connections: int, seconds: int) -> Load:
    requests = itertools.cycle([request(route.method, route.path, token, route.body) for token in route.tokens])
    latencies: list[float] = []
    failed = 0
    end = time.monotonic() + seconds

    async def one() -> None:
        nonlocal failed
        client = await Client.open(port)
        while time.monotonic() < end:
            before = time.perf_counter()
            status, _ = await client.send(next(requests))
            latencies.append((time.perf_counter() - before) * 1000)
            failed += status > 299
        await client.close()

    before = time.monotonic()
    await asyncio.gather(*(one() for _ in range(connections)))
    took = time.monotonic() - before
    latencies.sort()
    return Load(
        requests=len(latencies),
        seconds=took,
        failed=failed,
        p50_ms=latencies[len(latencies) // 2],
        p99_ms=latencies[len(latencies) * 99 // 100],
        max_ms=latencies[-1],
    )
