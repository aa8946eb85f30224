"""Ids that are made of content: the same content, the same id. Fresh ones are made outside, by `decabilld.ids`."""

import uuid

from decabilld.domain.entities import Id

_NAMESPACE = uuid.UUID("6f1f0f5e-5a39-4c0b-9d3c-8a9b1d6f7e10")


def id_of(*content: str) -> Id:
    """The id that belongs to this content (UUIDv5)."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(content)))
