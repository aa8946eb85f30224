"""Subscriptions, items and usage on the wire."""

from decabilld.actors.tenant.indexes import subscription_due
from decabilld.domain.entities import Subscription, SubscriptionItem, UsageRecord
from decabilld.domain.money import to_decimal
from decabilld.http.views.wire import instant, instant_or_none


def subscription_view(subscription: Subscription) -> dict[str, object]:
    return {
        "id": subscription.id,
        "number": subscription.number,
        "planId": subscription.plan_id,
        "userId": subscription.user_id,
        "status": subscription.status,
        "currentPeriodStart": instant_or_none(subscription.period_start),
        "currentPeriodEnd": instant_or_none(subscription.period_end),
        "nextBillingAt": instant_or_none(subscription_due(subscription)) if subscription.live else None,
        "cancelRequestedAt": instant_or_none(subscription.cancel_requested_at),
        "cancelEffectiveAt": instant_or_none(subscription.cancel_effective_at),
        "resumedAt": instant_or_none(subscription.resumed_at),
        "createdAt": instant(subscription.created_at),
        "updatedAt": instant(subscription.updated_at),
    }


def item_view(item: SubscriptionItem) -> dict[str, object]:
    return {
        "id": item.id,
        "subscriptionId": item.subscription_id,
        "serviceTypeId": item.service_type_id,
        "provisioningStatus": item.provisioning_status,
        "hostname": item.hostname,
        "service": item.service,
    }


def usage_record_view(record: UsageRecord) -> dict[str, object]:
    return {"id": record.id}


def usage_summary_view(subscription: Subscription, records: list[UsageRecord]) -> dict[str, object]:
    """`records` are those that no charge has taken yet. A subscription that has not begun shows its making."""
    cost_minor = sum(record.cost_minor for record in records)
    return {
        "subscriptionId": subscription.id,
        "periodStart": instant(subscription.period_start or subscription.created_at),
        "periodEnd": instant(subscription.period_end or subscription.created_at),
        "usagePayload": {
            "recordCount": len(records),
            "totalCost": to_decimal(cost_minor, subscription.terms.currency),
        },
    }
