"""kill -9 at every step of ordering and ending servers: one server for each that is paid for, and nothing left over."""

import os
import random
import time
from collections.abc import Callable

import pytest

from tests.crash.server_town import AtDigitalOcean, AtHetzner, Cloud, server_town

TOWNS = [
    *(pytest.param(AtHetzner, 34, 12, id=f"hetzner-34-seeds-{town}") for town in (1, 2, 3)),
    pytest.param(AtDigitalOcean, 8, 8, id="digital-ocean-8-seeds"),
]


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("cloud_at", "seeds", "kills"), TOWNS)
async def test_killed_while_servers_come_and_go(
    database: str, cloud_at: Callable[[random.Random], Cloud], seeds: int, kills: int
) -> None:
    seed = int(os.environ.get("CRASH_SEED") or time.time_ns() % 1_000_000)
    print(f"CRASH_SEED={seed}")
    async with server_town(database, seed, seeds, cloud_at) as town:
        began = time.monotonic()
        await town.storm(kills)
        stormy = time.monotonic() - began
        settled = await town.settled()
        ordered = town.count("SELECT count(*) FROM subscriptions")
        asked = town.cloud.fake.count("")
        print(f"{ordered} orders in {stormy:.0f} s, killed after {dict(town.killed)}")
        print(f"settled after {settled:.0f} s, {asked} requests")
        await town.prove()
        assert ordered >= seeds
        for buyer in town.buyers:
            await buyer.ends_all()
        await town.settled()
        await town.prove()
