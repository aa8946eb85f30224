"""What a customer has bought, and what of it is owed."""

from datetime import datetime
from typing import Any, ClassVar

from decabilld.domain.entities.base import Entity, Id, PositionKind, SubscriptionStatus, TaxCategory
from decabilld.domain.entities.catalog import PlanTerms


class Subscription(Entity, frozen=True, kw_only=True, gc=False):
    """A customer's running plan.

    Period k runs from boundary k to boundary k+1 (see `domain/periods.py`); `period_index` is the current k and the
    two instants repeat its boundaries. `charged_through` is where the next charge starts: everything before it has an
    open position or an invoice line.
    """

    table: ClassVar[str] = "subscriptions"
    number: str
    plan_id: Id
    user_id: Id
    status: SubscriptionStatus
    terms: PlanTerms
    anchor: datetime | None = None
    """The order's instant, or the activation's for a backorder; None until it is active."""
    period_index: int = 0
    period_start: datetime | None = None
    period_end: datetime | None = None
    charged_through: datetime | None = None
    remind_at: datetime | None = None
    """When the customer is to be reminded that the next period comes; None once they were, or if they aren't."""
    cancel_requested_at: datetime | None = None
    cancel_effective_at: datetime | None = None
    resumed_at: datetime | None = None
    ended_at: datetime | None = None
    awaits_server: bool = False
    """Until its server is there nothing is charged; from then on all that has passed since the anchor."""
    created_at: datetime
    updated_at: datetime

    @property
    def live(self) -> bool:
        return self.status != "canceled"


class UsageRecord(Entity, frozen=True, kw_only=True, gc=False):
    """Metered use of a subscription. `digest` identifies subscription, period and payload: twice posted is one."""

    table: ClassVar[str] = "usage_records"
    subscription_id: Id
    period_start: datetime
    period_end: datetime
    payload: dict[str, Any]
    digest: str
    cost_minor: int
    recorded_at: datetime
    position_id: Id | None = None

    @property
    def live(self) -> bool:
        return self.position_id is None


class Position(Entity, frozen=True, kw_only=True, gc=False):
    """A charge that is owed and fixed: amount, tax category, period and description never change after this.

    (subscription, kind, period_start, source) is unique. `source` is empty for a period's charge and the usage
    record's id for usage. Closed when invoiced, or at once when it rounds to less than one minor unit.
    `share_numerator / share_denominator` is the charged share of the nominal period, in microseconds.
    """

    table: ClassVar[str] = "positions"
    user_id: Id
    subscription_id: Id
    plan_id: Id
    kind: PositionKind
    source: str = ""
    period_start: datetime
    period_end: datetime
    description: str
    net_minor: int
    currency: str
    tax_category: TaxCategory
    price_minor: int
    """Price of the whole nominal period (period charges) or the record's cost (usage)."""
    share_numerator: int = 1
    share_denominator: int = 1
    invoice_id: Id | None = None
    closed_at: datetime | None = None
    created_at: datetime
    """When the charge fell due (the boundary), whenever it was written."""

    @property
    def live(self) -> bool:
        return self.closed_at is None
