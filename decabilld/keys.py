"""The daemon's own keys: given by the operator, or made once and kept in the data directory with mode 0600."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from decabilld.settings import Settings, SettingsError

KEY_BYTES = 32


def jwt_secret(settings: Settings) -> str:
    """The secret that signs tokens. In production the settings have refused to go without."""
    return settings.jwt_secret or _kept(settings.data_path / "jwt_secret", lambda: secrets.token_urlsafe(48))


def encryption_key(settings: Settings) -> bytes:
    """32 bytes. Raises SettingsError for a given key of another length."""
    given = settings.encryption_key
    if given is None:
        given = _kept(settings.data_path / "encryption_key", lambda: secrets.token_hex(KEY_BYTES))
    for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        try:
            key = decode(given)
        except (ValueError, binascii.Error):
            continue
        if len(key) == KEY_BYTES:
            return key
    raise SettingsError("ENCRYPTION_KEY must be 32 bytes, as 64 hex digits or base64")


def code_key(settings: Settings) -> bytes:
    """Keys the digests of one-time codes; derived, so that the encryption key serves one purpose only."""
    return hmac.new(encryption_key(settings), b"decabilld one-time codes", hashlib.sha256).digest()


def _kept(path: Path, make: Callable[[], str]) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    fresh = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(make())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return path.read_text(encoding="ascii").strip()
