"""What customers buy and use."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from decabilld.domain import entities as e
from decabilld.domain.entities import Id
from decabilld.messages.decision import Command, Need


class NewSecrets(Struct, frozen=True, kw_only=True):
    """What an item is given that must be random: its keys, of which the private halves are sealed with its wishes."""

    sealed: str
    """Sealed ItemSecrets."""
    ssh_public_key: str
    host_public_key: str


class OrderSubscription(Command, frozen=True, kw_only=True):
    """`secrets` and `no_capacity` only matter where a server is deployed; the latter says why there is no room now."""

    user_id: Id
    plan_id: Id
    requested_config: dict[str, Any] = {}
    preferred_alternatives: dict[str, Any] = {}
    auto_backorder: bool = False
    secrets: NewSecrets | None = None
    no_capacity: str | None = None


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
