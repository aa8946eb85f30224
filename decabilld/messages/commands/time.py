"""What falls due, and the clock that it falls due by."""

from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from decabilld.domain.entities import Id
from decabilld.messages.decision import Command

Work = Literal["charges", "billing", "overdue", "reminders", "backorders"]
AT_A_TIME = 300
"""Subscriptions, customers or invoices that one command of long work deals with, so that requests get in between."""
CHANGES_ENOUGH = 2_000
"""With so many changes a command of long work ends before its number is full: after an outage each may have hundreds,
and a commit has its time."""


class DoDueWork(Command, frozen=True, kw_only=True):
    """Do what has fallen due, in order: charges and endings, billing runs, overdue invoices, reminders, backorders.

    Reply: None once nothing is due. What fails as one of many is tried alone (`target`), and left out (`skip`) until
    the next time when it is to blame.
    """

    kinds: tuple[Work, ...] = ("charges", "billing", "overdue", "reminders", "backorders")
    at_a_time: int = AT_A_TIME
    singly_left: int = 0
    target: Id | None = None
    skip: tuple[Id, ...] = ()

    def if_faulty(self) -> "DoDueWork | None":
        if self.target is not None:
            return replace(self, target=None, skip=(*self.skip, self.target))
        if self.at_a_time == 1:
            return None
        return replace(self, at_a_time=1, singly_left=AT_A_TIME)


class StartBillNow(Command, frozen=True, kw_only=True):
    """Reply: the queued BillingRun. `only_user_id` None means every customer."""

    only_user_id: Id | None = None


class MoveTestClock(Command, frozen=True, kw_only=True):
    """Move the tenant's time to `to`, deciding what falls due on the way at its own instant.

    Reply: the Timetable once all of it is done; long ways are walked in steps.
    """

    to: datetime


class OpenTimetable(Command, frozen=True, kw_only=True):
    """First thing a new tenant is told: its billing days count from today on, in the zone that is set."""
