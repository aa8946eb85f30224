"""`decabilld logs`: reads the daemon's JSON lines, from standard input or journald, and shows them to people.

Owns choosing and showing. What the lines mean is told in docs/logs.md.
"""

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Generator
from typing import Any

import click
import structlog

from decabilld.cli_options import EXIT_FAULT

LEVELS = ("debug", "info", "warning", "error", "critical")
LINES = 1_000
"""Of the journal, the last ones, unless they are followed."""


@click.command("logs")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes (from journald).")
@click.option("--tenant", help="Only lines of this tenant.")
@click.option("--event", "events", multiple=True, help="Only this event; may be given several times.")
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="Only lines of this level and above.")
@click.option("--correlation-id", help="Only what this request or job has caused.")
@click.option("--unit", default="decabilld", show_default=True, help="The unit whose journal is read.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they are.")
def logs(
    *,
    follow: bool,
    tenant: str | None,
    events: tuple[str, ...],
    level: str,
    correlation_id: str | None,
    unit: str,
    as_json: bool,
) -> None:
    """Show the daemon's log: from standard input if something is piped in, else from journald.

    \b
    Example:
      decabilld logs --follow --tenant default --level warning
      decabilld serve | decabilld logs --event request
    """
    wanted = {"tenant": tenant, "correlation_id": correlation_id}
    wanted = {key: value for key, value in wanted.items() if value is not None}
    chooses = bool(wanted or events or level != LEVELS[0])
    show = structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(), pad_event_to=24, exception_formatter=structlog.dev.plain_traceback
    )
    with (
        contextlib.suppress(KeyboardInterrupt, BrokenPipeError),
        contextlib.closing(_lines(unit, follow=follow)) as lines,
    ):
        for text in lines:
            line = _parsed(text)
            if line is None:
                if not chooses:
                    click.echo(text)  # somebody else's, such as systemd's own
                continue
            fits = LEVELS.index(line["level"]) >= LEVELS.index(level) and (not events or line["event"] in events)
            if fits and all(line.get(key) == value for key, value in wanted.items()):
                click.echo(text if as_json else _shown(show, line))


def _parsed(text: str) -> dict[str, Any] | None:
    """A line of ours, also as journalctl writes it: behind a date and a name, or as the MESSAGE of its own JSON.

    None for any other.
    """
    try:
        line = json.loads(text[max(text.find("{"), 0) :])
    except ValueError:
        return None
    if not isinstance(line, dict):
        return None
    if isinstance(line.get("MESSAGE"), str):
        return _parsed(line["MESSAGE"])
    return line if line.get("level") in LEVELS and "event" in line else None


def _shown(show: structlog.dev.ConsoleRenderer, line: dict[str, Any]) -> str:
    trace = line.pop("exception", None)
    shown = str(show(None, line["level"], line))
    for error in trace if isinstance(trace, list) else ():
        for frame in error.get("frames") or ():
            shown += f"\n    {frame.get('filename')}:{frame.get('lineno')} in {frame.get('name')}"
        shown += f"\n  {error.get('exc_type')}: {error.get('exc_value')}"
    return shown


def _is_piped() -> bool:
    """Whether there is something on standard input: neither a terminal nor nothing at all."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _lines(unit: str, *, follow: bool) -> Generator[str, None, None]:
    if _is_piped():
        yield from (text.rstrip("\n") for text in iter(sys.stdin.readline, ""))
        return
    journalctl = shutil.which("journalctl")
    if journalctl is None:
        click.echo("decabilld: there is no journalctl here; pipe the log in: decabilld logs < decabilld.log", err=True)
        sys.exit(EXIT_FAULT)
    command = [journalctl, "--unit", unit, "--output", "cat", "--lines", str(LINES), *(["--follow"] if follow else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as journal:  # noqa: S603 (no shell)
        assert journal.stdout is not None
        try:
            yield from (text.rstrip("\n") for text in journal.stdout)
        finally:
            journal.terminate()
    if journal.returncode > 0:
        sys.exit(EXIT_FAULT)
