"""Tools of npm and Java that read the contract as strangers do: found, or the test is skipped; never skipped in CI."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NODE = ROOT / "tests" / "node"
MODULES = NODE / "node_modules"
NODE_SECONDS = 120
_QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def lacking(what: str) -> None:
    """Skips the test, or fails it where nothing may be skipped."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def require_node() -> None:
    if shutil.which("node") is None or not MODULES.exists():
        lacking("needs Node.js 20+ and tests/node/node_modules: `make test` installs the latter")


def require_java() -> None:
    if shutil.which("java") is None:
        lacking("needs Java 11+: `apt-get install default-jre-headless`")


def run(*command: str | Path, cwd: Path = NODE, seconds: float = NODE_SECONDS, **environment: str) -> str:
    """What the command prints. Raises AssertionError with all that it says when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **_QUIET, **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-8000:]}\n{done.stderr[-4000:]}"
    return done.stdout
