"""`python -m bench`: runs the measures in order, each on daemons of its own in temporary directories."""

import asyncio
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import click
import structlog

from bench.billing import measure_billing
from bench.daemon import daemon
from bench.dashboard import measure_dashboard
from bench.load import GENERATOR
from bench.machine import machine
from bench.mails import measure_mails
from bench.results import Result, save, table
from bench.slow_cloud import measure_slow_cloud
from bench.start import measure_start
from bench.traffic import measure_orders, measure_reads, measure_writes
from bench.twin import twin
from bench.world import create

CUSTOMERS = 10_000
TRAFFIC = {"writes": measure_writes, "orders": measure_orders, "reads": measure_reads}
ALONE = {
    "mails": measure_mails,
    "dashboard": measure_dashboard,
    "slow-cloud": measure_slow_cloud,
    "start": measure_start,
}
NAMES = (*TRAFFIC, "billing", *ALONE)


def say(text: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {text}", err=True)


async def measure(wanted: Iterable[str], root: Path) -> list[Result]:
    wanted, results = set(wanted), []
    if wanted - ALONE.keys():
        say(f"seeding {CUSTOMERS:,} customers")
        world = await create(root / "day", customers=CUSTOMERS)
    if wanted & TRAFFIC.keys():
        async with AsyncExitStack() as stack:
            running = await stack.enter_async_context(daemon(root / "day"))
            say("seeding the naive twin")
            other = await stack.enter_async_context(twin(running.dsn))
            for name, measured in TRAFFIC.items():
                if name in wanted:
                    say(f"measuring {name}")
                    results += await measured(running, world, other)
    if "billing" in wanted:
        async with daemon(root / "day") as running:
            say("measuring billing")
            results += await measure_billing(running, world)
    for name, alone in ALONE.items():
        if name in wanted:
            say(f"measuring {name}")
            results += await alone(root / name)
    return results


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", type=click.Choice(NAMES), multiple=True, help="Only this measure; may be given several times.")
@click.option("--keep", is_flag=True, help="Keep the data directories, logs and all.")
def main(only: tuple[str, ...], *, keep: bool) -> None:
    """Measure the daemon beside a naive twin; a table here, bench/results.json for machines. Takes about 6 minutes.

    \b
    Example:
      python -m bench --only writes --only billing
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    root = Path(tempfile.mkdtemp(prefix="decabilld-bench-"))
    root.chmod(0o711)
    say(f"load by {GENERATOR}; data in {root}")
    begin = time.monotonic()
    here = machine(root)
    say(f"{here.cores} cores, load {here.load_average}, an addition {here.addition_ns} ns, a sync {here.sync_ms} ms")
    try:
        results = asyncio.run(measure(only or NAMES, root))
    finally:
        if not keep:
            shutil.rmtree(root, ignore_errors=True)
    click.echo(table(results))
    if not only:
        say(f"written to {save(results, here, time.monotonic() - begin)}")
    sys.exit(any(one.ok is False for one in results))


if __name__ == "__main__":
    main()
