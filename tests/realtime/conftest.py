"""The socket edge over real actors and real tokens, spoken to by the library's own client over loopback."""

from collections.abc import AsyncIterator

import pytest

from tests.jobs.living import MovedClock, tenants_over
from tests.realtime.site import Site, running_site


@pytest.fixture
async def site(database: str) -> AsyncIterator[Site]:
    """Users mode, tenants `default` and `acme`, the user Ada in both."""
    clock = MovedClock()
    async with tenants_over(database, ["default", "acme"], clock) as tenants, running_site(tenants, clock) as site:
        yield site
