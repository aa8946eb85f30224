"""Service types, plans and offerings on the wire."""

from decimal import Decimal

from decabilld.domain.entities import OrderingHighlight, ServicePlan, ServiceType
from decabilld.domain.money import to_decimal, to_minor
from decabilld.domain.pricing import plan_price_minor
from decabilld.domain.provisioning import masked
from decabilld.http.views.wire import instant, plain, price_or_none


def service_type_view(service_type: ServiceType) -> dict[str, object]:
    return {
        "id": service_type.id,
        "key": service_type.key,
        "name": service_type.name,
        "description": service_type.description,
        "provider": service_type.provider,
        "configSchema": service_type.config_schema,
        "isActive": service_type.is_active,
        "disallowStatutoryWithdrawal": service_type.disallow_statutory_withdrawal,
        "createdAt": instant(service_type.created_at),
        "updatedAt": instant(service_type.updated_at),
    }


def service_plan_view(plan: ServicePlan) -> dict[str, object]:
    return {
        "id": plan.id,
        "serviceTypeId": plan.service_type_id,
        "name": plan.name,
        "description": plan.description,
        "billingIntervalType": plan.interval,
        "billingIntervalValue": plan.interval_count,
        "billingDayOfMonth": plan.billing_day_of_month,
        "cancelAtPeriodEnd": plan.cancel_at_period_end,
        "minCommitmentDays": plan.min_commitment_days,
        "noticeDays": plan.notice_days,
        "basePrice": price_or_none(plan.base_price),
        "marginPercent": price_or_none(plan.margin_percent),
        "marginFixed": price_or_none(plan.margin_fixed),
        "providerConfigDefaults": plan.provider_config_defaults,
        "orderingHighlights": _highlights(plan.ordering_highlights),
        "allowCustomerLocationSelection": plan.allow_customer_location_selection,
        "isActive": plan.is_active,
        "taxCategory": plan.tax_category,
        "billInAdvance": plan.bill_in_advance,
        "allowCustomerServerTypeSelection": plan.allow_customer_server_type_selection,
        "allowedServerTypes": plan.allowed_server_types,
        "autoRecalculatePriceDaily": False,
        "createdAt": instant(plan.created_at),
        "updatedAt": instant(plan.updated_at),
    }


def ordered_plan_view(plan: ServicePlan) -> dict[str, object]:
    """For customers: what is deployed by default may hold the operator's tokens and passwords."""
    return {**service_plan_view(plan), "providerConfigDefaults": masked(plan.provider_config_defaults)}


def offering_view(plan: ServicePlan, service_type: ServiceType | None, currency: str) -> dict[str, object]:
    return {
        "id": plan.id,
        "name": plan.name,
        "description": plan.description,
        "serviceTypeId": plan.service_type_id,
        "serviceTypeName": service_type.name if service_type else None,
        "billingIntervalType": plan.interval,
        "billingIntervalValue": plan.interval_count,
        "totalPrice": to_decimal(plan_price_minor(plan, currency), currency),
        "orderingHighlights": _highlights(plan.ordering_highlights),
        "allowCustomerLocationSelection": plan.allow_customer_location_selection,
    }


def pricing_view(plan: ServicePlan, currency: str) -> dict[str, object]:
    """Each part is rounded to the cent on its own, to be shown; the total is computed from the exact parts."""

    def shown(amount: Decimal | None) -> Decimal:
        return to_decimal(to_minor(amount or Decimal(0), currency), currency)

    return {
        "basePrice": shown(plan.base_price),
        "marginPercent": plain(plan.margin_percent or Decimal(0)),
        "marginFixed": shown(plan.margin_fixed),
        "totalPrice": to_decimal(plan_price_minor(plan, currency), currency),
    }


def _highlights(highlights: tuple[OrderingHighlight, ...]) -> list[dict[str, str]]:
    return [{"icon": highlight.icon, "text": highlight.text} for highlight in highlights]
