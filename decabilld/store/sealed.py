"""Where the database keeps sealed texts, and how each is replaced: the codes of mails that wait in the outbox.

Owns the SQL; keys and ciphers are `decabilld/sealing.py`'s.
"""

from collections.abc import AsyncIterator

import msgspec
from msgspec import Struct

from decabilld.messages.effects import SendMail, decode_effect
from decabilld.sealing import Keyring, NotOpened
from decabilld.store.pool import Connection

PAGE = 500
_FIRST = ("", "00000000-0000-0000-0000-000000000000")
_ROWS = """
SELECT tenant_id, id::text, payload FROM outbox WHERE kind = 'SendMail' AND (tenant_id, id) > (%s, %s)
ORDER BY tenant_id, id LIMIT %s"""
# A row that changed or went in the meantime is left alone.
_REPLACE = """
UPDATE outbox AS o SET payload = r.new
FROM json_to_recordset(%s::json) AS r(tenant_id text, id uuid, old text, new text)
WHERE o.tenant_id = r.tenant_id AND o.id = r.id AND o.payload = r.old RETURNING 1"""


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
    after = _FIRST
    while rows := await connection.execute(_ROWS, (*after, PAGE)):
        replaced = []
        for tenant_id, effect_id, payload in rows:
            try:
                new = _resealed(payload, tenant_id, keyring)
            except NotOpened:
                unopened += 1
                continue
            if new is None:
                current += 1
                continue
            replaced.append({"tenant_id": tenant_id, "id": effect_id, "old": payload, "new": new})
        if replaced:
            resealed += len(await connection.execute(_REPLACE, (msgspec.json.encode(replaced).decode(),)))
        after = rows[-1][0], rows[-1][1]
        yield Resealed(resealed=resealed, current=current, unopened=unopened)


def _resealed(payload: str, tenant_id: str, keyring: Keyring) -> str | None:
    """The payload with its secret under the current key; None if it is already. Raises NotOpened."""
    effect = decode_effect(payload)
    assert isinstance(effect, SendMail)
    if keyring.is_current(effect.sealed_code):
        return None
    sealed = keyring.resealed(effect.sealed_code, tenant_id, SendMail.SEALED_CODE)
    return msgspec.json.encode(msgspec.structs.replace(effect, sealed_code=sealed)).decode()
