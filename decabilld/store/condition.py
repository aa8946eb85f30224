"""What the database says of itself: version, the settings that durability hangs on, its clock, its room.

Owns the SQL; what of it is good or bad is `decabilld/doctor`'s to say.
"""

from datetime import datetime

import msgspec
from msgspec import Struct

from decabilld.store.pool import Connection

_CONDITION = """
SELECT current_setting('server_version_num')::int, current_setting('server_version'),
    (SELECT json_object_agg(name, setting)::text FROM pg_settings WHERE name = ANY(%s)),
    clock_timestamp(), pg_database_size(current_database()), pg_is_in_recovery(),
    pg_encoding_to_char((SELECT encoding FROM pg_database WHERE datname = current_database())),
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)"""
_NEWEST_ENTRY = """
SELECT max(j.at) FROM tenant_heads h JOIN journal j ON j.tenant_id = h.tenant_id AND j.seq = h.seq"""
_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit", "max_connections", "superuser_reserved_connections")


class Condition(Struct, frozen=True, kw_only=True):
    """`version` as a number (150018 is 15.18), `settings` as PostgreSQL writes them."""

    version: int
    version_text: str
    settings: dict[str, str]
    clock: datetime
    size_bytes: int
    standby: bool
    encoding: str
    encrypted: bool


async def condition(connection: Connection) -> Condition:
    """Raises what the connection raises."""
    (row,) = await connection.execute(_CONDITION, (list(_SETTINGS),))
    number, text, settings, clock, size, standby, encoding, encrypted = row
    return Condition(
        version=number,
        version_text=text,
        settings=msgspec.json.decode(settings, type=dict[str, str]),
        clock=clock,
        size_bytes=size,
        standby=standby,
        encoding=encoding,
        encrypted=encrypted,
    )


async def newest_entry(connection: Connection) -> datetime | None:
    """When the last thing happened of any tenant; for a database of our schema. None: nothing has."""
    ((newest,),) = await connection.execute(_NEWEST_ENTRY)
    found: datetime | None = newest
    return found
