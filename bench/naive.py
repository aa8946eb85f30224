"""The naive twin: the same writes and reads on the same PostgreSQL, one transaction per request or customer.

A minimal aiohttp and aiopg server, run as `python -m bench.naive DSN`, and the same habit for a billing run. It checks
the token and nothing else: no validation, no chain of digests, no log, and its journal is numbered by a sequence, so
that writes don't wait for one another. All that it leaves out is to its advantage.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiopg
import jwt
import msgspec
import psycopg2
import uvloop
from aiohttp import web

from bench.daemon import JWT_SECRET
from bench.world import TENANT
from decabilld.ids import new_id

CONNECTIONS = 10
JOURNAL_SQL = """
INSERT INTO journal (tenant_id, seq, at, kind, level, message, who, cause, entity, entity_id, user_id, data, digest)
VALUES (%s, nextval('naive_journal'), now(), %s, 'info', %s, %s, 'naive', %s, %s, %s, '{}', '')"""
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
                           period_end, charged_through, created_at, updated_at)
VALUES (%s, %s, %s, %s, %s, 'active', '{}', now(), 0, now(), now() + interval '1 day', now(), now(), now())
RETURNING *"""
_SUBSCRIPTIONS_SQL = (
    "SELECT * FROM subscriptions WHERE tenant_id = %s AND user_id = %s ORDER BY created_at DESC LIMIT 10"
)
_encode = msgspec.json.Encoder(enc_hook=str).encode

Handler = Callable[[Any, dict[str, Any], str], Awaitable[tuple[int, object]]]


async def write_profile(cursor: Any, sent: dict[str, Any], user_id: str) -> tuple[int, object]:
    await cursor.execute("BEGIN")
    await cursor.execute(_PROFILE_SQL, (TENANT, new_id(), user_id, *(sent.get(name) for name in _PROFILE_FIELDS)))
    profile = row(cursor, await cursor.fetchone())
    told = ("customer_profile.updated", "Customer profile updated", user_id, "customer_profiles", profile["id"])
    await cursor.execute(JOURNAL_SQL, (TENANT, *told, user_id))
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
    told = ("subscription.ordered", "Subscription ordered", user_id, "subscriptions", ordered["id"])
    await cursor.execute(JOURNAL_SQL, (TENANT, *told, user_id))
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
