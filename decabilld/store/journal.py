"""Verifies a tenant's journal as it lies in the database, beside the live daemon or on a restored backup.

Owns reading the chain and naming where it breaks; how a digest is made is `domain/journal.py`'s.
"""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from decabilld.domain.journal import JournalRow, digest_of, genesis
from decabilld.store.pool import Connection
from decabilld.store.rows import decoder, select_json

PAGE_ROWS = 2_000

_NEXT = select_json(JournalRow, f"journal WHERE tenant_id = %s AND seq > %s ORDER BY seq LIMIT {PAGE_ROWS}")
_ONE = select_json(JournalRow, "journal WHERE tenant_id = %s AND seq = %s")
# Head and entries in one statement are of one snapshot: the daemon may write meanwhile.
_PAGE = f"""
SELECT page.rows, coalesce(head.seq, 0), head.digest FROM ({_NEXT}) AS page(rows)
LEFT JOIN tenant_heads AS head ON head.tenant_id = %s"""  # noqa: S608


class Fault(Struct, frozen=True):
    """The first entry that is not as it was written.

    `changed` also names the entry after one that was changed and given a digest to match: which of the two it was,
    nobody can tell. `removed` names a missing entry, also the first of an end that was cut off.
    """

    seq: int
    what: Literal["changed", "removed", "inserted"]


class Verified(Struct, frozen=True):
    """How many entries from the first one on are sound, and what is wrong with the next, if anything."""

    rows: int
    fault: Fault | None = None


async def verify(connection: Connection, tenant_id: str) -> Verified:
    """Follow a tenant's chain from its genesis to its head, page by page. Raises what the connection raises."""
    seq, before, digest = 0, "", genesis(tenant_id)
    while True:
        ((text, head_seq, head_digest),) = await connection.execute(_PAGE, (tenant_id, seq, tenant_id))
        rows = decoder(JournalRow).decode(text)
        for row in rows:
            if row.seq != seq + 1:
                return Verified(seq, Fault(seq + 1, "removed"))
            if row.seq > head_seq:
                return Verified(seq, Fault(row.seq, "inserted"))
            if row.digest != digest_of(digest, row):
                fault = await _name(connection, tenant_id, row, digest, before)
                return Verified(fault.seq - 1, fault)
            seq, before, digest = row.seq, digest, row.digest
        if len(rows) < PAGE_ROWS:
            return Verified(seq, _end(seq, digest, head_seq, head_digest or genesis(tenant_id)))


def _end(seq: int, digest: str, head_seq: int, head_digest: str) -> Fault | None:
    if seq < head_seq:
        return Fault(seq + 1, "removed")
    return None if digest == head_digest else Fault(seq, "changed")


async def _name(connection: Connection, tenant_id: str, row: JournalRow, digest: str, before: str) -> Fault:
    """What happened at a row that doesn't follow `digest`; `before` is the digest that this one follows.

    Whoever puts an entry in or takes one out must renumber the rest: what was renumbered still fits its old number.
    """
    if before and row.digest == digest_of(before, replace(row, seq=row.seq - 1)):
        return Fault(row.seq - 1, "inserted")
    ((text,),) = await connection.execute(_ONE, (tenant_id, row.seq + 1))
    for following in decoder(JournalRow).decode(text):
        if following.digest == digest_of(digest, replace(following, seq=row.seq)):
            return Fault(row.seq, "inserted")
        if following.digest == digest_of(row.digest, replace(following, seq=row.seq + 2)):
            return Fault(row.seq, "removed")
    return Fault(row.seq, "changed")
