"""Start-up: from the start of the process until it says that it listens, with a tenant of many subscriptions."""

from pathlib import Path

from bench.daemon import daemon
from bench.results import Result
from bench.world import create

SUBSCRIPTIONS = 100_000
STARTS = 2
START_SECONDS = 8.0


async def measure_start(data_dir: Path) -> list[Result]:
    """The slower of some starts."""
    await create(data_dir, customers=SUBSCRIPTIONS)
    seconds = cpu_seconds = resident_mb = 0.0
    for _ in range(STARTS):
        async with daemon(data_dir) as running:
            seconds, resident_mb = max(seconds, running.seconds_to_start), max(resident_mb, running.resident_mb)
            cpu_seconds = max(cpu_seconds, running.cpu_seconds)
    return [
        Result(
            name=f"start with {SUBSCRIPTIONS:,} subscriptions",
            value=seconds,
            unit="s",
            target=f"< {START_SECONDS:g} s",
            ok=seconds < START_SECONDS,
            note=f"a customer each, PostgreSQL's start included; {cpu_seconds:.1f} s of it the daemon's CPU",
        ),
        Result(name="resident memory after it", value=resident_mb, unit="MB", note="the daemon's process alone"),
    ]
