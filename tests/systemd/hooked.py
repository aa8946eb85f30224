"""`decabilld serve` with two faults at hand: SIGUSR1 holds the event loop for a while, SIGUSR2 stops the timetable."""

import os
import signal
import time
from typing import Any

from decabilld.cli import main
from decabilld.jobs.timetable import BillingTimetable

HELD_SECONDS = float(os.environ.get("HELD_SECONDS", "3"))
_start = BillingTimetable.start


def _hooked(timetable: BillingTimetable) -> None:
    signal.signal(signal.SIGUSR2, lambda *_: timetable._scheduler.pause())
    _start(timetable)


def _hold(*_: Any) -> None:
    time.sleep(HELD_SECONDS)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _hold)
    BillingTimetable.start = _hooked  # type: ignore[method-assign]
    main()
