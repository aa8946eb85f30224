"""`schema.sql`, which people read, is what all migrations together make."""

from importlib.resources import files

from psycopg2.extensions import make_dsn

from decabilld.store.pool import Connection, Row, connect

CATALOG = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            pg_get_expr(d.adbin, d.adrelid), c.reloptions, a.attcompression, a.attstorage
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relnamespace = 'public'::regnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, a.attnum""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    "functions": """
        SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1""",
    "triggers": "SELECT pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
}
RECORD = "schema_migrations"


async def test_schema_is_all_migrations_together(connection: Connection, postgres_dsn: str) -> None:
    server = await connect(postgres_dsn, statement_timeout_ms=60_000)
    await server.execute("CREATE DATABASE by_schema")
    try:
        other = await connect(make_dsn(postgres_dsn, dbname="by_schema"), statement_timeout_ms=60_000)
        await other.execute((files("decabilld.store") / "sql" / "schema.sql").read_text())
        for part in CATALOG:
            read = await catalog(other, part)
            assert read, part
            assert read == await catalog(connection, part)
        await other.close()
    finally:
        await server.execute("DROP DATABASE by_schema WITH (FORCE)")
        await server.close()


async def catalog(connection: Connection, part: str) -> list[Row]:
    """But for the record of the migrations, which is theirs."""
    return [row for row in await connection.execute(CATALOG[part]) if RECORD not in str(row)]
