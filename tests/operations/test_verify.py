"""verify-journal and verify-books look at every tenant that there is, and at none that there isn't."""

from pathlib import Path

from psycopg2.extensions import parse_dsn

from tests.control.command import Done, decabilld
from tests.harness.daemons import running_daemon
from tests.operations.archives import sql


async def test_tenants_that_the_settings_do_not_name_are_looked_at_too(database: str, tmp_path: Path) -> None:
    async with running_daemon(database, tmp_path, tenants=("acme",)) as daemon:
        await daemon.admin("acme")
    sound = await verified(database, tmp_path, "verify-journal", "--tenant", "default")
    assert (sound.code, sound.out) == (0, "default: 0 entries, sound\n"), "it is served, and will be"
    books = await verified(database, tmp_path, "verify-books")
    assert (books.code, books.out) == (0, "acme: the books are sound\ndefault: the books are sound\n")
    sql(database, "UPDATE journal SET message = 'nothing' WHERE seq = 2")
    broken = await verified(database, tmp_path, "verify-journal")
    assert (broken.code, broken.out.splitlines()[0]) == (1, "acme: 1 entries, BROKEN at entry 2: changed")


async def test_whom_nobody_knows_is_not_called_sound(database: str, tmp_path: Path) -> None:
    for command in ("verify-journal", "verify-books"):
        nobody = await verified(database, tmp_path, command, "--tenant", "amce")
        assert (nobody.code, nobody.out) == (2, "")
        assert "there is no tenant amce" in nobody.err


async def test_a_database_of_others_is_not_called_sound(empty: str, tmp_path: Path) -> None:
    for command in ("verify-journal", "verify-books"):
        done = await verified(empty, tmp_path, command)
        assert (done.code, done.err) == (1, "decabilld: this is no database of decabilld\n")


async def verified(dsn: str, home: Path, *command: str) -> Done:
    server = parse_dsn(dsn)
    place = {"DB_HOST": server["host"], "DB_USERNAME": server["user"], "DB_DATABASE": server["dbname"]}
    return await decabilld(*command, data_dir=home, **place)
