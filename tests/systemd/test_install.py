"""`make install` into a directory, a daemon started from there as the unit says, `make uninstall`."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.manager import managed

ROOT = Path(__file__).parents[2]
INSTALL_SECONDS = 400.0
PYTHON = getattr(sys, "_base_executable", sys.executable)


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """The DESTDIR."""
    with tempfile.TemporaryDirectory(prefix="decabilld-install-") as name:
        Path(name).chmod(0o755)
        make(Path(name), "install")
        yield Path(name)


def make(destination: Path, verb: str) -> None:
    # Not the make that runs the tests: its flags are not for this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "-C", ROOT, verb, f"DESTDIR={destination}", f"PYTHON={PYTHON}"],
        env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]


def files(destination: Path) -> set[str]:
    return {str(path.relative_to(destination)) for path in destination.rglob("*") if not path.is_dir()}


@pytest.mark.heavy
@pytest.mark.timeout(INSTALL_SECONDS + 60)
async def test_it_starts_from_where_it_was_installed(installed: Path) -> None:
    env_file = installed / "etc/decabilld/decabilld.env"
    assert env_file.stat().st_mode & 0o777 == 0o600, "secrets may come to stand in it"
    assert "\nDECABILLD_DATA_DIR=/var/lib/decabilld\n" in env_file.read_text()
    program = installed / "opt/decabilld/bin/decabilld"
    assert program.read_text().startswith("#!/opt/decabilld/bin/python")
    unit = (installed / "usr/local/lib/systemd/system/decabilld.service").read_text()
    assert "ExecStart=/opt/decabilld/bin/decabilld serve --env-file /etc/decabilld/decabilld.env\n" in unit

    async with managed(WATCHDOG_USEC="3000000") as daemon:
        daemon.command = (str(program.with_name("python")), "-m", "decabilld.cli", "serve", "--env-file", str(env_file))
        await daemon.start()
        shop = await daemon.admin()
        assert shop.id
        await daemon.manager.until(lambda: len(daemon.manager.told("WATCHDOG")) >= 2, 10)
        package = Path(f"/proc/{daemon.pid}/maps").read_text()  # noqa: ASYNC240
        assert str(installed) in package, "from there, not from the tree"
        assert await daemon.restart() < 10
        assert "1 tenant" in daemon.manager.told("STATUS")[-1]


@pytest.mark.heavy
@pytest.mark.timeout(INSTALL_SECONDS + 60)
async def test_uninstalling_leaves_what_is_the_operators(installed: Path) -> None:
    await asyncio.to_thread(make, installed, "uninstall")
    assert files(installed) == {"etc/decabilld/decabilld.env"}, "its settings"
