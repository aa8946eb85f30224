"""Key pairs as OpenSSH itself reads them."""

import shutil
import subprocess
from pathlib import Path

import asyncssh
import pytest

from decabilld.gateways.ssh import new_key_pair


def test_the_halves_belong_together_and_no_two_pairs_are_alike() -> None:
    pair, other = new_key_pair(), new_key_pair()
    assert pair.public != other.public
    assert asyncssh.import_private_key(pair.private).export_public_key().decode().strip() == pair.public
    assert pair.public.startswith("ssh-ed25519 ")
    assert "\n" not in pair.public


def test_openssh_reads_the_private_half(tmp_path: Path) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    pair, path = new_key_pair(), tmp_path / "key"
    path.write_text(pair.private)
    path.chmod(0o600)
    read = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, text=True, check=True, timeout=10)
    assert read.stdout.strip() == pair.public


def test_a_pair_in_a_log_shows_no_private_half() -> None:
    pair = new_key_pair()
    assert pair.private.splitlines()[4] not in f"{pair} {pair!r}"
