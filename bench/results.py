"""What was measured, as a table on the terminal and as JSON."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.load import GENERATOR
from bench.machine import Machine

PATH = Path(__file__).with_name("results.json")


class Result(Struct, frozen=True, kw_only=True):
    """One line of the table. `naive` is the twin's figure in the same unit; `ok` is None where nothing is required."""

    name: str
    value: float
    unit: str
    p50_ms: float | None = None
    p99_ms: float | None = None
    naive: float | None = None
    ratio: float | None = None
    target: str = ""
    ok: bool | None = None
    note: str = ""


def per_second(name: str, value: float, **more: object) -> Result:
    """A figure of which more is better, with its ratio to the twin's."""
    naive = more.get("naive")
    ratio = round(value / naive, 2) if isinstance(naive, float) and naive else None
    return msgspec.convert({"name": name, "value": value, "unit": "/s", "ratio": ratio, **more}, Result)


def table(results: list[Result]) -> str:
    """Columns as wide as they must be."""
    rows = [("measure", "figure", "p50 ms", "p99 ms", "naive", "ratio", "target", "", "")]
    for one in results:
        verdict = {None: "", True: "ok", False: "MISSED"}[one.ok]
        rows.append(
            (
                one.name,
                f"{_number(one.value)} {one.unit}",
                _number(one.p50_ms),
                _number(one.p99_ms),
                _number(one.naive),
                "" if one.ratio is None else f"{one.ratio:.1f}x",
                one.target,
                verdict,
                one.note,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def save(results: list[Result], measured_on: Machine, seconds: float) -> Path:
    """Writes results.json and says where."""
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": msgspec.to_builtins(measured_on),
        "load_generator": GENERATOR,
        "seconds": round(seconds, 1),
        "results": [msgspec.to_builtins(one) for one in results],
    }
    PATH.write_text(json.dumps(content, indent=2) + "\n")
    return PATH


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _commit() -> str:
    try:
        found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, timeout=5, check=False)
    except OSError:
        return ""
    return found.stdout.decode().strip()
