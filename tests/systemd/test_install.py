"""`make install` into a directory, a daemon started from there as the unit says, an upgrade, `make uninstall`."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.systemd.manager import managed

ROOT = Path(__file__).parents[2]
INSTALL_SECONDS = 400.0
PYTHON = getattr(sys, "_base_executable", sys.executable)


@pytest.mark.heavy
@pytest.mark.timeout(2 * INSTALL_SECONDS)
async def test_the_life_of_an_installation() -> None:
    """One test, since the first install takes a minute."""
    with tempfile.TemporaryDirectory(prefix="decabilld-install-") as name:
        root = Path(name)
        root.chmod(0o755)  # noqa: ASYNC240 - as root, the database's unprivileged user must get through
        await asyncio.to_thread(make, root, "install", PYTHON)
        await it_starts_from_where_it_was_installed(root)
        await asyncio.to_thread(an_upgrade_keeps_what_was_there_before, root)
        await asyncio.to_thread(uninstalling_leaves_what_is_the_operator_s, root)


async def it_starts_from_where_it_was_installed(root: Path) -> None:
    env_file = root / "etc/decabilld/decabilld.env"
    assert env_file.stat().st_mode & 0o777 == 0o600, "secrets may come to stand in it"
    assert "\nDECABILLD_DATA_DIR=/var/lib/decabilld\n" in env_file.read_text()
    program = root / "opt/decabilld/bin/decabilld"
    assert program.read_text().startswith("#!/opt/decabilld/bin/python")
    unit = (root / "usr/local/lib/systemd/system/decabilld.service").read_text()
    assert "ExecStart=/opt/decabilld/bin/decabilld serve --env-file /etc/decabilld/decabilld.env\n" in unit

    async with managed(WATCHDOG_USEC="3000000") as daemon:
        daemon.command = (str(program.with_name("python")), "-m", "decabilld.cli", "serve", "--env-file", str(env_file))
        await daemon.start()
        shop = await daemon.admin()
        assert shop.id
        await daemon.manager.until(lambda: len(daemon.manager.told("WATCHDOG")) >= 2, 10)
        package = Path(f"/proc/{daemon.pid}/maps").read_text()  # noqa: ASYNC240
        assert str(root) in package, "from there, not from the tree"
        assert await daemon.restart() < 10
        assert "1 tenant" in daemon.manager.told("STATUS")[-1]


def an_upgrade_keeps_what_was_there_before(root: Path) -> None:
    """Settings and data as they were, the version before beside the new one, and back in its place by two `mv`."""
    settings, program = root / "etc/decabilld/decabilld.env", root / "opt/decabilld"
    settings.write_text("PORT=4000\n")
    data = root / "var/lib/decabilld/postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    with python_with_all_that(program) as python:
        (program / "before").touch()
        (root / "opt/decabilld.new").mkdir()  # of a try that was interrupted
        make(root, "install", python)
    assert sorted(path.name for path in (root / "opt").iterdir()) == ["decabilld", "decabilld.old"]
    assert not (program / "before").exists()
    assert settings.read_text() == "PORT=4000\n"
    assert (data / "PG_VERSION").read_text() == "18\n"
    assert (program / "bin/decabilld").read_text().startswith("#!/opt/decabilld/bin/python")
    assert "decabilld.new" not in (program / "pyvenv.cfg").read_text()
    runs(program)

    program.rename(root / "opt/decabilld.bad")
    (root / "opt/decabilld.old").rename(program)
    assert (program / "before").exists()
    runs(program)
    shutil.rmtree(root / "opt/decabilld.bad")


def uninstalling_leaves_what_is_the_operator_s(root: Path) -> None:
    make(root, "uninstall", PYTHON)
    left = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    assert left == {"etc/decabilld/decabilld.env", "var/lib/decabilld/postgres/PG_VERSION"}, "settings and data"


def make(destination: Path, verb: str, python: str) -> None:
    # Not the make that runs the tests: its flags are not for this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "-C", ROOT, verb, f"DESTDIR={destination}", f"PYTHON={python}"],
        env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]


@contextmanager
def python_with_all_that(program: Path) -> Iterator[str]:
    """A Python whose new venvs have at once what the installed one has: only our own package is made again."""
    with tempfile.TemporaryDirectory(prefix="decabilld-python-") as name:
        shutil.copytree(program, f"{name}/venv", symlinks=True)
        python = Path(name) / "python"
        python.write_text(f"""#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then exec cp -a "{name}/venv" "$3"; fi
exec "{PYTHON}" "$@"
""")
        python.chmod(0o755)
        yield str(python)


def runs(program: Path) -> None:
    told = subprocess.run(
        [program / "bin/python", "-m", "decabilld.cli", "version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.startswith("decabilld ")
