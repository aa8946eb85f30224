"""Audits a tenant's books as they lie in the database, beside the live daemon or on a restored backup.

Owns running the checks of `sql/books.sql`, which trust nothing of ours: sums, tax, shares and numbers are computed
anew. The journal's chain of hashes is `journal.py`'s.
"""

from functools import cache
from importlib.resources import files

import msgspec

from decabilld.domain.money import MINOR_DIGITS
from decabilld.store.pool import Connection

_DIGITS = msgspec.json.encode(MINOR_DIGITS).decode()


async def faults(connection: Connection, tenant_id: str) -> list[str]:
    """What is wrong with a tenant's books, a sentence each; an empty list when they are sound."""
    rows = await connection.execute(_statement(), {"tenant": tenant_id, "digits": _DIGITS})
    return [f"{name}: {what}" for what, name in rows]


@cache
def _statement() -> str:
    """All checks as one statement, hence of one snapshot: the daemon may write meanwhile."""
    text = files("decabilld.store").joinpath("sql", "books.sql").read_text(encoding="utf-8")
    rows, *checks = text.split("\n-- fault: ")
    selects = []
    for check in checks:
        what, select = check.split("\n", 1)
        said = what.replace("'", "''")
        selects.append(f"SELECT '{said}' AS what, name::text FROM ({select}\n) AS found(name)")  # noqa: S608
    return f"{rows}\n{' UNION ALL '.join(selects)} ORDER BY 1, 2"
