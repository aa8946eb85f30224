"""The tenant's own bookkeeping: numbers, runs, what time it is."""

from datetime import date, datetime
from typing import ClassVar

from decabilld.domain.entities.base import Entity, Id, RunStatus, Value


class NumberRange(Entity, frozen=True, kw_only=True, gc=False):
    """The last number drawn of a series (`INV-2026`, `SUB`); `id` is a UUIDv5 of the series."""

    table: ClassVar[str] = "number_ranges"
    series: str
    last: int


class RunError(Value, frozen=True, kw_only=True, gc=False):
    user_id: Id
    message: str


class BillingRun(Entity, frozen=True, kw_only=True, gc=False):
    """A pass over customers that turns their open positions into invoices, in the order of user ids.

    `billing_date` is the day of a scheduled run, None for bill-now; `billing_days` the days of month it covers
    (several after an outage; empty means everybody); `cursor` the last user that is done, so that a run goes on
    after a restart exactly where it stopped.
    """

    table: ClassVar[str] = "billing_runs"
    status: RunStatus
    billing_date: date | None = None
    billing_days: tuple[int, ...] = ()
    only_user_id: Id | None = None
    cursor: Id | None = None
    user_count: int
    done: int = 0
    failed: int = 0
    invoices: int = 0
    errors: tuple[RunError, ...] = ()
    """The first 100."""
    created_at: datetime
    updated_at: datetime

    @property
    def live(self) -> bool:
        return self.status != "done"


class Timetable(Entity, frozen=True, kw_only=True, gc=False):
    """What time it is for the tenant and what is done up to when; one row a tenant."""

    table: ClassVar[str] = "timetables"
    billing_date_done: date
    """Last calendar day (billing zone) whose billing run is complete."""
    zone: str
    """The billing zone that periods are counted in; once there was a subscription it can't change any more."""
    test_clock: datetime | None = None
    """Where a test clock stands; None while the tenant lives in real time."""
