"""The daemon's own keys: given by the operator, or made once and kept in the data directory with mode 0600."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from decabilld.ownership import hand_over
from decabilld.sealing import Keyring
from decabilld.settings import Settings, SettingsError
from decabilld.settings.parsing import KEY_BYTES, key_bytes

JWT_SECRET_CHARACTERS_MIN = 32
KEPT_KEY = "encryption_key"
KEPT_PREVIOUS_KEY = "encryption_key.previous"


def jwt_secret(settings: Settings) -> str:
    """The secret that signs tokens. In production the settings have refused to go without. Raises SettingsError."""
    if settings.jwt_secret is not None:
        return settings.jwt_secret
    path = settings.data_path / "jwt_secret"
    kept = _kept(path, lambda: secrets.token_urlsafe(48))
    if len(kept) < JWT_SECRET_CHARACTERS_MIN:
        raise SettingsError(
            f"{path} must hold {JWT_SECRET_CHARACTERS_MIN} characters or more; remove it, and one is made"
        )
    return kept


def encryption_key(settings: Settings) -> bytes:
    """32 bytes. Raises SettingsError for a key of another length."""
    if settings.encryption_key is not None:
        return _key("ENCRYPTION_KEY", settings.encryption_key)
    path = settings.data_path / KEPT_KEY
    return _key(str(path), _kept(path, lambda: secrets.token_hex(KEY_BYTES)))


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


def _key(named: str, given: str) -> bytes:
    try:
        return key_bytes(given)
    except ValueError as error:
        raise SettingsError(f"{named} must be {error}") from None


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
