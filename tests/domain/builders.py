"""Entities with everything filled in that a domain test doesn't care about."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from decabilld.domain.entities import Interval, PlanTerms, ServicePlan, Subscription, UsageRecord

BERLIN = ZoneInfo("Europe/Berlin")
BEIRUT = ZoneInfo("Asia/Beirut")
UTC_ZONE = ZoneInfo("UTC")
ZONES = (BERLIN, ZoneInfo("America/New_York"), BEIRUT, UTC_ZONE, ZoneInfo("Australia/Lord_Howe"))


def at(text: str) -> datetime:
    """`2026-01-31 13:00` in UTC; a date alone is its midnight."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def plan_terms(interval: Interval = "month", count: int = 1, day: int | None = None, **fields: Any) -> PlanTerms:
    defaults = {"plan_name": "Cloud S", "price_minor": 1000, "currency": "EUR"}
    return PlanTerms(**defaults | fields, interval=interval, interval_count=count, billing_day_of_month=day)


def service_plan(**fields: Any) -> ServicePlan:
    defaults = {
        "id": "plan-1",
        "name": "Cloud S",
        "interval": "month",
        "interval_count": 1,
        "base_price": Decimal("10.0000"),
        "created_at": at("2026-01-01"),
        "updated_at": at("2026-01-01"),
    }
    return ServicePlan(**defaults | fields)


def subscription(terms: PlanTerms, anchor: datetime) -> Subscription:
    return Subscription(
        id="sub-1",
        number="SUB-000001",
        plan_id="plan-1",
        user_id="user-1",
        status="active",
        terms=terms,
        anchor=anchor,
        created_at=anchor,
        updated_at=anchor,
    )


def usage(start: datetime, end: datetime, cost_minor: int) -> UsageRecord:
    return UsageRecord(
        id="usage-1",
        subscription_id="sub-1",
        period_start=start,
        period_end=end,
        payload={},
        digest="d",
        cost_minor=cost_minor,
        recorded_at=end,
    )
