"""The naive twin: the same writes and reads on the same PostgreSQL, one transaction per request.

A minimal aiohttp and aiopg server, run as `python -m bench.naive DSN`. It checks the token and nothing else: no
validation, no log. Its journal has numbers without gaps and the chain of digests, as the daemon's, so the end of the
chain is locked from there to the commit. Under `/loose` the journal is numbered by a sequence and has no chain: less
than is promised, but nobody waits for anybody.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiopg
import jwt
import msgspec
import psycopg2
import uvloop
from aiohttp import web

from bench.daemon import JWT_SECRET
from bench.world import TENANT
from decabilld.domain.journal import JournalRow, digest_of
from decabilld.ids import new_id

CONNECTIONS = 10
JOURNAL_SQL = """
INSERT INTO journal (tenant_id, seq, at, kind, level, message, who, cause, entity, entity_id, user_id, data, digest)
VALUES (%s, nextval('naive_journal'), now(), %s, 'info', %s, %s, 'naive', %s, %s, %s, '{}', '')"""
_END_SQL = "SELECT seq, digest FROM tenant_heads WHERE tenant_id = %s FOR UPDATE"
_CHAINED_SQL = """
INSERT INTO journal (tenant_id, seq, at, kind, level, message, who, cause, entity, entity_id, user_id, data, digest)
VALUES (%s, %s, %s, %s, 'info', %s, %s, 'naive', %s, %s, %s, '{}', %s)"""
_NEW_END_SQL = "UPDATE tenant_heads SET n = n + 1, seq = %s, digest = %s WHERE tenant_id = %s"
_PROFILE_SQL = """
INSERT INTO customer_profiles (tenant_id, id, user_id, first_name, last_name, address_line1, postal_code, city, country,
                               email, created_at, updated_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now(), now())
ON CONFLICT (tenant_id, user_id) DO UPDATE SET first_name = excluded.first_name, last_name = excluded.last_name,
    address_line1 = excluded.address_line1, postal_code = excluded.postal_code, city = excluded.city,
    country = excluded.country, email = excluded.email, updated_at = excluded.updated_at
RETURNING *"""
_PROFILE_FIELDS = ("firstName", "lastName", "addressLine1", "postalCode", "city", "country", "email")
_PLAN_SQL = "SELECT * FROM service_plans WHERE tenant_id = %s AND id = %s"
_DRAW_SQL = "UPDATE number_ranges SET last = last + 1 WHERE tenant_id = %s AND series = 'SUB' RETURNING last"
_ORDER_SQL = """
INSERT INTO subscriptions (tenant_id, id, number, plan_id, user_id, status, terms, anchor, period_index, period_start,
                           period_end, charged_through, awaits_server, created_at, updated_at)
VALUES (%s, %s, %s, %s, %s, 'active', '{}', now(), 0, now(), now() + interval '1 day', now(), false, now(), now())
RETURNING *"""
_SUBSCRIPTIONS_SQL = (
    "SELECT * FROM subscriptions WHERE tenant_id = %s AND user_id = %s ORDER BY created_at DESC LIMIT 10"
)
_encode = msgspec.json.Encoder(enc_hook=str).encode

Handler = Callable[[Any, dict[str, Any], str], Awaitable[tuple[int, object]]]


async def chained(cursor: Any, kind: str, message: str, entity: str, entity_id: str, user_id: str) -> None:
    """The next entry of the journal."""
    await cursor.execute(_END_SQL, (TENANT,))
    seq, digest = await cursor.fetchone()
    entry = JournalRow(
        seq=seq + 1,
        at=datetime.now(UTC),
        kind=kind,
        level="info",
        message=message,
        who=user_id,
        cause="naive",
        entity=entity,
        entity_id=entity_id,
        user_id=user_id,
        invoice_id=None,
        data={},
    )
    digest = digest_of(digest, entry)
    said = (TENANT, entry.seq, entry.at, kind, message, user_id, entity, entity_id, user_id, digest)
    await cursor.execute(_CHAINED_SQL, said)
    await cursor.execute(_NEW_END_SQL, (entry.seq, digest, TENANT))


async def loose(cursor: Any, kind: str, message: str, entity: str, entity_id: str, user_id: str) -> None:
    """An entry of the journal with a number of its own."""
    await cursor.execute(JOURNAL_SQL, (TENANT, kind, message, user_id, entity, entity_id, user_id))


async def write_profile(cursor: Any, sent: dict[str, Any], user_id: str, journal: Any = chained) -> tuple[int, object]:
    await cursor.execute("BEGIN")
    await cursor.execute(_PROFILE_SQL, (TENANT, new_id(), user_id, *(sent.get(name) for name in _PROFILE_FIELDS)))
    profile = row(cursor, await cursor.fetchone())
    told = ("customer_profile.updated", "Customer profile updated", "customer_profiles", profile["id"])
    await journal(cursor, *told, user_id)
    await cursor.execute("COMMIT")
    return 200, profile


async def order(cursor: Any, sent: dict[str, Any], user_id: str) -> tuple[int, object]:
    await cursor.execute("BEGIN")
    await cursor.execute(_PLAN_SQL, (TENANT, sent["planId"]))
    plan = row(cursor, await cursor.fetchone())
    await cursor.execute(_DRAW_SQL, (TENANT,))
    (number,) = await cursor.fetchone()
    await cursor.execute(_ORDER_SQL, (TENANT, new_id(), f"SUB-{number:06}", plan["id"], user_id))
    ordered = row(cursor, await cursor.fetchone())
    await chained(cursor, "subscription.ordered", "Subscription ordered", "subscriptions", ordered["id"], user_id)
    await cursor.execute("COMMIT")
    return 201, ordered


async def list_subscriptions(cursor: Any, sent: dict[str, Any], user_id: str) -> tuple[int, object]:
    await cursor.execute(_SUBSCRIPTIONS_SQL, (TENANT, user_id))
    return 200, [row(cursor, values) for values in await cursor.fetchall()]


def row(cursor: Any, values: tuple[object, ...]) -> dict[str, Any]:
    return {column.name: value for column, value in zip(cursor.description, values, strict=True)}


def served(pool: Any, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A route: token, a connection of the pool, the handler, JSON."""

    async def handle(request: web.Request) -> web.Response:
        given = request.headers["Authorization"].removeprefix("Bearer ")
        user_id = jwt.decode(given, JWT_SECRET, algorithms=["HS256"])["sub"]
        sent = await request.json() if request.can_read_body else {}
        async with pool.acquire() as connection, connection.cursor() as cursor:
            status, answer = await handler(cursor, sent, user_id)
        return web.Response(status=status, body=_encode(answer), content_type="application/json")

    return handle


async def application(dsn: str) -> web.Application:
    pool = await aiopg.create_pool(dsn, minsize=CONNECTIONS, maxsize=CONNECTIONS)
    app = web.Application()
    app.router.add_post("/api/customer-profile", served(pool, write_profile))
    app.router.add_post("/loose/customer-profile", served(pool, partial(write_profile, journal=loose)))
    app.router.add_post("/api/subscriptions", served(pool, order))
    app.router.add_get("/api/subscriptions", served(pool, list_subscriptions))
    return app


def prepare(dsn: str) -> None:
    """What a database needs for the twin beside the schema."""
    with psycopg2.connect(dsn) as connection:
        connection.cursor().execute("CREATE SEQUENCE naive_journal START 1000000000")


async def serve(dsn: str) -> None:
    """Until killed; the first line on standard output is the port."""
    runner = web.AppRunner(await application(dsn), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
