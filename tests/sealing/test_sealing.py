"""What is sealed opens only with its key, unchanged, and in its place."""

import base64

import pytest

from decabilld.sealing import Keyring, NotOpened

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_secret_comes_back_and_is_not_to_be_seen() -> None:
    ring = Keyring(NEW)
    sealed = ring.seal("ABC123 ß", "acme", "mail.code")
    assert ring.open(sealed, "acme", "mail.code") == "ABC123 ß"
    assert sealed.startswith(f"v1:{ring.key_id}:")
    assert b"ABC123" not in base64.b64decode(sealed.split(":")[2])


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    ring = Keyring(NEW)
    assert len({ring.seal("ABC123", "acme", "f") for _ in range(50)}) == 50


@pytest.mark.parametrize(("tenant", "field"), [("other", "f"), ("acme", "g"), ("acme\x1ff", "")])
def test_a_secret_in_another_place_stays_shut(tenant: str, field: str) -> None:
    ring = Keyring(NEW)
    with pytest.raises(NotOpened, match="another tenant or field"):
        ring.open(ring.seal("ABC123", "acme", "f"), tenant, field)


def test_any_changed_byte_is_noticed() -> None:
    ring = Keyring(NEW)
    head, key_id, text = ring.seal("ABC123", "acme", "f").split(":")
    content = base64.b64decode(text)
    for place in range(len(content)):
        changed = bytes(byte ^ (place == at) for at, byte in enumerate(content))
        with pytest.raises(NotOpened, match="changed"):
            ring.open(f"{head}:{key_id}:{base64.b64encode(changed).decode()}", "acme", "f")


@pytest.mark.parametrize(
    "text", ["", "ABC123", "v1:", "v1:0011:", "v2:0011:" + "A" * 64, "v1:0011:***", "v1:0011:AAAA"]
)
def test_what_is_not_sealed_is_called_so(text: str) -> None:
    with pytest.raises(NotOpened, match="not a sealed text"):
        Keyring(NEW).open(text, "acme", "f")


def test_a_key_that_we_lack_is_named() -> None:
    sealed = Keyring(OLD).seal("ABC123", "acme", "f")
    with pytest.raises(NotOpened, match=f"under key {Keyring(OLD).key_id}"):
        Keyring(NEW).open(sealed, "acme", "f")


def test_after_a_change_of_keys_old_secrets_open_and_are_sealed_anew() -> None:
    sealed, ring = Keyring(OLD).seal("ABC123", "acme", "f"), Keyring(NEW, [OLD])
    assert ring.open(sealed, "acme", "f") == "ABC123"
    assert not ring.is_current(sealed)
    again = ring.resealed(sealed, "acme", "f")
    assert ring.is_current(again)
    assert Keyring(NEW).open(again, "acme", "f") == "ABC123"
