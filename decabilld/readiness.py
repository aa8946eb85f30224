"""Why the daemon should get no requests now: what is seen in memory at once, what must be looked for every few seconds.

Owns the reasons and their limits. Who asks (`/api/ready`, metrics, systemd's status) only shows them.
"""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from decabilld.actors.registry import Tenants
from decabilld.clock import Clock
from decabilld.store.backlog import Waiting
from decabilld.store.errors import DatabaseError

LOOK_SECONDS = 5.0
LOOK_SECONDS_MAX = 30.0
"""A look that is older says nothing any more."""
DISK_SECONDS = 5.0
LATE = timedelta(minutes=15)
"""Due work and due effects may wait so long."""
FREE_SHARE_MIN = 0.05
JUMP_SECONDS = 60.0
JUMP_TOLD_SECONDS = 45.0
"""How long a jump of the clock is told: it is over at once, and probes come every half minute."""
_log = structlog.get_logger("readiness")


def free_share(path: Path) -> float:
    """The part of a file system that is free for us, 0 to 1."""
    usage = shutil.disk_usage(path)
    return usage.free / usage.total if usage.total else 1.0


class Readiness:
    """`look` says what waits in the outbox; `paths` are directories that are written to."""

    def __init__(
        self,
        tenants: Tenants,
        look: Callable[[], Awaitable[list[Waiting]]],
        paths: Sequence[Path],
        *,
        clock: Clock,
        free_share: Callable[[Path], float] = free_share,
    ) -> None:
        self._tenants, self._look, self._paths = tenants, look, paths
        self._clock, self._free_share = clock, free_share
        self.waiting: list[Waiting] = []
        """As last seen."""
        self._seen: list[str] = []
        self._looked_at: float | None = None
        self._clocks: tuple[datetime, float] | None = None
        self._jump: tuple[str, float] | None = None
        self._told: list[str] = []
        self._disk_looks: dict[Path, asyncio.Future[float]] = {}
        """Those under way; of a disk that hangs, the one that hangs."""

    def reasons(self) -> list[str]:
        """Empty when requests may come."""
        reasons = [f"tenant {tenant_id}: {reason}" for tenant_id, reason in self._tenants.not_ready().items()]
        late = self._tenants.late(LATE)
        reasons += [f"tenant {tenant_id}: due work is {_rounded(lag)} late" for tenant_id, lag in late.items()]
        reasons += self._seen
        now = time.monotonic()
        if self._looked_at is not None and now - self._looked_at > LOOK_SECONDS_MAX:
            reasons.append(f"nothing could be looked at for {now - self._looked_at:.0f} s")
        if self._jump is not None and now - self._jump[1] < JUMP_TOLD_SECONDS:
            reasons.append(self._jump[0])
        return reasons

    async def run(self) -> None:
        """Look, again and again."""
        while True:
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - a bug in one look; if it stays, the last good look becomes too old
                _log.exception("look_failed")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """One look at everything that isn't in memory; what changed is logged."""
        self._look_at_clock()
        seen = [*await self._look_at_outbox(), *await self._look_at_disks()]
        self._seen, self._looked_at = seen, time.monotonic()
        reasons = self.reasons()
        # Without figures, which change from look to look.
        if (kinds := [reason.rsplit(" is ", 1)[0] for reason in reasons]) != self._told:
            if reasons:
                _log.warning("unready", reasons=reasons)
            else:
                _log.info("ready_again")
            self._told = kinds

    def _look_at_clock(self) -> None:
        """A clock that was set, or a machine that slept: wall time went another way than time itself."""
        wall, now = self._clock(), time.monotonic()
        if self._clocks is not None:
            jumped = (wall - self._clocks[0]).total_seconds() - (now - self._clocks[1])
            if abs(jumped) > JUMP_SECONDS:
                self._jump = f"the clock jumped by {jumped:+.0f} s", now
        self._clocks = wall, now

    async def _look_at_outbox(self) -> list[str]:
        try:
            self.waiting = await self._look()
        except DatabaseError as error:
            return [f"database: {error}"]
        # A try that failed is due later: an outsider that is away is no fault of ours and makes nobody else unready.
        now, oldest = self._clock(), dict[str, datetime]()
        for kind in self.waiting:
            if kind.first_due_at is not None:
                oldest[kind.tenant_id] = min(kind.first_due_at, oldest.get(kind.tenant_id, kind.first_due_at))
        return [
            f"tenant {tenant_id}: the oldest due effect is {_rounded(now - due_at)} late"
            for tenant_id, due_at in oldest.items()
            if now - due_at > LATE
        ]

    async def _look_at_disks(self) -> list[str]:
        found, loop = [], asyncio.get_running_loop()
        for path in self._paths:
            look = self._disk_looks.pop(path, None) or loop.run_in_executor(None, self._free_share, path)
            try:
                async with asyncio.timeout(DISK_SECONDS):
                    share = await asyncio.shield(look)
            except FileNotFoundError:
                continue  # documents' directory comes with the first document
            except OSError as error:  # a time-out is one, too
                if not look.done():
                    self._disk_looks[path] = look
                found.append(f"disk of {path.name}: {str(error) or 'no answer'}")
                continue
            if share < FREE_SHARE_MIN:
                found.append(f"disk of {path.name}: what is free is {share:.1%}")
        return found


def _rounded(lag: timedelta) -> timedelta:
    return timedelta(seconds=round(lag.total_seconds()))
