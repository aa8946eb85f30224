"""The demo as a stranger meets it: its story, its check, its documents, and nothing left behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from decabilld.demo.api import Fault
from decabilld.demo.checks import check
from decabilld.demo.story import SETTINGS, Story
from decabilld.demo.subprocess_daemon import running_daemon
from decabilld.demo.teller import Teller
from decabilld.store.embedded import read_dsn
from tests.harness.documents import file_faults

COMMAND = [sys.executable, "-m", "decabilld.cli", "demo"]
LONGEST_SECONDS = 120.0


@pytest.fixture
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory for temporary files that the database's unprivileged user can reach."""
    path = Path("/tmp", f"demo-test-{os.getpid()}")
    path.mkdir(mode=0o711)
    yield path
    shutil.rmtree(path)


def test_the_demo_tells_half_a_year_and_checks_it(room: Path) -> None:
    began = time.monotonic()
    shown = subprocess.run(
        [*COMMAND, "--out", room / "out"], env={**os.environ, "TMPDIR": str(room)}, capture_output=True, text=True
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert time.monotonic() - began < LONGEST_SECONDS
    # 134 of 744 hours of 24.90; three months; 37 d 19.5 h of a quarter of 91 days of 297.00; 14 hours of 0.12.
    assert billed(shown.stdout) == [
        ("09 Feb", "hosting", "INV-00001", "4.48", "0.85", "5.33"),
        ("02 Mar", "metering", "INV-00001", "1.68", "0.32", "2.00"),
        ("05 Mar", "metering", "INV-00002", "12.68", "2.41", "15.09"),
        ("09 Mar", "hosting", "INV-00002", "24.90", "4.73", "29.63"),
        ("09 Apr", "hosting", "INV-00003", "24.90", "4.73", "29.63"),
        ("12 Apr", "hosting", "INV-00004", "297.00", "56.43", "353.43"),
        ("09 May", "hosting", "INV-00005", "24.90", "4.73", "29.63"),
        ("09 Jun", "hosting", "INV-00006", "24.90", "4.73", "29.63"),
        ("12 Jun", "hosting", "INV-00007", "123.41", "23.45", "146.86"),
        ("09 Jul", "hosting", "INV-00008", "24.90", "4.73", "29.63"),
    ]
    for told in (
        "24 Mar 00:00  hosting   Bergmann Keramik  is late",
        "20 May 10:00  hosting   Weiß & Partner    leaves",
    ):
        assert told in shown.stdout
    assert shown.stdout.count("\nok  ") == 12
    assert "\033" not in shown.stdout, "colours are for terminals"
    documents = sorted(path.relative_to(room / "out") for path in room.glob("out/*/*.pdf"))
    assert len(documents) == 11
    assert [path.parent.name for path in documents if path.stem.endswith("-CN")] == ["hosting"]
    assert [fault for path in room.glob("out/*/*.pdf") for fault in file_faults(path.read_bytes())] == []
    assert [path.name for path in room.iterdir()] == ["out"], "the daemon's directory is gone"


def billed(story: str) -> list[tuple[str, ...]]:
    """Its invoices: day, tenant, number without the year, net, tax, gross."""
    line = re.compile(r"^(\d\d \w+) \d\d:\d\d +(\w+) .* gets INV-\d{4}-(\d+), .* ([\d.]+) +([\d.]+) +([\d.]+)$", re.M)
    return [(day, tenant, f"INV-{number}", *amounts) for day, tenant, number, *amounts in line.findall(story)]


@pytest.mark.heavy
def test_interrupted_it_leaves_nothing(room: Path) -> None:
    shown = subprocess.Popen([*COMMAND, "--out", room / "out"], env={**os.environ, "TMPDIR": str(room)},
                             stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert shown.stdout is not None
    for line in shown.stdout:
        if "orders" in line:
            break
    shown.send_signal(signal.SIGINT)
    assert "gone" in shown.stdout.read()
    assert shown.wait(20) == 130
    assert [path.name for path in room.iterdir()] == ["out"]
    assert not processes_in(room)


def processes_in(room: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd").startswith(str(room)):
                found.append((entry / "comm").read_text())
        except OSError:
            continue
    return found


def test_where_nothing_can_be_kept_it_says_so_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shown = subprocess.run([*COMMAND, "--out", tmp_path / "file" / "out"], capture_output=True, text=True)
    assert shown.returncode == 1
    assert "nothing can be kept in" in shown.stderr


@pytest.mark.heavy
def test_the_check_names_what_is_off() -> None:
    with running_daemon(SETTINGS) as daemon:
        story = Story(daemon.address, Teller())
        story.catalog()
        story.half_a_year()
        dsn = read_dsn(Path(daemon.environment["DECABILLD_DATA_DIR"]))
        assert dsn is not None
        tampered = psycopg2.connect(dsn)
        tampered.autocommit = True
        cursor = tampered.cursor()

        cursor.execute("ALTER TABLE journal DISABLE TRIGGER USER")
        cursor.execute("UPDATE journal SET message = 'Nothing happened' WHERE tenant_id = 'hosting' AND seq = 7")
        with pytest.raises(Fault, match="verify-journal: hosting: 6 entries, BROKEN at entry 7: changed"):
            list(check(daemon, story))

        cursor.execute("UPDATE invoices SET number = replace(number, '00004', '00014') WHERE tenant_id = 'hosting'")
        with pytest.raises(Fault, match=r"hosting: invoice numbers are .*INV-[0-9]*-00014"):
            list(check(daemon, story))
        tampered.close()
