"""A daemon for each story, audited when the story is told."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.harness.daemons import RunningDaemon, StoryClock, running_daemon
from tests.harness.people import Admin
from tests.stories.shop import Shop, opened_shop, paying_at
from tests.stripe.fake_stripe import FakeStripe

StartDaemon = Callable[..., Awaitable[RunningDaemon]]


@pytest.fixture
async def start_daemon(database: str, tmp_path: Path) -> AsyncIterator[StartDaemon]:
    """Starts the story's daemon with its settings; every tenant's books are audited after the story."""
    async with AsyncExitStack() as daemons:

        async def start(**settings: Any) -> RunningDaemon:
            return await daemons.enter_async_context(running_daemon(database, tmp_path, **settings))

        yield start


@pytest.fixture
async def admin(start_daemon: StartDaemon) -> Admin:
    """The administrator of a daemon in UTC."""
    return await (await start_daemon()).admin()


@pytest.fixture
async def berlin(start_daemon: StartDaemon) -> Admin:
    """The administrator of a daemon that bills by the clocks of Berlin."""
    return await (await start_daemon(billing_timezone=ZoneInfo("Europe/Berlin"))).admin()


@pytest.fixture
def clock() -> StoryClock:
    """Real time, for stories in which it jumps."""
    return StoryClock()


@pytest.fixture
async def stripe(clock: StoryClock) -> AsyncIterator[FakeStripe]:
    async with FakeStripe(clock=lambda: clock().timestamp()) as stripe:
        yield stripe


@pytest.fixture
async def shop(start_daemon: StartDaemon, stripe: FakeStripe, clock: StoryClock) -> Shop:
    """A daemon that takes payments."""
    return await opened_shop(await start_daemon(clock=clock, **paying_at(stripe)), clock, stripe)
