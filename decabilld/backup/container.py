"""The file of a backup: a tar that any tar can list, in which no byte can change unseen.

Owns the container's form, not what it holds. Each member's header carries the SHA-256 of its content (as a comment of
POSIX pax); the last member, `SHA256`, that of all bytes before it. So the file is judged as a whole first, and only if
that fails is looked for where the damage is.
"""

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

BLOCK = 512
END = bytes(2 * BLOCK)
CHECKSUM = "SHA256"
TRAILER_BYTES = 2 * BLOCK + len(END)
CHUNK_BYTES = 1 << 20
CONTENT_BYTES_MAX = 1 << 30
"""Of one member, unpacked; PostgreSQL takes no longer text."""

Told = Callable[[int], object]
"""Is told how many bytes (or rows) more are done."""


class Damaged(Exception):
    """The archive isn't as it was written; the message names the part."""


class Writer:
    """Adds members to a file that is open for writing. `sha256` is of the whole file, once it is finished."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.sha256 = ""

    def add(self, name: str, content: bytes) -> None:
        """One member. Raises OSError (disk full, ...)."""
        info = _info(name, content)
        info.pax_headers = {"comment": _comment(content)}
        self._write(info.tobuf(tarfile.PAX_FORMAT))
        self._write(content + bytes(-len(content) % BLOCK))

    def finish(self) -> None:
        """After the last member."""
        self._write(_trailer(self._hash.hexdigest()))
        self.sha256 = self._hash.hexdigest()

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._hash.update(content)


def check(path: Path, told: Told) -> str:
    """Read the whole file once; its SHA-256. Raises Damaged, OSError."""
    size = path.stat().st_size
    seen = hashlib.sha256()
    with path.open("rb") as file:
        left = max(0, size - TRAILER_BYTES)
        while left and (chunk := file.read(min(left, CHUNK_BYTES))):
            seen.update(chunk)
            left -= len(chunk)
            told(len(chunk))
        trailer = file.read()
    if trailer != _trailer(seen.hexdigest()):
        raise Damaged(_where(path))
    seen.update(trailer)
    return seen.hexdigest()


def members(path: Path, beginning: str = "") -> Iterator[tuple[str, bytes]]:
    """Name and content of each whose name begins so, in their order. Raises Damaged, also for a tar of others."""
    after = "the beginning"
    try:
        with tarfile.open(path, "r:") as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # it would remember every one
                if info.name == CHECKSUM:
                    return
                if info.name.startswith(beginning):
                    yield info.name, _content(tar, info)
                after = info.name
    except tarfile.TarError as error:
        raise Damaged(f"what follows {after} is unreadable ({error})") from error
    raise Damaged(f"what follows {after} is unreadable or missing")


def packed(content: bytes) -> bytes:
    """Gzipped, and always to the same bytes."""
    return gzip.compress(content, compresslevel=6, mtime=0)


def unpacked(name: str, content: bytes) -> bytes:
    """What was packed. Raises Damaged for anything else, and for what would unpack to more than a gigabyte."""
    stream = zlib.decompressobj(wbits=31)
    try:
        whole = stream.decompress(content, CONTENT_BYTES_MAX)
    except zlib.error as error:
        raise Damaged(f"{name} can't be unpacked: {error}") from error
    if not stream.eof or stream.unused_data:
        raise Damaged(f"{name} can't be unpacked: its end is missing, or is not its end")
    return whole


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(info) if info.isreg() and info.size <= CONTENT_BYTES_MAX else None
    content = b"" if file is None else file.read()
    if info.pax_headers.get("comment") != _comment(content):
        raise Damaged(f"{info.name} is not as it was written")
    return content


def _comment(content: bytes) -> str:
    return f"sha256 {hashlib.sha256(content).hexdigest()}"


def _info(name: str, content: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o600
    return info


def _trailer(sha256: str) -> bytes:
    content = f"{sha256}\n".encode()
    header = _info(CHECKSUM, content).tobuf(tarfile.PAX_FORMAT)
    return header + content + bytes(-len(content) % BLOCK) + END


def _where(path: Path) -> str:
    """The first member that is damaged, of a file that is known to be."""
    try:
        for _ in members(path):
            pass
    except Damaged as damaged:
        return str(damaged)
    return f"{os.fspath(path)} is not as it was written, though each of its members is"
