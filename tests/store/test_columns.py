"""What the entities say of their columns is what the migrated database has."""

import pytest
from msgspec import Struct

from decabilld.actors.ports import OutboxRow, StoredAnswer
from decabilld.domain.entities import Entity, PaymentAttempt
from decabilld.domain.journal import JournalRow
from decabilld.store.columns import TEXT_IDS, Column, all_entities, columns
from decabilld.store.pool import Connection
from decabilld.store.writer import WRITE_ORDER, table_of

TABLES = (*all_entities(), JournalRow, OutboxRow, StoredAnswer)
OWN = {"tenant_heads", "schema_migrations"}
SPELLINGS = {"timestamp with time zone": "timestamptz", "character(3)": "char(3)"}
COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull FROM pg_attribute a
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)
async def test_columns_are_those_of_the_database(connection: Connection, kind: type[Struct]) -> None:
    table, _ = table_of(kind)
    (tenant, *found) = await connection.execute(COLUMNS, (table,))
    assert tenant == ("tenant_id", "text", False)
    assert [Column(name, SPELLINGS.get(kind, kind), null) for name, kind, null in found] == list(columns(kind))


async def test_every_table_belongs_to_somebody(connection: Connection) -> None:
    found = await connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    assert {name for (name,) in found} == {table_of(kind)[0] for kind in TABLES} | OWN


async def test_the_tenant_comes_first_in_every_key(connection: Connection) -> None:
    """Of tables and of their indexes, so that the database can be divided by it. GIN has no order of columns."""
    indexes = """
    SELECT i.indexrelid::regclass::text, a.attname FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    JOIN pg_class t ON t.oid = i.indrelid AND t.relnamespace = 'public'::regnamespace AND t.relkind = 'r'
    WHERE t.relname <> 'schema_migrations'"""
    found = await connection.execute(indexes)
    assert len(found) > len(TABLES)
    assert {name: column for name, column in found if column != "tenant_id"} == {}
    keys = "SELECT conrelid::regclass::text, conkey[1] FROM pg_constraint WHERE contype = 'f'"
    assert {place for _, place in await connection.execute(keys)} == {1}


def test_ids_are_uuids_but_for_those_of_others() -> None:
    fields = [(kind, column) for kind in TABLES for column in columns(kind)]
    ids = {column.name: column.sql_type for _, column in fields if column.name == "id" or column.name.endswith("_id")}
    assert {name for name, sql_type in ids.items() if sql_type == "text"} == TEXT_IDS
    assert {sql_type for name, sql_type in ids.items() if name not in TEXT_IDS} == {"uuid"}
    assert Column("session_id", "text", True) in columns(PaymentAttempt)


def test_every_kind_is_written() -> None:
    assert sorted(kind.table for kind in WRITE_ORDER) == sorted(kind.table for kind in all_entities())


async def test_write_order_is_that_of_the_foreign_keys(connection: Connection) -> None:
    order = [kind.table for kind in WRITE_ORDER]
    sql = "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
    references = await connection.execute(sql)
    assert len(references) > 5
    assert [pair for pair in references if order.index(pair[0]) <= order.index(pair[1])] == []


def test_a_field_without_a_column_type_is_refused() -> None:
    class Odd(Entity, frozen=True, kw_only=True):
        share: float

    class Two(Entity, frozen=True, kw_only=True):
        either: str | int

    for kind in (Odd, Two):
        with pytest.raises(TypeError, match=r"share|either"):
            columns(kind)
