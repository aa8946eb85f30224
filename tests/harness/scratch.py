"""Where tests keep their databases: in memory where there is room, since making one copies some 300 files."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM_BYTES = 6 << 30


@contextmanager
def scratch_directory(prefix: str) -> Iterator[Path]:
    """A new one, gone after the block. As root, the database's unprivileged user may pass."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_BYTES
    home = Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if roomy else None))
    try:
        home.chmod(0o711)
        yield home
    finally:
        shutil.rmtree(home)
