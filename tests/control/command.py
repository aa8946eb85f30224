"""Runs `decabilld` as an operator would."""

import asyncio
import os
import sys
from pathlib import Path

from msgspec import Struct

COMMAND_SECONDS = 60.0


class Done(Struct, frozen=True):
    """What a command left: its exit code and what it said."""

    code: int
    out: str
    err: str


async def decabilld(*arguments: str, data_dir: Path, stdin: str = "", **environment: str) -> Done:
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("decabilld"),
        *arguments,
        env={**os.environ, "DECABILLD_DATA_DIR": str(data_dir), **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin.encode()), COMMAND_SECONDS)
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())
