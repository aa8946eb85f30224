"""Where the database keeps sealed texts, and how each is replaced: codes of mails that wait, and secrets of servers.

Owns the SQL; keys and ciphers are `decabilld/sealing.py`'s.
"""

from collections.abc import AsyncIterator

import msgspec
from msgspec import Struct

from decabilld.domain.entities import SubscriptionItem
from decabilld.messages.effects import SendMail
from decabilld.sealing import Keyring, NotOpened
from decabilld.store.pool import Connection

PAGE = 500
_FIRST = ("", "00000000-0000-0000-0000-000000000000")


class Place(Struct, frozen=True):
    """A sealed text in rows of `table` that `condition` holds for; `column` reads it, `replaced` is the row's new
    `column_set`, where `r.new` is the new text.
    """

    field: str
    table: str
    condition: str
    column: str
    column_set: str
    replaced: str

    @property
    def page(self) -> str:
        return f"""
SELECT tenant_id, id::text, {self.column} FROM {self.table} AS o
WHERE {self.condition} AND (tenant_id, id) > (%s, %s::uuid) ORDER BY tenant_id, id LIMIT %s"""  # noqa: S608

    @property
    def replace(self) -> str:
        """A row that changed or went in the meantime is left alone."""
        return f"""
UPDATE {self.table} AS o SET {self.column_set} = {self.replaced}
FROM json_to_recordset(%s::json) AS r(tenant_id text, id uuid, old text, new text)
WHERE o.tenant_id = r.tenant_id AND o.id = r.id AND {self.column} = r.old RETURNING 1"""  # noqa: S608


PLACES = (
    Place(
        field=SendMail.SEALED_CODE,
        table="outbox",
        condition="kind = 'SendMail'",
        column="o.payload::json ->> 'sealed_code'",
        column_set="payload",
        replaced="jsonb_set(o.payload::jsonb, '{sealed_code}', to_jsonb(r.new))::text",
    ),
    Place(
        field=SubscriptionItem.SEALED_SECRETS,
        table="subscription_items",
        condition="sealed_secrets IS NOT NULL",
        column="o.sealed_secrets",
        column_set="sealed_secrets",
        replaced="r.new",
    ),
)


class Resealed(Struct, frozen=True, kw_only=True):
    """How many secrets were sealed anew, were under the current key already, or can't be opened by any key given."""

    resealed: int = 0
    current: int = 0
    unopened: int = 0


async def reseal(connection: Connection, keyring: Keyring) -> AsyncIterator[Resealed]:
    """Seal everything under the current key, page by page; the tally so far after each. All tenants, served or not.

    Each page is durable at once, and what is done is recognised: after an interruption, begin again.
    """
    resealed = current = unopened = 0
    for place in PLACES:
        after = _FIRST
        while rows := await connection.execute(place.page, (*after, PAGE)):
            replaced = []
            for tenant_id, row_id, sealed in rows:
                try:
                    if keyring.is_current(sealed):
                        current += 1
                        continue
                    new = keyring.resealed(sealed, tenant_id, place.field)
                except NotOpened:
                    unopened += 1
                    continue
                replaced.append({"tenant_id": tenant_id, "id": row_id, "old": sealed, "new": new})
            if replaced:
                resealed += len(await connection.execute(place.replace, (msgspec.json.encode(replaced).decode(),)))
            after = rows[-1][0], rows[-1][1]
            yield Resealed(resealed=resealed, current=current, unopened=unopened)
