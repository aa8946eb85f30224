"""What a backup says of itself: its last member but one, `manifest.json`."""

from datetime import datetime

import msgspec
from msgspec import Struct

from decabilld.backup.container import Damaged
from decabilld.store.snapshot import JournalHead

MANIFEST = "manifest.json"
FORMAT = 1


class MigrationMade(Struct, frozen=True, kw_only=True):
    """A migration that the database had, and the SHA-256 of its file."""

    number: int
    name: str
    sha256: str


class TableMade(Struct, frozen=True, kw_only=True):
    """How many rows of a table are in it, and the SHA-256 of their lines, each with its line feed."""

    name: str
    rows: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """`tenant`: the only one that is in it, None for a backup of all. `tables` in the order in which they fill.

    `sealed_under` names the encryption keys (their ids, never a key) that secrets in it are sealed under.
    `documents_missing` were not on the disk; they are made again when somebody asks for them.
    """

    format: int
    tenant: str | None
    made_at: datetime
    decabilld: str
    postgresql: str
    migrations: tuple[MigrationMade, ...]
    journals: tuple[JournalHead, ...]
    tables: tuple[TableMade, ...]
    documents: int
    documents_missing: int
    sealed_under: tuple[str, ...]

    @property
    def tenants(self) -> list[str]:
        return [head.tenant for head in self.journals]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


def encoded(manifest: Manifest) -> bytes:
    """As indented JSON, for people to read, too."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decoded(content: bytes) -> Manifest:
    """Raises Damaged for what is none, or of a later format."""
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise Damaged(f"{MANIFEST} can't be read: {error}") from error
    if manifest.format != FORMAT:
        raise Damaged(f"it is of format {manifest.format}; this version reads format {FORMAT}")
    if not manifest.migrations or manifest.tenant not in (None, *manifest.tenants):
        raise Damaged(f"{MANIFEST} lacks the schema, or the tenant that it is of")
    return manifest
