"""Loads entities into a tenant's state: at start the live ones by pages, later closed ones by id.

Owns the SQL of loading and which rows are live (the database's twin of `Entity.live`). `readers/` owns lists and
searches for callers who only look.
"""

import asyncio
from collections.abc import Iterable
from functools import cache
from uuid import UUID

import msgspec

from decabilld.domain.entities import (
    Backorder,
    BillingRun,
    Entity,
    Id,
    Invoice,
    OneTimeCode,
    OrphanServer,
    Payment,
    PaymentAttempt,
    Position,
    RevokedToken,
    ServicePlan,
    ServiceType,
    Subscription,
    SubscriptionItem,
    UsageRecord,
    User,
    WebhookEvent,
)
from decabilld.messages.decision import Need
from decabilld.store.pool import Connection
from decabilld.store.rows import decoder, select_json
from decabilld.store.writer import WRITE_ORDER

PAGE_ROWS = 5_000

LIVE: dict[type[Entity], str] = {
    User: "deleted_at IS NULL",
    OneTimeCode: "used_at IS NULL",
    RevokedToken: "NOT forgotten",
    ServiceType: "deleted_at IS NULL",
    ServicePlan: "deleted_at IS NULL",
    Subscription: "status <> 'canceled'",
    SubscriptionItem: "released_at IS NULL",
    Backorder: "status IN ('pending', 'retrying', 'failed')",
    OrphanServer: "gone_at IS NULL",
    UsageRecord: "position_id IS NULL",
    Position: "closed_at IS NULL",
    Invoice: "status NOT IN ('paid', 'void')",
    PaymentAttempt: "status IN ('opening', 'open', 'closing', 'processing')",
    BillingRun: "status <> 'done'",
}
"""As a partial index has it. Kinds that aren't named are always live, but for those of `NEVER_LIVE`."""

NEVER_LIVE = frozenset({Payment, WebhookEvent})

_NO_ID = "00000000-0000-0000-0000-000000000000"
_ENDED = """
SELECT coalesce(json_agg(json_build_array(user_id, ended)), '[]')::text FROM (
    SELECT user_id, count(*) AS ended FROM subscriptions WHERE tenant_id = %s AND status = 'canceled' GROUP BY user_id
) AS counted"""


@cache
def live_page(kind: type[Entity]) -> str:
    """SQL of the live rows of a tenant after an id, at most `PAGE_ROWS`."""
    live = f"AND {LIVE[kind]} " if kind in LIVE else ""
    return select_json(kind, f"{kind.table} WHERE tenant_id = %s AND id > %s {live}ORDER BY id LIMIT {PAGE_ROWS}")


async def load_live(connection: Connection, tenant_id: str) -> list[Entity]:
    """Every live entity of a tenant. The loop gets its turn after every page."""
    found: list[Entity] = []
    for kind in WRITE_ORDER:
        if kind in NEVER_LIVE:
            continue
        after = _NO_ID
        while True:
            (page,) = (await connection.execute(live_page(kind), (tenant_id, after)))[0]
            rows = decoder(kind).decode(page)
            found.extend(rows)
            await asyncio.sleep(0)
            if len(rows) < PAGE_ROWS:
                break
            after = rows[-1].id
    return found


async def ended_counts(connection: Connection, tenant_id: str) -> list[tuple[Id, int]]:
    """Per user the number of ended subscriptions, for those who have any."""
    ((counts,),) = await connection.execute(_ENDED, (tenant_id,))
    return msgspec.json.decode(counts, type=list[tuple[Id, int]])


async def load_named(connection: Connection, tenant_id: str, needs: Iterable[Need]) -> list[Entity]:
    """Those of the named entities that exist, in one round trip."""
    by_kind: dict[type[Entity], list[Id]] = {}
    for kind, entity_id in needs:
        if _is_id(entity_id):
            by_kind.setdefault(kind, []).append(entity_id)
    if not by_kind:
        return []
    parts = [
        f"({select_json(kind, f'{kind.table} WHERE tenant_id = %s AND id = ANY(%s::uuid[])')})" for kind in by_kind
    ]
    params = [param for ids in by_kind.values() for param in (tenant_id, ids)]
    (texts,) = await connection.execute(f"SELECT {', '.join(parts)}", params)
    return [entity for kind, text in zip(by_kind, texts, strict=True) for entity in decoder(kind).decode(text)]


def _is_id(text: str) -> bool:
    """What is no UUID names nothing: it came with a webhook, not from us."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
