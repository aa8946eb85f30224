"""SIGHUP: what changes at once, what is said to want a restart, and settings that can't be used."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.systemd.manager import DAEMON, ManagedDaemon, managed


class Operator:
    """Writes the env file, sends SIGHUP, reads the log."""

    def __init__(self, daemon: ManagedDaemon, env_file: Path) -> None:
        self._daemon, self._env_file = daemon, env_file
        self.settings: dict[str, str] = {}

    def write(self, **settings: str) -> None:
        self.settings = settings
        self._env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    async def reload(self, **changes: str) -> list[dict[str, Any]]:
        """The log lines of a reload with these changes."""
        self.write(**{**self.settings, **changes})
        return await self.hang_up()

    async def hang_up(self) -> list[dict[str, Any]]:
        manager, before = self._daemon.manager, len(self._lines())
        ready = len(manager.told("READY"))
        self._daemon.send(signal.SIGHUP)
        await manager.until(lambda: len(manager.told("READY")) > ready, 10)
        assert manager.told("RELOADING")
        return self._lines()[before:]

    async def ask(self, path: str = "/config", tenant: str = "default") -> int:
        async with self._daemon.http.get(self._daemon.url + path, headers={"X-Tenant": tenant}) as response:
            return response.status

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._daemon.log.read_text().splitlines() if line.startswith("{")]


@asynccontextmanager
async def reloadable(**settings: str) -> AsyncIterator[Operator]:
    async with managed() as daemon:
        env_file = daemon.data_dir.with_name("decabilld.env")
        operator = Operator(daemon, env_file)
        operator.write(**settings)
        daemon.command = (*DAEMON, "--env-file", str(env_file))
        await daemon.start()
        yield operator


def named(lines: list[dict[str, Any]], event: str) -> dict[str, Any]:
    (line,) = [line for line in lines if line["event"] == event]
    return line


async def test_what_a_reload_changes_and_what_it_does_not() -> None:
    async with reloadable(TENANTS="default", HETZNER_API_TOKEN="first") as operator:
        assert await operator.ask(tenant="acme") == 400

        lines = await operator.reload(TENANTS="default,acme", RATE_LIMIT_ENABLED="true", RATE_LIMIT_LIMIT="3",
                                      HETZNER_API_TOKEN="second")  # fmt: skip
        changed = named(lines, "settings_reloaded")["changed"]
        assert sorted(changed) == ["HETZNER_API_TOKEN", "RATE_LIMIT_ENABLED", "RATE_LIMIT_LIMIT", "TENANTS"]
        assert "second" not in str(lines), "names, never values"
        async with asyncio.timeout(10):
            while await operator.ask("/ready") != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert [await operator.ask(tenant="acme") for _ in range(4)] == [200, 200, 200, 429]

        lines = await operator.reload(RATE_LIMIT_ENABLED="false", MAX_BODY_BYTES="2048", ACME_ZONE="eu",
                                      DIGITALOCEAN_API_TOKEN="new", TENANTS="acme")  # fmt: skip
        assert named(lines, "settings_need_restart")["settings"] == [
            "ACME_ZONE", "MAX_BODY_BYTES", "TENANTS", "DIGITALOCEAN_API_TOKEN",
        ]  # fmt: skip
        assert named(lines, "settings_reloaded")["changed"] == ["RATE_LIMIT_ENABLED"]
        assert await operator.ask(tenant="default") == 200

        lines = await operator.reload(LOG_LEVEL="error", TENANTS="default,acme", RATE_LIMIT_TTL="30")
        assert lines == [], "neither warnings nor notes any more"


async def test_settings_that_cannot_be_used_change_nothing() -> None:
    async with reloadable(RATE_LIMIT_ENABLED="true") as operator:
        lines = await operator.reload(RATE_LIMIT_LIMIT="1", PORT="none")
        assert "PORT must be a whole number" in named(lines, "reload_refused")["reason"]
        assert [await operator.ask() for _ in range(3)] == [200] * 3

        operator._env_file.write_bytes(b"RATE_LIMIT_LIMIT=1\xff")
        assert "env file can't be read" in named(await operator.hang_up(), "reload_refused")["reason"]
        operator._env_file.unlink()
        assert "env file can't be read" in named(await operator.hang_up(), "reload_refused")["reason"]
        assert [await operator.ask() for _ in range(3)] == [200] * 3
