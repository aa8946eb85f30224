"""The page of metrics: its figures are those of the books, and only who may sees it."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import psycopg2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from decabilld.settings import Settings, SettingsError, load
from decabilld.telemetry.tenants import OPEN_STATUSES
from tests.harness.daemons import RunningDaemon, running_daemon

PASSWORD = "a password of the scraper's"
WATCHED = {"otel_enabled": True, "otel_username": "prometheus", "otel_password": PASSWORD}


async def page(daemon: RunningDaemon, user: str = "prometheus", password: str = PASSWORD) -> tuple[int, str]:
    url = daemon.url.removesuffix("/api") + "/otel/metrics"
    headers = {"Authorization": aiohttp.encode_basic_auth(user, password)}
    async with daemon._http.get(url, headers=headers) as response:
        return response.status, await response.text()


class Figures:
    """A page, read as Prometheus writes it, digit for digit."""

    def __init__(self, text: str) -> None:
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): Decimal(repr(sample.value))
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> Decimal:
        return self._samples[name, frozenset(labels.items())]


async def until(holds: Callable[[], bool], daemon: RunningDaemon) -> None:
    """After as many looks as it takes."""
    async with asyncio.timeout(20):
        await daemon._daemon._observation.readiness.look()
        while not holds():
            await asyncio.sleep(0.05)
            await daemon._daemon._observation.readiness.look()


async def figures(daemon: RunningDaemon) -> Figures:
    """After a look at what isn't in memory."""
    await daemon._daemon._observation.readiness.look()
    status, text = await page(daemon)
    assert status == 200
    return Figures(text)


def entries(dsn: str) -> int:
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT max(seq) FROM journal WHERE tenant_id = 'default'")
        ((found,),) = cursor.fetchall()
    connection.close()
    return int(found)


async def test_the_figures_are_those_of_the_books(database: str, tmp_path: Path) -> None:
    async with running_daemon(database, tmp_path, tenants=("default", "acme"), **WATCHED) as daemon:
        admin = await daemon.admin()
        await admin.move_to("2024-01-01 00:00")
        plan = await admin.plan(price="12.35")
        anna, berta = await admin.customer("anna"), await admin.customer("berta")
        await anna.orders(plan)
        await berta.orders(plan)
        await admin.move_to("2024-02-01 12:00")
        found = await figures(daemon)
        assert found("decabill_open_positions_unbilled_amount", tenant_id="default", currency="EUR") == Decimal("24.7")
        assert found("decabill_open_positions_unbilled_users", tenant_id="default") == 2
        await admin.bills_now(berta)
        await admin.move_to("2024-02-10 12:00")
        owed = Decimal(str((await anna.owes())["openOverdueTotal"]))
        await until(lambda: len(daemon._daemon._observation.readiness.waiting) == 0, daemon)
        found = await figures(daemon)
        opened = [found("decabill_invoices_open", tenant_id="default", status=one) for one in OPEN_STATUSES]
        assert (sum(opened), found("decabill_invoices_overdue", tenant_id="default")) == (2, opened[2])
        assert found("decabill_open_positions_unbilled_users", tenant_id="default") == 0
        assert found("decabill_subscriptions_active", tenant_id="default") == 2
        assert found("decabill_invoices_open_amount", tenant_id="default", currency="EUR") == 2 * owed > 0
        assert found("decabill_invoices_open_amount", tenant_id="acme", currency="EUR") == 0
        assert found("decabilld_journal_height", tenant_id="default") == entries(database)
        assert found("decabilld_billing_lag_seconds", tenant_id="default") == 0
        assert found("decabilld_tenant_loaded", tenant_id="acme") == 1
        assert found("decabilld_ready") == 1
        assert found("decabilld_sockets") == 0
        ordered = {"method": "POST", "route": "/api/subscriptions", "status": "201"}
        assert found("decabilld_request_duration_seconds_count", **ordered) == 2
        assert found("decabilld_turn_duration_seconds_count", tenant_id="default") > 2
        made = {"tenant_id": "default", "kind": "RenderDocument", "outcome": "done"}
        assert found("decabilld_effects_total", **made) == 2


async def test_strangers_get_neither_figures_nor_labels(database: str, tmp_path: Path) -> None:
    async with running_daemon(database, tmp_path, **WATCHED) as daemon:
        for wrong in (("prometheus", "x"), ("x", PASSWORD), ("", ""), ("prometheus", PASSWORD + "é")):
            status, text = await page(daemon, *wrong)
            assert (status, "decabilld" in text) == (401, False)
        async with daemon._http.request("PROPFIND", daemon.url + "/nowhere/4711") as response:
            assert response.status == 404
        _, text = await page(daemon)
        assert 'method="other",route="unmatched",status="404"' in text
        assert "4711" not in text
        assert "PROPFIND" not in text


async def test_without_otel_enabled_there_is_no_page(database: str, tmp_path: Path) -> None:
    async with running_daemon(database, tmp_path) as daemon:
        assert (await page(daemon))[0] == 404


def test_an_open_page_is_refused_in_production() -> None:
    safe = {"NODE_ENV": "production", "CORS_ORIGIN": "https://a.example", "JWT_SECRET": "x" * 32,
            "ENCRYPTION_KEY": "00" * 32, "OTEL_ENABLED": "true"}  # fmt: skip
    with pytest.raises(SettingsError, match="OTEL_PASSWORD must be set when"):
        load(safe)
    assert load({**safe, "OTEL_USERNAME": "p", "OTEL_PASSWORD": "s"}).otel_enabled
    with pytest.raises(SettingsError, match="set together"):
        load({"OTEL_USERNAME": "p"})
    assert not _settings({}).otel_enabled


def _settings(environment: dict[str, Any]) -> Settings:
    return load(environment)
