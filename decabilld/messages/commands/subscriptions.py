"""What customers buy and use."""

from datetime import datetime
from typing import Any

from decabilld.domain import entities as e
from decabilld.domain.entities import Id
from decabilld.messages.decision import Command, Need


class OrderSubscription(Command, frozen=True, kw_only=True):
    user_id: Id
    plan_id: Id
    requested_config: dict[str, Any] = {}
    auto_backorder: bool = False


class CancelSubscription(Command, frozen=True, kw_only=True):
    user_id: Id
    subscription_id: Id
    reason: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Subscription, self.subscription_id),)


class ResumeSubscription(Command, frozen=True, kw_only=True):
    user_id: Id
    subscription_id: Id
    reason: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Subscription, self.subscription_id),)


class RecordUsage(Command, frozen=True, kw_only=True):
    """`record_id` is derived from `digest`, so that the same record posted twice is one."""

    subscription_id: Id
    period_start: datetime
    period_end: datetime
    payload: dict[str, Any]
    digest: str
    record_id: Id

    def needs(self) -> tuple[Need, ...]:
        return ((e.Subscription, self.subscription_id), (e.UsageRecord, self.record_id))
