"""A stage for each test of the kernel."""

from collections.abc import AsyncIterator

import pytest

from decabilld.store.pool import Pool
from tests.actors.stage import Stage


@pytest.fixture
async def stage(database: str) -> AsyncIterator[Stage]:
    pool = await Pool.open(database, size=3)
    stage = Stage(database, pool)
    yield stage
    await stage.stop()
    await pool.close()
