"""The timetable's beat for a watchdog: silent while a job is stuck at a tenant, not while a tenant is down."""

import asyncio

import psycopg2
import pytest

from decabilld.actors.registry import Tenants
from decabilld.jobs import timetable as module
from tests.jobs.living import MovedClock
from tests.jobs.test_timetable import (
    HOUR,
    charges,
    clock,  # noqa: F401 (a fixture)
    hourly_customer,
    loaded,
    tenants,  # noqa: F401 (a fixture)
    timetable_of,
    until,
)

BEAT_SECONDS = 0.05
STUCK_SECONDS = 0.5


@pytest.fixture(autouse=True)
def _soon_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK_SECONDS", STUCK_SECONDS)


async def test_it_falls_silent_while_a_tenant_does_not_turn(
    tenants: Tenants,  # noqa: F811
    clock: MovedClock,  # noqa: F811
    database: str,
) -> None:
    await loaded(tenants)
    user = await hourly_customer(tenants, "acme")
    timetable = timetable_of(tenants, charges_ms=50)
    beats: list[float] = []
    timetable.beat(BEAT_SECONDS, lambda: beats.append(asyncio.get_running_loop().time()))
    timetable.start()
    await until(lambda: len(beats) >= 3)

    holder = psycopg2.connect(database)
    holder.cursor().execute("SELECT FROM tenant_heads WHERE tenant_id = 'acme' FOR UPDATE")
    clock.ahead += HOUR  # so there is something to commit, which waits for the lock
    await asyncio.sleep(2 * STUCK_SECONDS)
    before = len(beats)
    await asyncio.sleep(STUCK_SECONDS)
    assert len(beats) == before, "though the other tenant is well"
    holder.close()
    await until(lambda: charges(tenants, "acme", user) == 1)
    await until(lambda: len(beats) >= before + 3)
    await timetable.stop()


async def test_it_goes_on_while_tenants_are_down(tenants: Tenants) -> None:  # noqa: F811
    timetable = timetable_of(tenants)
    beats: list[None] = []
    timetable.beat(BEAT_SECONDS, lambda: beats.append(None))
    timetable.start()
    await asyncio.sleep(3 * STUCK_SECONDS)
    before = len(beats)
    await until(lambda: len(beats) >= before + 3)
    await timetable.stop()
