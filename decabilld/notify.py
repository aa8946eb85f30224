"""What the service manager is told: ready, what we are at, still alive, more time please, stopping.

Owns the protocol of sd_notify(3). What there is to tell, and when, is `daemon.py`'s. Where nobody listens
(`NOTIFY_SOCKET` is unset) it is told to nobody.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

from decabilld.tasks import spawn

SEND_SECONDS = 1.0
EVERY_SECONDS = 10.0
"""Between two messages, if no watchdog wants them more often."""
MORE_TIME_SECONDS = 60
"""Asked for with each message of a long start: one that hangs is ended so long after the last."""
START_SECONDS_MAX = 3_600.0
"""After it no more time is asked for, whatever the start is at."""
_log = structlog.get_logger("notify")


class Notifier:
    """Speaks to the socket that `NOTIFY_SOCKET` names: a path, or with `@` first an abstract one."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        watched = environment.get("WATCHDOG_PID") in (None, str(os.getpid()))
        watchdog_seconds = int(environment.get("WATCHDOG_USEC", "0")) / 1_000_000 if watched else 0.0
        self.every_seconds = min(EVERY_SECONDS, watchdog_seconds / 3) or EVERY_SECONDS
        """How often it wants to hear of us: three times as often as a watchdog would bite."""

    def tell(self, **states: object) -> None:
        """Send them, `READY="1"` say, in one message. A listener that is gone or stuck is logged, no more."""
        if not self._address:
            return
        message = "\n".join(f"{name}={' '.join(str(value).split())}" for name, value in states.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(SEND_SECONDS)
                sender.sendto(message.encode(), self._address)
        except OSError as error:
            _log.warning("notify_failed", reason=str(error))

    @asynccontextmanager
    async def starting(self, at: Callable[[], str]) -> AsyncIterator[None]:
        """Ask for more time within the block, for as long as the event loop turns. `at` says what takes it."""

        async def ask() -> None:
            until = time.monotonic() + START_SECONDS_MAX
            while time.monotonic() < until:
                self.tell(EXTEND_TIMEOUT_USEC=MORE_TIME_SECONDS * 1_000_000, STATUS=at())
                await asyncio.sleep(self.every_seconds)

        asking = spawn(ask(), name="ask for time to start")
        try:
            yield
        finally:
            asking.cancel()

    def reloading(self) -> None:
        """A reload begins; `tell(READY="1")` when it is done."""
        self.tell(RELOADING="1", MONOTONIC_USEC=time.monotonic_ns() // 1_000)
