"""How fast this machine is just now, so that figures of two runs can be held against each other."""

import os
import statistics
import time
from pathlib import Path

from msgspec import Struct

ADDITIONS = 2_000_000
SYNCS = 100


class Machine(Struct, frozen=True, kw_only=True):
    """`addition_ns` is one step of an empty Python loop that adds; `sync_ms` the median fdatasync of 8 KB."""

    cores: int
    load_average: float
    addition_ns: float
    sync_ms: float


def machine(directory: Path) -> Machine:
    """Measured in less than a second or two; `directory` is on the disk that counts."""
    before, total = time.perf_counter(), 0
    for number in range(ADDITIONS):
        total += number
    addition_ns = (time.perf_counter() - before) / ADDITIONS * 1e9
    return Machine(
        cores=os.cpu_count() or 1,
        load_average=round(os.getloadavg()[0], 2),
        addition_ns=round(addition_ns, 1),
        sync_ms=round(_sync_ms(directory / "sync"), 2),
    )


def _sync_ms(path: Path) -> float:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    seconds = []
    try:
        for number in range(SYNCS):
            os.pwrite(descriptor, bytes(8192), number * 8192)
            before = time.perf_counter()
            os.fdatasync(descriptor)
            seconds.append(time.perf_counter() - before)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(seconds) * 1000
