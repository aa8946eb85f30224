"""The README's first session, pasted."""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.documents import file_faults

README = Path(__file__).parents[1] / "README.md"
COMMAND = Path(sys.prefix, "bin", "decabilld")
STARTED = re.compile(rb"listens on http://127\.0\.0\.1:(\d+)/api")


def _pasted() -> tuple[str, str]:
    """What the session has one write into decabilld.env, and what it has one type after that."""
    section = README.read_text().split("## A first session")[1].split("\n## ")[0]
    code = "\n".join(line[4:] for line in section.splitlines() if line.startswith("    "))
    env_file, typed = code.split("make run\n")
    return env_file.split("<<'END'\n")[1].split("END\n")[0], typed


@pytest.fixture
def home() -> Iterator[Path]:
    """Where, as root, the database's unprivileged user may pass; pytest's own directories are closed to it."""
    with tempfile.TemporaryDirectory(prefix="decabilld-readme-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


async def test_the_first_session_works_when_pasted(home: Path) -> None:
    env_file, typed = _pasted()
    (home / "decabilld.env").write_text(env_file)
    environment = {**os.environ, "PORT": "0", "WEBSOCKET_PORT": "0", "DECABILLD_DATA_DIR": str(home / "var")}
    daemon = await asyncio.create_subprocess_exec(
        COMMAND, "serve", "--env-file", "decabilld.env", cwd=home, env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert daemon.stdout is not None
        async with asyncio.timeout(60):
            while not (started := STARTED.search(line := await daemon.stdout.readline())):
                assert line, "the daemon ended before it listened"
        session = typed.replace("127.0.0.1:3200", f"127.0.0.1:{started[1].decode()}")
        session = "set -euo pipefail; TOKEN=\n" + session.replace(".venv/bin/decabilld", str(COMMAND))
        shell = await asyncio.create_subprocess_exec(
            "bash", "-c", session, cwd=home, env=environment, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await shell.communicate()
    finally:
        daemon.terminate()
        await daemon.wait()
    assert shell.returncode == 0, output.decode()
    assert file_faults((home / "invoice.pdf").read_bytes()) == []
    # Three billing days; on the first of them too little may be owed, if the order came late in a month.
    assert output.count(b'"invoiceNumber": "INV-') in (2, 3)
    assert b"entries, sound" in output
