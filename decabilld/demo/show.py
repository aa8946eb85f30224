"""The demo from its first line to its exit code."""

import signal
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from decabilld.demo.api import Fault
from decabilld.demo.checks import check, keep_documents
from decabilld.demo.story import SETTINGS, Story
from decabilld.demo.subprocess_daemon import RunningDaemon, running_daemon
from decabilld.demo.teller import Teller

EXIT_FAULT, EXIT_INTERRUPTED = 1, 130


def show(out: Path) -> int:
    """Tell the story and leave its documents in `out`, a directory for each tenant; the exit code."""
    teller = Teller()
    signal.signal(signal.SIGTERM, _interrupt)  # so that the daemon goes with us
    began = time.monotonic()
    try:
        _make(out)
        with ExitStack() as parts:
            with teller.waiting("a daemon starts, with a database of its own"):
                daemon = parts.enter_context(running_daemon(SETTINGS))
            teller.title("A daemon of its own")
            teller.note(
                f"It listens on http://{daemon.address}/api after {time.monotonic() - began:.1f} s. What follows is"
            )
            teller.note("done and read over HTTP alone; the daemon's test clock lets the time pass.")
            _tell(daemon, out, teller)
    except Fault as fault:
        teller.bad(str(fault))
        return EXIT_FAULT
    except KeyboardInterrupt:
        teller.note("\nStopped; the daemon and its database are gone.")
        return EXIT_INTERRUPTED
    teller.note(f"\nTold and checked in {time.monotonic() - began:.0f} s.")
    return 0


def _tell(daemon: RunningDaemon, out: Path, teller: Teller) -> None:
    story = Story(daemon.address, teller)
    teller.title("What is sold")
    story.catalog()
    teller.title(f"The first half of {story.year}, and some days")
    teller.columns()
    story.half_a_year()
    teller.title("The check")
    for sound in check(daemon, story):
        teller.good(sound)
    for tenant in story.tenants:
        with teller.waiting(f"the documents of {tenant.name} are fetched"):
            kept = keep_documents(tenant, out / tenant.name)
        teller.good(f"{tenant.name}: {len(kept)} documents, each the same bytes twice, now in {out / tenant.name}")


def _make(out: Path) -> None:
    """Now, rather than finding out at the end that nothing can be kept there."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Fault(f"nothing can be kept in {out}: {error.strerror}") from error


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
