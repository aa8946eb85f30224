"""The daemon's own keys: given by the operator, or made once and kept in the data directory with mode 0600."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from decabilld.ownership import hand_over
from decabilld.sealing import Keyring
from decabilld.settings import Settings, SettingsError

KEY_BYTES = 32
KEPT_KEY = "encryption_key"
KEPT_PREVIOUS_KEY = "encryption_key.previous"


def jwt_secret(settings: Settings) -> str:
    """The secret that signs tokens. In production the settings have refused to go without."""
    return settings.jwt_secret or _kept(settings.data_path / "jwt_secret", lambda: secrets.token_urlsafe(48))


def encryption_key(settings: Settings) -> bytes:
    """32 bytes. Raises SettingsError for a given key of another length."""
    given = settings.encryption_key
    if given is None:
        given = _kept(settings.data_path / KEPT_KEY, lambda: secrets.token_hex(KEY_BYTES))
    return _key("ENCRYPTION_KEY", given)


def keyring(settings: Settings) -> Keyring:
    """What seals and unseals: the key in force and, until a rotation is done, the one before. Raises SettingsError."""
    previous = settings.encryption_key_previous
    if settings.encryption_key is None:
        previous = _read(settings.data_path / KEPT_PREVIOUS_KEY)
    earlier = [] if previous is None else [_key("ENCRYPTION_KEY_PREVIOUS", previous)]
    return Keyring(encryption_key(settings), earlier)


def key_ids(settings: Settings) -> frozenset[str]:
    """Ids of the keys that would open something now. Unlike `keyring` it makes none. Raises SettingsError."""
    kept = [settings.encryption_key or _read(settings.data_path / KEPT_KEY)]
    kept += [settings.encryption_key_previous or _read(settings.data_path / KEPT_PREVIOUS_KEY)]
    return frozenset(Keyring(_key("ENCRYPTION_KEY", key)).key_id for key in kept if key)


def begin_rotation(settings: Settings) -> None:
    """Put a fresh key in the place of the kept one, which is kept beside it. Does nothing after an unfinished one."""
    current, previous = settings.data_path / KEPT_KEY, settings.data_path / KEPT_PREVIOUS_KEY
    old = encryption_key(settings).hex()
    if _read(previous) is not None and _read(previous) != old:
        return
    _write(previous, old)
    _write(current, secrets.token_hex(KEY_BYTES))


def end_rotation(settings: Settings) -> None:
    """Forget the kept key that nothing is sealed under any more."""
    (settings.data_path / KEPT_PREVIOUS_KEY).unlink(missing_ok=True)


def _key(variable: str, given: str) -> bytes:
    for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        try:
            key = decode(given)
        except (ValueError, binascii.Error):
            continue
        if len(key) == KEY_BYTES:
            return key
    raise SettingsError(f"{variable} must be 32 bytes, as 64 hex digits or base64")


def code_key(settings: Settings) -> bytes:
    """Keys the digests of one-time codes; derived, so that the encryption key serves one purpose only."""
    return hmac.new(encryption_key(settings), b"decabilld one-time codes", hashlib.sha256).digest()


def _kept(path: Path, make: Callable[[], str]) -> str:
    known = _read(path)
    if known is None:
        _write(path, make())
        known = path.read_text(encoding="ascii").strip()
    return known


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    """Whole or not at all, readable for us only, and still there after a power cut."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    hand_over(fresh)
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
