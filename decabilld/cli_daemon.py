"""Asking the daemon that runs, for commands that only it can carry out. Owns what is said where none runs."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from decabilld import logs
from decabilld.cli_options import EXIT_FAULT
from decabilld.settings import Settings

_Answer = TypeVar("_Answer")


def ask_daemon(settings: Settings, why: str, ask: Callable[[Path], Awaitable[_Answer]]) -> _Answer:
    """What `ask` is answered by the control socket at that path, or an exit with what went wrong.

    `why` completes "only a running one …", for whom there is no daemon.
    """
    from decabilld.actors.ports import Unavailable
    from decabilld.control.socket_file import ControlSocketTaken, control_path, is_answered
    from decabilld.domain.refusals import Refusal

    path = control_path(settings.data_path)

    async def run() -> _Answer:
        return await ask(path)

    logs.configure("error", "text")  # to standard output, where the answer goes
    try:
        if not is_answered(path):
            click.echo(
                f"decabilld: no daemon runs in {settings.data_path}, and only a running one {why}; "
                "start it with `decabilld serve`",
                err=True,
            )
            sys.exit(EXIT_FAULT)
        return asyncio.run(run())
    except (Refusal, Unavailable, ControlSocketTaken, OSError) as error:
        click.echo(f"decabilld: {str(error) or type(error).__name__}", err=True)
        sys.exit(EXIT_FAULT)
