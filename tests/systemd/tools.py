"""Programs of the system that tests here want: found, or a word how to get them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGES = {"systemd-analyze": "systemd", "systemd-sysusers": "systemd", "nginx": "nginx-light"}


def tool(name: str) -> str:
    """Its path; without it the test is skipped, or fails when CI is set."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        how = f"no {name}: apt-get install -y {PACKAGES[name]}"
        pytest.fail(how) if os.environ.get("CI") else pytest.skip(how)
    return path


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
