"""Ends and restarts under load: what was acknowledged is there, nobody is refused, nothing is there twice."""

import asyncio
import time
from typing import Any

import pytest
import socketio

from tests.crash.test_kill import Town
from tests.external.server import ExternalPostgres, external_postgres
from tests.harness.daemons import daemon_process
from tests.systemd.manager import ManagedDaemon, managed

STOP_SECONDS = 10.0


async def test_sigterm_under_load_loses_nothing_that_was_acknowledged() -> None:
    async with daemon_process(LOG_LEVEL="warning") as process:
        town = Town(process, seed=11)
        await town.settle()
        async with town.writing():
            for _ in range(3):
                await asyncio.sleep(0.7)
                began = time.monotonic()
                await process.stop()
                print(f"stopped within {time.monotonic() - began:.2f} s", end=" ")
                assert time.monotonic() - began < STOP_SECONDS
                await process.start()
        print(town.tally)
        await town.prove()


@pytest.mark.heavy
async def test_a_restart_refuses_no_connection() -> None:
    async with managed(LOG_LEVEL="warning") as daemon:
        await daemon.start()
        await _restarted_under_load(daemon, Town(daemon, seed=12))


@pytest.mark.heavy
async def test_a_successor_takes_the_tenants_over_in_the_database_that_both_use() -> None:
    with external_postgres() as external:
        external.empty()
        async with managed(LOG_LEVEL="warning", **external.environment) as daemon:
            town = _Elsewhere(daemon, seed=13)
            town.external = external
            await daemon.start()
            await _restarted_under_load(daemon, town)


class _Elsewhere(Town):
    external: ExternalPostgres

    @property
    def _dsn(self) -> str:
        return self.external.dsn


async def _restarted_under_load(daemon: ManagedDaemon, town: Town) -> None:
    """Three times. A connection that is cut, answer missing, is counted as lost: there must be none."""
    await town.settle()
    async with town.writing():
        for _ in range(3):
            await asyncio.sleep(0.7)
            began, answered = time.monotonic(), town.tally.answered
            took = await daemon.restart()
            assert took < STOP_SECONDS
            async with asyncio.timeout(30):
                while town.tally.answered < answered + 30:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            print(f"ended after {took:.2f} s, 30 more answers after {time.monotonic() - began:.2f} s", end="; ")
    print(town.tally)
    assert town.tally.lost == 0
    await town.prove()


@pytest.mark.heavy
async def test_sockets_are_told_why_they_end_and_find_the_successor() -> None:
    async with managed(LOG_LEVEL="warning") as daemon:
        await daemon.start()
        admin = await daemon.admin()
        client = socketio.AsyncClient(reconnection_delay=0.1, randomization_factor=0)
        told: list[Any] = []
        came: asyncio.Queue[str] = asyncio.Queue()
        client.on("error", told.append, namespace="/billing")
        client.on("connect", lambda: came.put_nowait("connect"), namespace="/billing")
        try:
            address = f"http://127.0.0.1:{daemon.manager.ports[1]}"
            await client.connect(address, namespaces=["/billing"], auth={"Authorization": f"Bearer {admin.token}"})
            await asyncio.wait_for(came.get(), 10)
            assert await daemon.restart() < STOP_SECONDS
            await asyncio.wait_for(came.get(), 20)
            assert told == [{"message": "The server is restarting"}]
        finally:
            await client.disconnect()


@pytest.mark.heavy
async def test_who_has_lost_every_tenant_ends_by_itself() -> None:
    with external_postgres() as external:
        external.empty()
        async with (
            managed(LOG_LEVEL="warning", WATCHDOG_USEC="3000000", **external.environment) as first,
            managed(LOG_LEVEL="warning", **external.environment) as second,
        ):
            await first.start()
            admin = await first.admin()
            await second.start()
            plan = {"name": "Cloud", "billingIntervalType": "day", "billingIntervalValue": 1, "basePrice": "3.9900"}
            headers = {"Authorization": f"Bearer {admin.token}"}
            async with first.http.post(f"{first.url}/service-plans", json=plan, headers=headers) as response:
                assert response.status == 503, await response.text()
                assert "Retry-After" in response.headers
            assert await first.ended() == 0, "so nobody starts it again"
            assert '"event": "superseded"' in first.log_end()
            async with second.http.get(f"{second.url}/ready") as response:
                assert response.status == 200


async def test_a_start_can_be_broken_off() -> None:
    async with managed(LOG_LEVEL="warning") as daemon:
        first = await daemon.manager.spawn(daemon.environment, daemon.log)
        await daemon.manager.until(lambda: daemon.manager.heard)
        first.terminate()
        # initdb is let end: some seconds where the machine is busy.
        assert await asyncio.wait_for(first.wait(), 4 * STOP_SECONDS) == 0, daemon.log_end()
        assert "READY" not in str(daemon.manager.heard)
        await daemon.start()
