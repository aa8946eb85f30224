"""The journal's row and the chain of hashes that seals it. Storing and reading rows is the store's.

Each row's digest is SHA-256 over the digest before it and the row's own canonical form, so a row that was changed,
removed or inserted breaks the chain at its place; the tenant's head holds the last one, so a cut-off end shows, too.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from decabilld.domain.entities import Id

_encode = msgspec.json.Encoder(order="sorted").encode


class JournalRow(Struct, frozen=True, kw_only=True, gc=False):
    """One entry as stored; `seq` counts from 1 per tenant without gaps, `digest` is lower-case hex."""

    seq: int
    at: datetime
    kind: str
    level: str
    message: str
    who: str
    cause: str
    entity: str
    entity_id: Id
    user_id: Id | None
    invoice_id: Id | None
    data: dict[str, Any]
    digest: str = ""


def genesis(tenant_id: str) -> str:
    """The digest before a tenant's first row: journals of two tenants can't be swapped."""
    return hashlib.sha256(b"decabilld journal of " + tenant_id.encode()).hexdigest()


def digest_of(previous: str, row: JournalRow) -> str:
    """The digest that `row` must carry after `previous`.

    The canonical form is sorted JSON of the row's fields, instants in UTC with microseconds. Floats would not
    survive the database unchanged; `data` may hold none.
    """
    form = _encode(
        (
            row.seq,
            row.at.astimezone(UTC).isoformat(timespec="microseconds"),
            row.kind,
            row.level,
            row.message,
            row.who,
            row.cause,
            row.entity,
            row.entity_id,
            row.user_id,
            row.invoice_id,
            row.data,
        )
    )
    return hashlib.sha256(previous.encode() + b"\n" + form).hexdigest()
