"""What a plan costs its customer, and the terms that a subscription keeps of it.

Owns the plan's price formula and the snapshot. Shares of a price are `proration`, the charges `charges`.
"""

from decimal import Decimal

from decabilld.domain.entities import PlanTerms, ServicePlan
from decabilld.domain.money import EXACT, to_minor


def plan_price(base_price: Decimal | None, margin_percent: Decimal | None, margin_fixed: Decimal | None) -> Decimal:
    """The exact net price of one interval: base + base x percent / 100 + fixed; what is None counts nothing."""
    base = base_price or Decimal(0)
    margin = EXACT.multiply(base, margin_percent or Decimal(0)).scaleb(-2, EXACT)
    return EXACT.add(EXACT.add(base, margin), margin_fixed or Decimal(0))


def plan_price_minor(plan: ServicePlan, currency: str) -> int:
    """The plan's net price of one interval in minor units, rounded once."""
    return to_minor(plan_price(plan.base_price, plan.margin_percent, plan.margin_fixed), currency)


def terms_of(plan: ServicePlan, currency: str) -> PlanTerms:
    """The terms as they are sold now. A billing day is kept only where it means something: `month` and `year`."""
    return PlanTerms(
        plan_name=plan.name,
        price_minor=plan_price_minor(plan, currency),
        currency=currency,
        interval=plan.interval,
        interval_count=plan.interval_count,
        billing_day_of_month=plan.billing_day_of_month if plan.interval in ("month", "year") else None,
        tax_category=plan.tax_category,
        bill_in_advance=plan.bill_in_advance,
        cancel_at_period_end=plan.cancel_at_period_end,
        min_commitment_days=plan.min_commitment_days,
        notice_days=plan.notice_days,
    )
