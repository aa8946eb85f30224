"""Every line is an event that the page tells of, and JSON where that is wanted."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from decabilld.logs import LIBRARY_EVENT
from tests.harness.daemons import DaemonProcess, daemon_process
from tests.telemetry.events import LEVELS, logged_events

PAGE = Path(__file__).parents[2] / "docs" / "logs.md"
ROW = re.compile(
    r"^\| `(?P<event>[^`]+)` \| (?P<levels>[^|]+) \| (?P<fields>[^|]*) \| (?P<meaning>.+) \|$", re.MULTILINE
)
COMMAND = Path(sys.executable).with_name("decabilld")
FAULTS = """
import asyncio, logging, threading, warnings
from decabilld import logs
logs.configure("info", "json")
logs.announce("here I am")
warnings.warn("old")
logging.getLogger("aiohttp.server").error("a stranger's %s", "nonsense")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
class Last:
    def __del__(self):
        raise ValueError("last words")
Last()
async def forgotten():
    raise KeyError("k")
async def main():
    asyncio.get_running_loop().create_task(forgotten())
    await asyncio.sleep(0.01)
asyncio.run(main())
secret = "swordfish"
1 / 0
"""


def test_the_page_tells_of_every_event_and_of_no_other() -> None:
    rows = {row["event"]: row for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))}
    events = logged_events()
    assert sorted(rows) == sorted({*events, LIBRARY_EVENT})
    assert list(rows) == sorted(rows)
    for name, event in events.items():
        assert (rows[name]["levels"], rows[name]["fields"].strip()) == event.row, name
        assert rows[name]["meaning"].strip()


def test_events_and_fields_are_named_alike() -> None:
    for name, event in logged_events().items():
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name), name
        for field in event.fields:
            assert not re.search(r"tenant_id|milliseconds|_ms$", field) or field == "duration_ms", (name, field)


def test_what_others_would_write_is_json_too() -> None:
    ended = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, timeout=60, check=False)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.stderr == ""
    assert [line["event"] for line in lines] == [
        "serving", LIBRARY_EVENT, LIBRARY_EVENT, "thread_failed", "failure_unheard", LIBRARY_EVENT, "crashed",
    ]  # fmt: skip
    assert [line["logger"] for line in lines if line["event"] == LIBRARY_EVENT] == [
        "py.warnings", "aiohttp.server", "asyncio",
    ]  # fmt: skip
    assert lines[-1]["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert "swordfish" not in json.dumps([line for line in lines if "exception" in line])


async def test_a_daemon_writes_json_and_nothing_else() -> None:
    async with daemon_process() as process:
        async with process.http.get(f"{process.url}/nowhere", headers={"X-Correlation-Id": "here"}) as response:
            assert response.status == 404
        await a_stranger(process)
        await process.admin()
        await process.stop()
        written = process.log.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in written.splitlines()]
    known = {*logged_events(), LIBRARY_EVENT}
    for line in lines:
        assert line["event"] in known
        assert line["level"] in LEVELS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["timestamp"])
    (seen,) = [line for line in lines if line["event"] == "request" and line["path"] == "/api/nowhere"]
    assert (seen["correlation_id"], seen["status"], seen["tenant"]) == ("here", 404, "default")
    assert 0 < seen["duration_ms"] < 10_000
    assert {"serving", "tenant_loaded", "stopped"} <= {line["event"] for line in lines}


async def a_stranger(process: DaemonProcess) -> None:
    """Who doesn't speak HTTP."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(process.url.split(":")[2].split("/")[0]))
    writer.write(b"BREW /api/pot HTTP/1.1\r\n\r\n")
    await reader.read()
    writer.close()


def test_settings_that_cannot_be_used_are_told_as_json() -> None:
    ended = run("serve", PORT="x", LOG_FORMAT="json")
    assert ended.returncode == 2
    assert json.loads(ended.stdout)["event"] == "start_failed"
    assert ended.stderr == ""


def test_logs_shows_what_is_asked_for() -> None:
    lines: list[Any] = [
        {"event": "request", "level": "info", "timestamp": "2026-01-31T00:00:00Z", "tenant": "acme", "status": 201},
        {"event": "request", "level": "info", "timestamp": "2026-01-31T00:00:01Z", "tenant": "default"},
        {"event": "command_failed", "level": "error", "timestamp": "2026-01-31T00:00:02Z", "correlation_id": "c-1",
         "exception": [{"exc_type": "KeyError", "exc_value": "k",
                        "frames": [{"filename": "a.py", "lineno": 7, "name": "f"}]}]},
    ]  # fmt: skip
    text = "\n".join(["Started decabilld.", *map(json.dumps, lines)])
    shown = run("logs", text=text).stdout.splitlines()
    assert shown[0] == "Started decabilld."
    assert "status=201" in shown[1]
    assert shown[-2:] == ["    a.py:7 in f", "  KeyError: k"]
    for chosen, count in (
        (("--tenant", "acme"), 1),
        (("--event", "request"), 2),
        (("--event", "request", "--event", "command_failed"), 3),
        (("--level", "warning"), 1),
        (("--correlation-id", "c-1"), 1),
        (("--tenant", "acme", "--level", "error"), 0),
    ):
        assert len(run("logs", *chosen, "--json", text=text).stdout.splitlines()) == count, chosen


def test_logs_reads_what_journalctl_writes_however_it_was_asked() -> None:
    line = json.dumps({"event": "unready", "level": "warning", "timestamp": "2026-01-31T00:00:00Z", "tenant": "acme"})
    too_long = json.dumps({"PRIORITY": "6", "MESSAGE": None})
    written = [
        line,  # cat
        f"Nov 22 22:36:39 vm decabilld[32539]: {line}",  # short
        f"2026-11-22T22:36:39+0000 vm decabilld[32539]: {line}",  # short-iso
        json.dumps({"__REALTIME_TIMESTAMP": "1795386999810416", "PRIORITY": "6", "MESSAGE": line}),  # json
        too_long,
    ]
    shown = run("logs", text="\n".join(written)).stdout.splitlines()
    assert [text.split() for text in shown[:-1]] == [
        ["2026-01-31T00:00:00Z", "[warning", "]", "unready", "tenant=acme"]
    ] * 4
    assert shown[-1] == too_long


def test_logs_reads_the_journal_where_nothing_is_piped_in(tmp_path: Path) -> None:
    journalctl = tmp_path / "journalctl"
    journalctl.write_text(f"""#!/bin/sh
echo "$*" > {tmp_path}/asked
echo '{{"event": "unready", "level": "warning", "timestamp": "2026-01-31T00:00:00Z"}}'
echo '{{"event": "request", "level": "info", "timestamp": "2026-01-31T00:00:01Z"}}'
""")
    journalctl.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    shown = run("logs", "--follow", "--level", "warning", PATH=path)
    assert (shown.returncode, "unready" in shown.stdout, "request" in shown.stdout) == (0, True, False)
    assert (tmp_path / "asked").read_text().split() == [
        "--unit", "decabilld", "--output", "cat", "--lines", "1000", "--follow",
    ]  # fmt: skip
    without = run("logs", PATH="/nonexistent")
    assert (without.returncode, "pipe the log in" in without.stderr) == (1, True)


def run(*arguments: str, text: str | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`decabilld`, with `text` on its standard input; None: nothing there."""
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
    return subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
        **given,
    )
