"""What a look has found: that something is well, or what to do about it."""

from msgspec import Struct


class Finding(Struct, frozen=True):
    """`says` is a fact where all is well (`ok`), else what is wrong and what to do."""

    check: str
    ok: bool
    says: str


def well(check: str, says: str) -> Finding:
    return Finding(check, ok=True, says=says)


def wrong(check: str, says: str) -> Finding:
    return Finding(check, ok=False, says=says)
