"""A tenant whose books were kept otherwise than the settings now say: the daemon doesn't start, and says why."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from decabilld.settings import SettingsError
from tests.harness.daemons import running_daemon
from tests.stories.conftest import StartDaemon

BERLIN = ZoneInfo("Europe/Berlin")


async def test_periods_are_not_gone_on_with_in_another_zone(
    start_daemon: StartDaemon, database: str, tmp_path: Path
) -> None:
    daemon = await start_daemon(billing_timezone=BERLIN)
    admin = await daemon.admin()
    await admin.move_to("2024-01-10 00:00")
    await (await admin.customer("anna")).orders(await admin.plan())
    await daemon.stop()
    with pytest.raises(SettingsError, match=r"default: .*BILLING_TIMEZONE=Europe/Berlin"):
        async with running_daemon(database, tmp_path / "zone", billing_timezone=ZoneInfo("UTC"), check=False):
            pass
    with pytest.raises(SettingsError, match=r"default: .*TEST_CLOCK=true"):
        async with running_daemon(database, tmp_path / "clock", billing_timezone=BERLIN, test_clock=False, check=False):
            pass
    async with running_daemon(database, tmp_path / "fits", billing_timezone=BERLIN) as again:
        assert (await again.speaks_to(admin).get("/admin/billing/summary"))["activeSubscriptionsCount"] == 1


async def test_what_was_billed_in_a_zone_is_not_told_in_another(
    start_daemon: StartDaemon, database: str, tmp_path: Path
) -> None:
    """A document that is made again names the same days."""
    daemon = await start_daemon(billing_timezone=BERLIN)
    admin = await daemon.admin()
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    await anna.cancels(await anna.orders(await admin.plan()))
    await daemon.stop()
    with pytest.raises(SettingsError, match=r"default: .*BILLING_TIMEZONE=Europe/Berlin"):
        async with running_daemon(database, tmp_path / "zone", billing_timezone=ZoneInfo("UTC"), check=False):
            pass


async def test_a_tenant_without_subscriptions_takes_another_zone(start_daemon: StartDaemon, database: str) -> None:
    daemon = await start_daemon(billing_timezone=ZoneInfo("UTC"))
    await daemon.admin()
    await daemon.stop()
    daemon = await start_daemon(billing_timezone=BERLIN)
    assert daemon.tenants.published("default").timetable.zone == "Europe/Berlin"
