"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) under the daemon's encryption keys.

Owns the form of a sealed text, `v1:<key id>:<base64 of nonce, ciphertext and tag>`, and which key opens it. What is
sealed, and where it is kept, is for others to say; `store/sealed.py` knows the places.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = "v1"
NONCE_BYTES = 12
TAG_BYTES = 16


class NotOpened(Exception):
    """A sealed text can't be opened: its key is not among ours, or it was changed, or it belongs elsewhere."""


class Keyring:
    """The key that seals, and earlier ones that only open. Each is 32 bytes, and serves here through a derived one."""

    def __init__(self, current: bytes, previous: Sequence[bytes] = ()) -> None:
        self._ciphers = {_key_id(key): AESGCM(_derived(key, b"sealing")) for key in (current, *previous)}
        self.key_id = _key_id(current)

    def seal(self, secret: str, tenant_id: str, field: str) -> str:
        """`secret`, to be opened only as the same field of the same tenant. Never the same text twice."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._ciphers[self.key_id].encrypt(nonce, secret.encode(), _place(tenant_id, field))
        return f"{VERSION}:{self.key_id}:{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, tenant_id: str, field: str) -> str:
        """What was sealed. Raises NotOpened."""
        key_id, content = _parts(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise NotOpened(f"it is sealed under key {key_id}, which is not among ENCRYPTION_KEY and its predecessors")
        try:
            place = _place(tenant_id, field)
            return cipher.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], place).decode()
        except InvalidTag:
            raise NotOpened("it was changed, or belongs to another tenant or field") from None

    def is_current(self, sealed: str) -> bool:
        """Whether it is sealed under the current key. Raises NotOpened for what isn't sealed at all."""
        return _parts(sealed)[0] == self.key_id

    def resealed(self, sealed: str, tenant_id: str, field: str) -> str:
        """The same secret under the current key. Raises NotOpened."""
        return self.seal(self.open(sealed, tenant_id, field), tenant_id, field)


def _parts(sealed: str) -> tuple[str, bytes]:
    version, _, rest = sealed.partition(":")
    key_id, _, text = rest.partition(":")
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error:
        content = b""
    if version != VERSION or len(content) < NONCE_BYTES + TAG_BYTES:
        raise NotOpened("it is not a sealed text")
    return key_id, content


def _place(tenant_id: str, field: str) -> bytes:
    """Authenticated with the secret, so that a text moved to another row of the database doesn't open there."""
    return f"{VERSION}\x1f{tenant_id}\x1f{field}".encode()


def _key_id(key: bytes) -> str:
    """Eight hex digits that name a key and tell nothing about it."""
    return hashlib.sha256(_derived(key, b"key id")).hexdigest()[:8]


def _derived(key: bytes, purpose: bytes) -> bytes:
    """A key for one purpose only; the same root also keys the digests of one-time codes (`keys.code_key`)."""
    return hmac.new(key, b"decabilld " + purpose, hashlib.sha256).digest()
