"""A daemon that deploys at fakes of Hetzner and Cloudflare on loopback, and a shop that sells servers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness.daemons import RunningDaemon, running_daemon
from tests.providers.fake_cloudflare import FakeCloudflare
from tests.providers.fake_hetzner import FakeHetzner
from tests.servers.shop import ServerShop, deploying_at, opened_shop

StartDaemon = Callable[..., Awaitable[RunningDaemon]]


@pytest.fixture
async def hetzner() -> AsyncIterator[FakeHetzner]:
    async with FakeHetzner() as fake:
        yield fake


@pytest.fixture
async def cloudflare() -> AsyncIterator[FakeCloudflare]:
    async with FakeCloudflare() as fake:
        yield fake


@pytest.fixture
async def start_daemon(
    database: str, tmp_path: Path, hetzner: FakeHetzner, cloudflare: FakeCloudflare
) -> AsyncIterator[StartDaemon]:
    """Starts the story's daemon with its settings; every tenant's books are audited after the story.

    The fakes outlive it: what a story leaves to be done is done before the audit.
    """
    async with AsyncExitStack() as daemons:

        async def start(**settings: Any) -> RunningDaemon:
            return await daemons.enter_async_context(running_daemon(database, tmp_path, **settings))

        yield start


@pytest.fixture
async def shop(start_daemon: StartDaemon, hetzner: FakeHetzner, cloudflare: FakeCloudflare) -> ServerShop:
    return await opened_shop(await start_daemon(**deploying_at(hetzner, cloudflare)), hetzner, cloudflare)
