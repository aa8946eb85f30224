"""New ids: UUIDv7 (RFC 9562), so that rows written together lie together and ids of one process sort by age."""

import secrets
import time

_last = 0


def new_id() -> str:
    """A fresh id. 48 bits of milliseconds, 12 bits counting within one, 62 random bits."""
    global _last
    tick = max(time.time_ns() // 1_000_000 << 12, _last + 1)
    _last = tick
    number = (tick >> 12) << 80 | 0x7 << 76 | (tick & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
