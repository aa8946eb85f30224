"""Documents as files, `<root>/<tenant>/<year>/<number>.pdf`: written once, read often, made again when missing.

Owns names, permissions and durability of the files. They hold personal data: only the daemon's user may read them.
"""

import asyncio
import os
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote
from weakref import WeakValueDictionary

from decabilld.domain.entities import Invoice
from decabilld.gateways.documents.document import DocumentImpossible, Kind
from decabilld.ownership import hand_over

Render = Callable[[Invoice, Kind], Awaitable[bytes]]

_NUMBER = re.compile(r"INV-(\d{4})-\d{5,}(-CN)?", re.ASCII)


class DocumentFiles:
    """What is kept, and where."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def directory_of(self, tenant: str) -> Path:
        """Where a tenant's documents lie, and nobody else's; no name leads out of the root."""
        return self._root / quote(tenant, safe="").replace(".", "%2E")

    def path_of(self, tenant: str, number: str) -> Path:
        """Where the document is or will be. Raises `ValueError` for what isn't a document's number."""
        known = _NUMBER.fullmatch(number)
        if not known:
            raise ValueError(f"{number!r} is not the number of an invoice or credit note")
        return self.directory_of(tenant) / known[1] / f"{number}.pdf"

    async def read(self, tenant: str, number: str) -> bytes | None:
        """The file, or None if there is none."""
        return await asyncio.to_thread(_read, self.path_of(tenant, number))

    async def keep(self, tenant: str, number: str, content: bytes) -> None:
        """Whole and durable, or not at all. Raises `ValueError` as `path_of`, and `OSError`."""
        await asyncio.to_thread(_keep, self.path_of(tenant, number), content)


class DocumentStorage(DocumentFiles):
    """`render` makes what isn't there."""

    def __init__(self, root: Path, render: Render) -> None:
        super().__init__(root)
        self._render = render
        self._making: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()

    async def document(self, invoice: Invoice, kind: Kind, tenant: str) -> bytes:
        """The document, kept from now on. However many ask for it at once, it is made once.

        Raises what rendering does, and `OSError` if it can't be kept.
        """
        number = invoice.number if kind == "invoice" else invoice.credit_note_number
        if number is None:
            raise DocumentImpossible(f"invoice {invoice.id} has no {kind.replace('_', ' ')} yet")
        path = self.path_of(tenant, number)
        lock = self._making.setdefault(path, asyncio.Lock())
        async with lock:
            kept = await asyncio.to_thread(_read, path)
            if kept is not None:
                return kept
            made = await self._render(invoice, kind)
            await asyncio.to_thread(_keep, path, made)
            return made


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _keep(path: Path, content: bytes) -> None:
    """All of it or nothing is there under the name, also after a power cut."""
    _make_directories(path.parent)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        hand_over(Path(draft))
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    _sync_directory(path.parent)


def _make_directories(path: Path) -> None:
    if path.is_dir():
        return
    _make_directories(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    hand_over(path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
