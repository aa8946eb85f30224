"""backup, restore, export-tenant and import-tenant as an operator types them, beside a daemon under load."""

import asyncio
import json
import os
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from decabilld.sealing import Keyring
from decabilld.store.embedded import EmbeddedPostgres, read_dsn
from tests.control.command import Done, decabilld
from tests.crash.test_kill import Town
from tests.harness.daemons import DaemonProcess, daemon_process
from tests.operations.archives import rows, sql

OLD_KEY, NEW_KEY = "11" * 32, "22" * 32


@pytest.mark.heavy
async def test_a_backup_under_load_is_restored_elsewhere(room: Path) -> None:
    async with daemon_process() as process:
        town = Town(process, seed=71)
        await town.settle()
        file = room / "load.tar"
        async with town.writing():
            await asyncio.sleep(1)
            before = journal_height(process)
            made = await decabilld("backup", str(file), "--json", data_dir=process.data_dir)
            after = journal_height(process)
            await asyncio.sleep(0.3)
        assert made.code == 0, made
        said = json.loads(made.out)
        height = manifest_height(file)
        assert before <= height <= after < journal_height(process), "it is of an instant, and writing went on"
        assert said["rows"] > 100
        assert not file.with_name("load.tar.part").exists()
        assert file.stat().st_mode & 0o077 == 0

        await process.stop()
        quiet = await decabilld("backup", str(room / "quiet.tar"), data_dir=process.data_dir)
        assert quiet.code == 0, quiet
        await restored_as_it_was(file, room / "under-load", height)
        done = await decabilld("restore", str(room / "quiet.tar"), "--verify", data_dir=room / "quiet")
        assert done.code == 0, done
        source, copy = await asyncio.gather(all_rows(process.data_dir), all_rows(room / "quiet"))
        assert source == copy
        assert documents(room / "quiet") == documents(process.data_dir)
        await goes_on(process, room / "quiet")


async def restored_as_it_was(file: Path, home: Path, height: int) -> None:
    done = await decabilld("restore", str(file), "--verify", data_dir=home)
    assert done.code == 0, done
    assert "restored and verified from" in done.out
    for command in ("verify-journal", "verify-books"):
        verdict = await decabilld(command, data_dir=home)
        assert verdict.code == 0, verdict
        if command == "verify-journal":
            assert f"{height} entries, sound" in verdict.out
    again = await decabilld("restore", str(file), data_dir=home)
    assert again.code == 1
    assert "is not empty" in again.err


async def goes_on(process: DaemonProcess, home: Path) -> None:
    """Whoever could log in can, and the daemon over the copy bills on."""
    old, process.data_dir = process.data_dir, home
    process.environment["DECABILLD_DATA_DIR"] = str(home)
    try:
        await process.start()
        operator = await process.log_in("operator@town.example")
        clock = await operator.get("/admin/billing/test-clock")
        await operator.move_to(clock["now"])
        await operator.bills_now()
        await process.stop()
    finally:
        process.data_dir = old
    assert (await decabilld("verify-books", data_dir=home)).code == 0


async def test_the_disk_that_fills_up_leaves_no_half_file(room: Path) -> None:
    async with daemon_process() as process:
        await process.admin()
        file = room / "full.tar"
        made = await limited(4, "backup", str(file), data_dir=process.data_dir)
        assert made.code == 1
        assert "File too large" in made.err
        assert os.listdir(room) == []
        made = await limited(4_000, "backup", str(file), data_dir=process.data_dir)
        assert made.code == 0, made

        taken = await decabilld("backup", str(file), data_dir=process.data_dir)
        assert taken.code == 1
        assert "is there already" in taken.err
        nowhere = await decabilld("backup", str(room / "no" / "where.tar"), "--json", data_dir=process.data_dir)
        assert nowhere.code == 1
        assert "No such file or directory" in json.loads(nowhere.out)["faults"][0]


async def test_damage_is_named_and_nothing_is_made(room: Path) -> None:
    async with daemon_process() as process:
        await process.admin()
        file = room / "all.tar"
        await decabilld("backup", str(file), data_dir=process.data_dir)
    damaged = bytearray(file.read_bytes())
    damaged[1_600] ^= 1
    file.write_bytes(damaged)
    done = await decabilld("restore", str(file), "--json", data_dir=room / "home")
    assert done.code == 1
    assert json.loads(done.out) == {
        "faults": ["the file is damaged: rows/journal/000001.jsonl.gz is not as it was written"]
    }
    assert not (room / "home").exists()


async def test_a_failed_restore_leaves_the_directory_as_it_was(room: Path) -> None:
    async with daemon_process() as process:
        await process.admin()
        sql(dsn_of(process), "UPDATE journal SET message = 'nothing' WHERE seq = 2")
        await decabilld("backup", str(room / "all.tar"), data_dir=process.data_dir)
    home = room / "home"
    home.mkdir(mode=0o711)
    (home / "jwt_secret").write_text("kept")
    done = await decabilld("restore", str(room / "all.tar"), "--verify", data_dir=home)
    assert done.code == 1
    assert done.err == "decabilld: default: journal entry 2 was changed\n"
    assert [path.name for path in home.iterdir()] == ["jwt_secret"]


@pytest.mark.heavy
async def test_secrets_come_back_with_their_key_only(room: Path) -> None:
    async with daemon_process(ENCRYPTION_KEY=OLD_KEY, TENANTS="default,acme") as process:
        await process.admin("default")
        await process.admin("acme")
        sealed = Keyring(bytes.fromhex(OLD_KEY)).seal("123456", "acme", "code")
        sql(dsn_of(process), "INSERT INTO outbox VALUES ('acme', gen_random_uuid(), 'SendMail', 'prompt', 'c', "
            f"'{{\"sealed\": \"{sealed}\"}}', 'infinity', 0, NULL, NULL, now())")  # fmt: skip
        everything, acme, default = room / "all.tar", room / "acme.tar", room / "default.tar"
        await decabilld("backup", str(everything), data_dir=process.data_dir)
        await decabilld("export-tenant", "acme", str(acme), data_dir=process.data_dir)
        await decabilld("export-tenant", "default", str(default), data_dir=process.data_dir)
        nobody = await decabilld("export-tenant", "nobody", str(room / "no.tar"), data_dir=process.data_dir)
        assert (nobody.code, nobody.err) == (1, "decabilld: there is no tenant nobody in the database\n")

    home, key_id = room / "home", Keyring(bytes.fromhex(OLD_KEY)).key_id
    refused = await decabilld("restore", str(everything), data_dir=home, ENCRYPTION_KEY=NEW_KEY)
    assert refused.code == 1
    assert f"sealed under key {key_id}, which is not here" in refused.err
    assert not home.exists()
    done = await decabilld("restore", str(everything), "--verify", data_dir=home, ENCRYPTION_KEY=OLD_KEY)
    assert done.code == 0, done
    shutil.rmtree(home)
    done = await decabilld("restore", str(everything), "--without-key", data_dir=home, ENCRYPTION_KEY=NEW_KEY)
    assert done.code == 0, done
    assert f"sealed under key {key_id} can't be opened" in done.err

    async with daemon_process(ENCRYPTION_KEY=NEW_KEY, TENANTS="third") as process:
        await process.admin("third")
        here = {"data_dir": process.data_dir, "ENCRYPTION_KEY": NEW_KEY}
        assert "acme" not in await tenants(process)
        refused = await decabilld("import-tenant", str(acme), **here)
        assert refused.code == 1
        assert key_id in refused.err
        assert "acme" not in await tenants(process)
        keyless = await decabilld("import-tenant", str(default), "--json", **here)
        assert keyless.code == 0, keyless
        done = await decabilld("import-tenant", str(acme), **here, ENCRYPTION_KEY_PREVIOUS=OLD_KEY)
        assert done.code == 0, done
        assert await tenants(process) == ["acme", "default", "third"]
        again = await decabilld("import-tenant", str(acme), "--without-key", **here)
        assert again.code == 1
        assert "rows of acme already" in again.err
        await process.stop()
        process.environment["TENANTS"] = "third,acme"
        await process.start()
        await process.log_in("admin@acme.example", "acme")
        await process.log_in("admin@third.example", "third")


async def test_every_command_shows_an_example(room: Path) -> None:
    for command in ("backup", "restore", "export-tenant", "import-tenant"):
        done = await decabilld(command, "--help", data_dir=room)
        assert done.code == 0
        assert f"decabilld {command}" in done.out.split("Example:")[1]
        assert "Exit 1" in done.out
        assert "--json" in done.out


# ---


async def limited(blocks: int, *arguments: str, data_dir: Path) -> Done:
    """The command where no file may grow over so many blocks of 1 kB: to it, a full disk."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", f'ulimit -f {blocks}; exec "$@"', "-", str(Path(sys.executable).with_name("decabilld")),
        *arguments, env={**os.environ, "DECABILLD_DATA_DIR": str(data_dir)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


def dsn_of(process: DaemonProcess) -> str:
    dsn = read_dsn(process.data_dir)
    assert dsn is not None
    return dsn


def journal_height(process: DaemonProcess) -> int:
    return int(sql(dsn_of(process), "SELECT seq FROM tenant_heads")[0][0])


def manifest_height(file: Path) -> int:
    with tarfile.open(file) as tar:
        content = tar.extractfile("manifest.json")
        assert content is not None
        return int(json.load(content)["journals"][0]["seq"])


async def tenants(process: DaemonProcess) -> list[str]:
    return [name for (name,) in sql(dsn_of(process), "SELECT tenant_id FROM tenant_heads ORDER BY 1")]


async def all_rows(home: Path) -> dict[str, object]:
    """Of a daemon that is stopped."""
    postgres = EmbeddedPostgres(home, max_connections=5)
    await postgres.start()
    try:
        return rows(postgres.dsn)
    finally:
        await postgres.stop()


def documents(home: Path) -> dict[str, bytes]:
    root = home / "documents"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.pdf")}
