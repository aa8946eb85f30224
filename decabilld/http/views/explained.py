"""Bills explained and foreseen, on the wire. Nothing is computed anew but what is shown unrounded."""

from decimal import Decimal

from decabilld.actors.preview import Preview
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Invoice, InvoiceLine, Position, Subscription, TaxGroup, UsageRecord, User
from decabilld.domain.money import EXACT, to_decimal
from decabilld.http.views.invoices import line_view, tax_view
from decabilld.http.views.wire import date_or_none, instant, instant_or_none, plain
from decabilld.store.readers import Behind

ROUNDING = (
    "Half away from zero, to the currency's minor unit: once per charge and line, and once per tax group on the sum "
    "of its lines' net (EN 16931, BR-CO-17). The lines share a group's tax by largest remainder. Shares are elapsed "
    "microseconds of the whole interval's."
)


def preview_view(foreseen: Preview, state: TenantState) -> dict[str, object]:
    return {
        "invoices": [_previewed(invoice, state.get(User, invoice.user_id)) for invoice in foreseen.invoices],
        "errors": [{"userId": error.user_id, "message": error.message} for error in foreseen.errors],
    }


def explanation_view(invoice: Invoice, behind: Behind) -> dict[str, object]:
    """Every line with its charge, the price it came from and the usage it is for, so that anybody can recompute it."""
    return {
        "id": invoice.id,
        "invoiceNumber": invoice.number,
        "status": invoice.status,
        "currency": invoice.currency,
        "rounding": ROUNDING,
        "lineItems": [_line(line, invoice.currency, behind) for line in invoice.lines],
        "taxGroups": [_tax_group(group, invoice.currency) for group in invoice.tax_groups],
        **_totals(invoice),
        "paid": to_decimal(invoice.paid_minor, invoice.currency),
        "balanceDue": to_decimal(invoice.balance_minor, invoice.currency),
    }


def _previewed(invoice: Invoice, user: User | None) -> dict[str, object]:
    return {
        "userId": invoice.user_id,
        "userEmail": user.email if user else None,
        "subscriptionId": invoice.subscription_id,
        "currency": invoice.currency,
        **_totals(invoice),
        "lineItems": [line_view(line, invoice.currency) for line in invoice.lines],
        "taxBreakdown": [tax_view(group, invoice.currency) for group in invoice.tax_groups],
        "issueDate": date_or_none(invoice.issue_date),
        "dueDate": date_or_none(invoice.due_date),
    }


def _totals(invoice: Invoice) -> dict[str, object]:
    return {
        "subtotalNet": to_decimal(invoice.subtotal_net_minor, invoice.currency),
        "taxTotal": to_decimal(invoice.tax_total_minor, invoice.currency),
        "totalGross": to_decimal(invoice.total_gross_minor, invoice.currency),
    }


def _line(line: InvoiceLine, currency: str, behind: Behind) -> dict[str, object]:
    position = behind.positions.get(line.position_id or "")
    return {
        **line_view(line, currency),
        "calculation": _calculation(line, position, currency),
        "exactTax": _exact_tax(line.net_minor, line.tax_rate, currency),
        "position": None if position is None else _position(position, behind),
    }


def _calculation(line: InvoiceLine, position: Position | None, currency: str) -> str:
    """The line's net as a term to be recomputed."""
    net = to_decimal(line.net_minor, currency)
    if position is None:
        return f"{plain(line.quantity)} x {plain(line.unit_price_net)}, rounded to {net}"
    price = to_decimal(position.price_minor, currency)
    if position.kind == "usage":
        return f"cost of the usage record: {price}"
    return f"{price} x {position.share_numerator} / {position.share_denominator}, rounded to {net}"


def _position(position: Position, behind: Behind) -> dict[str, object]:
    currency = position.currency
    subscription = behind.subscriptions.get(position.subscription_id)
    usage = behind.usage.get(position.source)
    return {
        "id": position.id,
        "kind": position.kind,
        "subscriptionId": position.subscription_id,
        "subscriptionNumber": subscription.number if subscription else None,
        "periodStart": instant(position.period_start),
        "periodEnd": instant(position.period_end),
        "dueAt": instant(position.created_at),
        "price": to_decimal(position.price_minor, currency),
        "share": {"numerator": position.share_numerator, "denominator": position.share_denominator},
        "net": to_decimal(position.net_minor, currency),
        "terms": _terms(subscription) if subscription else None,
        "usage": _usage(usage, currency) if usage else None,
    }


def _terms(subscription: Subscription) -> dict[str, object]:
    """The price and terms that the subscription was sold at."""
    terms = subscription.terms
    return {
        "planId": subscription.plan_id,
        "planName": terms.plan_name,
        "price": to_decimal(terms.price_minor, terms.currency),
        "billingIntervalType": terms.interval,
        "billingIntervalValue": terms.interval_count,
        "billingDayOfMonth": terms.billing_day_of_month,
        "taxCategory": terms.tax_category,
        "billInAdvance": terms.bill_in_advance,
        "anchor": instant_or_none(subscription.anchor),
    }


def _usage(record: UsageRecord, currency: str) -> dict[str, object]:
    return {
        "id": record.id,
        "periodStart": instant(record.period_start),
        "periodEnd": instant(record.period_end),
        "usagePayload": record.payload,
        "cost": to_decimal(record.cost_minor, currency),
        "recordedAt": instant(record.recorded_at),
    }


def _tax_group(group: TaxGroup, currency: str) -> dict[str, object]:
    net, tax = to_decimal(group.net_minor, currency), to_decimal(group.tax_minor, currency)
    return {
        **tax_view(group, currency),
        "net": net,
        "exactTax": _exact_tax(group.net_minor, group.tax_rate, currency),
        "calculation": f"{net} x {plain(group.tax_rate)} %, rounded to {tax}",
    }


def _exact_tax(net_minor: int, rate: Decimal, currency: str) -> Decimal:
    return plain(EXACT.multiply(to_decimal(net_minor, currency), rate).scaleb(-2, EXACT))
