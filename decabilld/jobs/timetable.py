"""The timetable: when each tenant is asked to do what is due.

Owns hours and intervals only. What is due, and what becomes of it, the tenant's actor decides by its own clock: a look
too many finds nothing, a look missed is made up by the next one. apscheduler says when; the asking is done in tasks of
our own, since its executor cancels running jobs at shutdown and runs plain functions in threads.
"""

import asyncio
import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from msgspec import Struct

from decabilld.actors.draft import Bug
from decabilld.actors.ports import Busy, Unavailable
from decabilld.actors.registry import Tenants
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Refusal
from decabilld.ids import new_id
from decabilld.messages.commands import DoDueWork, ReconcilePayments, Work
from decabilld.messages.decision import Command
from decabilld.tasks import cancelled, spawn

ASK_SECONDS = 3600.0
RETRY_SECONDS = 5.0
STUCK_SECONDS = 120.0
"""Without a turn of a tenant that is up and has been asked; a turn takes milliseconds, a commit ends after 10 s."""
_log = structlog.get_logger("jobs")


class Intervals(Struct, frozen=True, kw_only=True):
    """Milliseconds between looks for what falls due by and by, and for payments that hang."""

    charges_ms: int
    endings_ms: int
    billing_ms: int
    overdue_ms: int
    reminders_ms: int
    backorders_ms: int
    payments_ms: int


class BillingTimetable:
    """Asks every tenant on its own: one that is slow or away delays no other."""

    def __init__(self, tenants: Tenants, *, policy: BillingPolicy, intervals: Intervals) -> None:
        self._tenants = tenants
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._seen: dict[asyncio.Task[None], tuple[int, float]] = {}
        self._scheduler = AsyncIOScheduler(timezone=ZoneInfo("UTC"))
        self._every(intervals.charges_ms, "charges", "charges")
        self._every(intervals.endings_ms, "endings", "charges")
        self._every(intervals.billing_ms, "billing", "charges", "billing")
        self._every(intervals.overdue_ms, "overdue", "overdue")
        self._every(intervals.reminders_ms, "reminders", "reminders")
        self._every(intervals.backorders_ms, "backorders", "backorders")
        self._add(_each(intervals.payments_ms), "payments", ReconcilePayments())
        # To the second, so that invoices are dated on their billing day. A time that a clock change repeats comes
        # twice, of which the second finds nothing; one after a midnight that it skips is left to the next look.
        at = policy.billing_run_time
        trigger = CronTrigger(hour=at.hour, minute=at.minute, second=at.second, timezone=policy.zone)
        self._add(trigger, "billing_day", DoDueWork(kinds=("charges", "billing")))

    def start(self) -> None:
        """Begin, and make up at once what fell due while nobody was there."""
        self._ask_all("catch_up", DoDueWork())
        self._scheduler.start()

    def beat(self, seconds: float, listener: Callable[[], None]) -> None:
        """Call `listener` that often, from the very loop that begins the jobs: neither when that stands, nor when a
        job is stuck at its tenant.
        """

        async def look() -> None:
            if stuck := self._stuck():
                _log.error("timetable_stuck", jobs=stuck)
            else:
                listener()

        self._scheduler.add_job(
            look, _each(round(seconds * 1000)), id="beat", coalesce=True, misfire_grace_time=None, max_instances=1
        )

    def _stuck(self) -> list[str]:
        """Jobs under way whose tenant is up and has done nothing since they were first seen, for too long."""
        now, seen, stuck = time.monotonic(), {}, []
        for (tenant_id, job), task in self._under_way.items():
            actor = self._tenants.actor(tenant_id)
            turns, since = self._seen.get(task, (-1, now))
            if turns != actor.turns or actor.reason_down is not None:
                since = now
            seen[task] = (actor.turns, since)
            if now - since > STUCK_SECONDS:
                stuck.append(f"{job} {tenant_id}")
        self._seen = seen
        return stuck

    async def stop(self) -> None:
        """Ask for nothing more. Work that an actor has begun goes on to its next piece; the rest is due again."""
        if self._scheduler.running:
            self._scheduler.pause()
            await asyncio.sleep(0)  # jobs that have just begun end at their first step; shut down, they'd be cancelled
            self._scheduler.shutdown(wait=False)
        await cancelled(*self._under_way.values())
        await asyncio.sleep(0)  # the turn in which the shutdown really happens

    def _every(self, milliseconds: int, job: str, *kinds: Work) -> None:
        self._add(_each(milliseconds), job, DoDueWork(kinds=kinds))

    def _add(self, trigger: BaseTrigger, job: str, command: Command) -> None:
        async def look() -> None:
            self._ask_all(job, command)

        # However late: after a suspended machine one look makes up for all that were missed.
        self._scheduler.add_job(look, trigger, id=job, coalesce=True, misfire_grace_time=None)

    def _ask_all(self, job: str, command: Command) -> None:
        """Each tenant in a task of its own, unless that tenant's last one is still under way."""
        for tenant_id in self._tenants.ids:
            key = (tenant_id, job)
            if key not in self._under_way:
                task = spawn(self._ask(tenant_id, job, command), name=f"job {job} {tenant_id}")
                self._under_way[key] = task
                task.add_done_callback(lambda _, key=key: self._under_way.pop(key))  # type: ignore[misc]

    async def _ask(self, tenant_id: str, job: str, command: Command) -> None:
        """Until it is done. A tenant that can't answer now is asked again; what fails otherwise waits for the next."""
        told = False
        while True:
            try:
                await self._tenants.ask(
                    tenant_id, command, who=f"job:{job}", cause=new_id(), timeout_seconds=ASK_SECONDS
                )
                return
            except (Busy, Unavailable) as error:
                if not told:
                    _log.warning("job_waits", job=job, tenant=tenant_id, reason=str(error) or "too many requests wait")
                told = True
            except (Refusal, Bug) as error:
                _log.warning("job_failed", job=job, tenant=tenant_id, reason=f"{type(error).__name__}: {error}")
                return
            await asyncio.sleep(RETRY_SECONDS)


def _each(milliseconds: int) -> IntervalTrigger:
    return IntervalTrigger(seconds=milliseconds / 1000, timezone=ZoneInfo("UTC"))
