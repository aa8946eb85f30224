"""The harness itself: a daemon's process comes back from kill -9 with what it has acknowledged."""

import pytest

from tests.harness.daemons import daemon_process


@pytest.mark.heavy
async def test_a_killed_daemon_starts_again_with_its_books() -> None:
    async with daemon_process() as process:
        admin = await process.admin()
        plan = await admin.plan()
        first_pid = process.postgres_pid
        await process.kill()
        await process.start()
        assert process.postgres_pid != first_pid
        again = await process.log_in("admin@default.example")
        assert [one["id"] for one in await again.get("/service-plans")] == [plan]
