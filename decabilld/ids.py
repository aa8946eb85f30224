"""New ids: UUIDv7 (RFC 9562), so that rows written together lie together and ids of one process sort by age."""

import os
import time

POOL_BYTES = 4_096
_last = 0
_pool, _taken = b"", 0


def new_id() -> str:
    """A fresh id. 48 bits of milliseconds, 12 bits counting within one, 62 random bits."""
    global _last
    tick = max(time.time_ns() // 1_000_000 << 12, _last + 1)
    _last = tick
    number = (tick >> 12) << 80 | 0x7 << 76 | (tick & 0xFFF) << 64 | 0b10 << 62 | _random_bits() >> 2
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def made_at(id_: str) -> float:
    """When an id of ours was made, in seconds since 1970."""
    return int(id_[:8] + id_[9:13], 16) / 1000


def _random_bits() -> int:
    """64 bits of the system's; read many at a time, since each look costs as much as the rest of an id."""
    global _pool, _taken
    if _taken == len(_pool):
        _pool, _taken = os.urandom(POOL_BYTES), 0
    _taken += 8
    return int.from_bytes(_pool[_taken - 8 : _taken])
