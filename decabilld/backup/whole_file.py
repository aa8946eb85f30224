"""A file that is there whole or not at all: written as FILE.part, synced to disk, then renamed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class Taken(Exception):
    """There is a file of that name already, or another process is writing one."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open for writing, for us only; FILE appears when the block ends well. Raises Taken, OSError.

    What a killed process left as FILE.part is written over.
    """
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Taken(f"{part} is being written by another process") from None
        try:
            if path.exists():
                raise Taken(f"{path} is there already")
            file.truncate()
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.rename(path)
        except BaseException:
            part.unlink()
            raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
