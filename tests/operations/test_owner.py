"""An operator is root, the service isn't: what root's commands make in its directory the service can use."""

import json
import os
from pathlib import Path

import pytest

from decabilld.gateways.documents.storage import DocumentFiles
from tests.control.command import decabilld
from tests.harness.daemons import daemon_process

SERVICE = 65_534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root works in others' directories")


@pytest.fixture
def home(room: Path) -> Path:
    """As systemd makes a StateDirectory."""
    made = room / "service"
    made.mkdir(mode=0o700)
    os.chown(made, SERVICE, SERVICE)
    return made


async def test_a_restore_and_a_new_key_by_root_are_the_service_s(room: Path, home: Path) -> None:
    file = room / "all.tar"
    async with daemon_process() as process:
        assert (await decabilld("backup", str(file), data_dir=process.data_dir)).code == 0
    restored = await decabilld("restore", str(file), "--verify", data_dir=home)
    assert restored.code == 0, restored
    rotated = await decabilld("rotate-key", data_dir=home)
    assert rotated.code == 0, rotated
    made = owners(home)
    assert {"daemon.lock", "encryption_key", "postgres.log", "postgres/data"} <= made.keys()
    assert set(made.values()) == {SERVICE}


async def test_documents_that_root_brings_are_the_service_s(home: Path) -> None:
    await DocumentFiles(home / "documents").keep("acme", "INV-2026-00001", b"%PDF")
    made = owners(home)
    assert len(made) == 4
    assert set(made.values()) == {SERVICE}


async def test_the_doctor_finds_what_the_service_cannot_use(home: Path) -> None:
    """Put back by `cp` or `rsync`, say; to root itself all of it looks well."""
    kept = home / "encryption_key"
    kept.write_text("00" * 32)
    looked = await decabilld("doctor", "--json", data_dir=home)
    findings = {one["check"]: one for one in json.loads(looked.out)}
    assert findings["data directory"]["ok"] is False
    assert f"chown -R {SERVICE}:{SERVICE} {home}" in findings["data directory"]["says"]
    os.chown(kept, SERVICE, SERVICE)
    looked = await decabilld("doctor", "--json", data_dir=home)
    assert {one["check"]: one["ok"] for one in json.loads(looked.out)}["data directory"] is True


def owners(home: Path) -> dict[str, int]:
    return {str(path.relative_to(home)): path.lstat().st_uid for path in home.rglob("*")}
