"""What goes into a backup comes out of it, row by row and byte by byte; and nothing else is touched."""

from pathlib import Path

import pytest

from decabilld.backup.making import UnknownTenant
from decabilld.backup.restoring import Unfit, Unsound
from decabilld.backup.target import left_empty
from decabilld.store import snapshot
from decabilld.store.pool import connect
from decabilld.store.refill import NotEmpty
from tests.operations.archives import backed_up, forged, imported, restored, rows, sql

SNAGS = r"""
INSERT INTO tenant_heads VALUES ('t', gen_random_uuid(), 9223372036854775807, 0, 'x'), ('T-ä.1', gen_random_uuid(), 0, 0, '');
INSERT INTO outbox VALUES ('t', gen_random_uuid(), E'tab\t "quoted" \\ %s %(x)s', '', '', E'two\nlines \u2028 \x7f € 🐘 v1:0badcafe:' || repeat('A', 40),
    '2024-03-31 02:30:00.000001+02', 9007199254740993, '', NULL, 'infinity');
INSERT INTO outbox VALUES ('t', gen_random_uuid(), '', '', '', repeat('x', 3000000), '0001-01-01 00:00:00Z', 0, NULL, '-infinity', now());
INSERT INTO journal VALUES ('T-ä.1', 9223372036854775807, now(), '', '', '', '', '', '', gen_random_uuid(), NULL, NULL,
    '{"n": 1.10, "big": 123456789012345678901234567890.000, "e": 1e-30, "deep": [{"x": null}, "\\", "é"], "": ""}', '');
INSERT INTO idempotency_answers SELECT 't', w, k, '', 200, '{}', now() FROM unnest(ARRAY['a', 'B', 'b', 'A', 'ä', 'Z']) w, unnest(ARRAY['_', '-', 'z', 'Ä']) k;
"""  # noqa: E501


async def test_every_row_and_document_comes_back(documents: Path, database: str, empty: str, tmp_path: Path) -> None:
    manifest = await backed_up(database, tmp_path / "all.tar", documents)
    assert manifest.tenants == ["acme", "other"]
    assert (manifest.documents, manifest.documents_missing) == (2 * (3 + 1), 0), "a credit note each, too"
    await restored(empty, tmp_path / "all.tar", tmp_path / "back")
    assert rows(empty) == rows(database)
    assert files(tmp_path / "back") == files(documents)


async def test_values_that_snag_come_back_to_the_last_digit(database: str, empty: str, tmp_path: Path) -> None:
    sql(database, SNAGS)
    manifest = await backed_up(database, tmp_path / "snags.tar", tmp_path)
    assert manifest.rows == 2 + 2 + 1 + 24
    assert manifest.sealed_under == ("0badcafe",)
    await restored(empty, tmp_path / "snags.tar", tmp_path / "back", verify=False)
    assert rows(empty) == rows(database)


async def test_pages_grow_and_shrink_with_their_rows(database: str, empty: str, tmp_path: Path) -> None:
    insert = "INSERT INTO outbox SELECT 't', ('0000000{}-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, '', '', '', {}, now(), 0, NULL, NULL, now() FROM generate_series(1, {}) n"  # noqa: E501
    sql(database, "INSERT INTO tenant_heads VALUES ('t', gen_random_uuid(), 0, 0, '')", insert.format(1, "''", 5_000))
    sql(database, insert.format(2, "repeat('ab', 500000)", 20))
    await backed_up(database, tmp_path / "pages.tar", tmp_path)
    connection = await connect(database, statement_timeout_ms=20_000)
    await snapshot.begin(connection)
    (table,) = [one for one in await snapshot.tables(connection) if one.name == "outbox"]
    sizes = [len(lines) async for lines in snapshot.pages(connection, table, "t")]
    await connection.close()
    assert sizes[0] == snapshot.FIRST_ROWS
    assert sizes[1:3] == [snapshot.PAGE_ROWS_MAX] * 2
    assert sum(sizes) == 5_020
    await restored(empty, tmp_path / "pages.tar", tmp_path / "back", verify=False)
    assert rows(empty) == rows(database)


async def test_a_tenant_moves_alone(documents: Path, database: str, empty: str, tmp_path: Path) -> None:
    await backed_up(database, tmp_path / "all.tar", documents)
    await backed_up(database, tmp_path / "acme.tar", documents, "acme")
    with pytest.raises(Unfit, match="import-tenant"):
        await restored(empty, tmp_path / "acme.tar", tmp_path / "back")
    await restored(empty, tmp_path / "all.tar", tmp_path / "back")
    with pytest.raises(Unfit, match="restore"):
        await imported(empty, tmp_path / "all.tar", tmp_path / "back")
    with pytest.raises(NotEmpty, match=r"rows of acme already \(table"):
        await imported(empty, tmp_path / "acme.tar", tmp_path / "back")
    forget(empty, "acme")
    before = rows(empty)

    await imported(empty, tmp_path / "acme.tar", tmp_path / "moved")
    assert rows(empty) == rows(database)
    assert rows(empty, "tenant_id <> 'acme'") == before
    assert files(tmp_path / "moved") == {name: text for name, text in files(documents).items() if "acme/" in name}


async def test_a_tenant_of_whom_one_row_is_left_is_not_overwritten(
    documents: Path, database: str, tmp_path: Path
) -> None:
    await backed_up(database, tmp_path / "acme.tar", documents, "acme")
    forget(database, "acme", but="webhook_events")
    sql(database, "INSERT INTO webhook_events VALUES ('acme', gen_random_uuid(), 'e', 't', 'o', NULL, now())")
    with pytest.raises(NotEmpty, match=r"webhook_events"):
        await imported(database, tmp_path / "acme.tar", tmp_path / "moved")


async def test_an_export_can_t_bring_rows_of_another_tenant(documents: Path, database: str, tmp_path: Path) -> None:
    await backed_up(database, tmp_path / "acme.tar", documents, "acme")
    file = forged(
        tmp_path / "acme.tar", "users", lambda users: [user.replace('"acme"', '"other"', 1) for user in users]
    )
    forget(database, "acme")
    before = rows(database)
    with pytest.raises(Exception, match=r"users/000001.*another tenant"):
        await imported(database, file, tmp_path / "moved")
    assert rows(database) == before


async def test_a_tenant_without_a_head_is_not_left_out_silently(database: str, tmp_path: Path) -> None:
    sql(database, "INSERT INTO number_ranges VALUES ('ghost', gen_random_uuid(), 'SUB', 1)")
    with pytest.raises(Exception, match="1 rows of number_ranges are of a tenant without a head"):
        await backed_up(database, tmp_path / "all.tar", tmp_path)


async def test_whom_nobody_knows_is_not_exported(database: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownTenant, match="nobody"):
        await backed_up(database, tmp_path / "all.tar", tmp_path, "nobody")


async def test_a_schema_of_the_future_is_refused(documents: Path, database: str, empty: str, tmp_path: Path) -> None:
    sql(database, "INSERT INTO schema_migrations (number, name, sha256) VALUES (9999, '9999_later.sql', 'x')")
    await backed_up(database, tmp_path / "all.tar", documents)
    with pytest.raises(Exception, match=r"newer than this version: it has 9999_later\.sql"):
        await restored(empty, tmp_path / "all.tar", tmp_path / "back")
    assert rows(empty) == {}


async def test_only_an_empty_database_is_filled(documents: Path, database: str, empty: str, tmp_path: Path) -> None:
    await backed_up(database, tmp_path / "all.tar", documents)
    sql(empty, "CREATE TABLE somebodys (id int)")
    with pytest.raises(NotEmpty):
        await restored(empty, tmp_path / "all.tar", tmp_path / "back")
    assert list(rows(empty)) == ["somebodys"]


async def test_a_document_without_its_invoice_does_not_come_back(
    documents: Path, database: str, empty: str, tmp_path: Path
) -> None:
    """Drawn after the snapshot, its number is drawn again after the restore, for somebody else."""
    late = documents / "acme" / "2024" / "INV-2024-00099.pdf"
    late.write_bytes(b"of an invoice after the backup's instant")
    manifest = await backed_up(database, tmp_path / "all.tar", documents)
    assert manifest.documents == 2 * (3 + 1)
    await restored(empty, tmp_path / "all.tar", tmp_path / "back")
    assert not (tmp_path / "back" / "acme" / "2024" / late.name).exists()


async def test_foreign_keys_are_met_in_the_order_of_the_tables(database: str) -> None:
    connection = await connect(database, statement_timeout_ms=20_000)
    names = [table.name for table in await snapshot.tables(connection)]
    await connection.close()
    assert names.index("users") < names.index("invoices") < names.index("positions") < names.index("usage_records")
    assert sorted(names) == list(rows(database))


async def test_a_failed_restore_leaves_nothing(documents: Path, database: str, empty: str, tmp_path: Path) -> None:
    await backed_up(database, tmp_path / "all.tar", documents)
    file = forged(tmp_path / "all.tar", "journal", lambda entries: entries[1:])
    back = tmp_path / "back"
    with pytest.raises(Unsound), left_empty(back):
        await restored(empty, file, back)
    assert rows(empty) == {}
    assert not back.exists()


def test_a_directory_that_fails_to_be_filled_keeps_what_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "encryption_key").write_text("k")

    def fails_half_way() -> None:
        with left_empty(tmp_path, may_be_there=frozenset({"encryption_key"})):
            (tmp_path / "postgres").mkdir()
            (tmp_path / "postgres" / "data").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails_half_way()
    assert [entry.name for entry in tmp_path.iterdir()] == ["encryption_key"]
    with pytest.raises(NotEmpty, match="encryption_key"), left_empty(tmp_path):
        raise AssertionError("it isn't empty")


def forget(dsn: str, tenant: str, but: str = "") -> None:
    tables = [name for name in rows(dsn) if name != but]
    sql(dsn, *[f"DELETE FROM {name} WHERE tenant_id = '{tenant}'" for name in tables])


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.pdf")}
