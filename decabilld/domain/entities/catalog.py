"""What is sold, and what a subscription keeps of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from decabilld.domain.entities.base import Entity, Id, Interval, TaxCategory, Value


class ServiceType(Entity, frozen=True, kw_only=True, gc=False):
    """A product line. `provider` names who deploys it; `none` deploys nothing."""

    table: ClassVar[str] = "service_types"
    key: str
    name: str
    description: str | None = None
    provider: str
    config_schema: dict[str, Any] = {}
    is_active: bool = True
    disallow_statutory_withdrawal: bool = False
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.deleted_at is None


class OrderingHighlight(Value, frozen=True, kw_only=True, gc=False):
    icon: str
    text: str


class PlanTerms(Value, frozen=True, kw_only=True, gc=False):
    """What a subscription keeps of its plan as it was when ordered; a later change of the plan never reaches it.

    `price_minor` is the customer's net price of one whole interval.
    """

    plan_name: str
    price_minor: int
    currency: str
    interval: Interval
    interval_count: int
    billing_day_of_month: int | None = None
    """1..31, clamped to the month's last day; only for `month` and `year`."""
    tax_category: TaxCategory = "standard"
    bill_in_advance: bool = False
    cancel_at_period_end: bool = True
    min_commitment_days: int = 0
    notice_days: int = 0


class ServicePlan(Entity, frozen=True, kw_only=True, gc=False):
    """What is sold. Prices are net, in the tenant's currency, with four decimals."""

    table: ClassVar[str] = "service_plans"
    service_type_id: Id | None = None
    name: str
    description: str | None = None
    interval: Interval
    interval_count: int
    billing_day_of_month: int | None = None
    cancel_at_period_end: bool = True
    min_commitment_days: int = 0
    notice_days: int = 0
    base_price: Decimal | None = None
    margin_percent: Decimal | None = None
    margin_fixed: Decimal | None = None
    provider_config_defaults: dict[str, Any] = {}
    ordering_highlights: tuple[OrderingHighlight, ...] = ()
    allow_customer_location_selection: bool = False
    allow_customer_server_type_selection: bool = False
    allowed_server_types: tuple[str, ...] = ()
    is_active: bool = True
    tax_category: TaxCategory = "standard"
    bill_in_advance: bool = False
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.deleted_at is None
