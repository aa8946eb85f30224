"""Invoices on the wire, in a list and in full."""

from decabilld.domain.entities import Invoice, InvoiceLine, PaymentAttempt, Position, TaxGroup, User
from decabilld.domain.invoices import can_pay
from decabilld.domain.money import to_decimal
from decabilld.domain.policy import BillingPolicy
from decabilld.http.views.wire import date_or_none, instant, instant_or_none, plain


def invoice_view(invoice: Invoice, subscription_number: str | None, policy: BillingPolicy) -> dict[str, object]:
    return {
        "id": invoice.id,
        "subscriptionId": invoice.subscription_id,
        "invoiceNumber": invoice.number,
        "status": invoice.status,
        "balance": to_decimal(invoice.balance_minor, invoice.currency),
        "subscriptionNumber": subscription_number,
        "createdAt": instant(invoice.created_at),
        "dueDate": date_or_none(invoice.due_date),
        **_what_can_be_done(invoice, policy),
    }


def invoice_detail_view(invoice: Invoice, policy: BillingPolicy) -> dict[str, object]:
    currency = invoice.currency
    return {
        "id": invoice.id,
        "subscriptionId": invoice.subscription_id,
        "invoiceNumber": invoice.number,
        "status": invoice.status,
        "currency": currency,
        "subtotalNet": to_decimal(invoice.subtotal_net_minor, currency),
        "taxTotal": to_decimal(invoice.tax_total_minor, currency),
        "totalGross": to_decimal(invoice.total_gross_minor, currency),
        "balanceDue": to_decimal(invoice.balance_minor, currency),
        "lineItems": [line_view(line, currency) for line in invoice.lines],
        "taxBreakdown": [tax_view(group, currency) for group in invoice.tax_groups],
        "issuedAt": instant_or_none(invoice.issued_at),
        "dueDate": date_or_none(invoice.due_date),
        "createdAt": instant(invoice.created_at),
        **_what_can_be_done(invoice, policy),
    }


def admin_invoice_view(
    invoice: Invoice, subscription_number: str | None, user_email: str | None, policy: BillingPolicy
) -> dict[str, object]:
    shown = invoice_view(invoice, subscription_number, policy)
    return {**shown, "userId": invoice.user_id, "userEmail": user_email}


def admin_invoice_detail_view(invoice: Invoice, user_email: str | None, policy: BillingPolicy) -> dict[str, object]:
    return {**invoice_detail_view(invoice, policy), "userId": invoice.user_id, "userEmail": user_email}


def invoices_summary_view(
    user: User, owed: list[Invoice], unbilled: list[Position], currency: str
) -> dict[str, object]:
    """`owed` are open invoices, shown gross; `unbilled` open positions, shown net. Sums are of one currency."""
    owed_minor = sum(invoice.balance_minor for invoice in owed if invoice.currency == currency)
    unbilled_minor = sum(position.net_minor for position in unbilled if position.currency == currency)
    return {
        "openOverdueCount": len(owed),
        "openOverdueTotal": to_decimal(owed_minor, currency),
        "billingDayOfMonth": user.billing_day,
        "unbilledTotal": to_decimal(unbilled_minor, currency),
    }


def created_invoice_view(invoice: Invoice) -> dict[str, object]:
    return {"invoiceRefId": invoice.id, "invoiceNumber": invoice.number}


def payment_view(attempt: PaymentAttempt) -> dict[str, object]:
    return {"checkoutUrl": attempt.checkout_url}


def _what_can_be_done(invoice: Invoice, policy: BillingPolicy) -> dict[str, object]:
    issued = invoice.number is not None
    return {
        "canPay": can_pay(invoice, policy),
        "canDownload": issued,
        "canPreview": issued,
        "canDownloadVoidDocument": invoice.credit_note_number is not None,
        "voidDocumentNumber": invoice.credit_note_number,
    }


def line_view(line: InvoiceLine, currency: str) -> dict[str, object]:
    return {
        "description": line.description,
        "quantity": plain(line.quantity),
        "unitPriceNet": plain(line.unit_price_net),
        "taxCategory": line.tax_category,
        "taxRate": plain(line.tax_rate),
        "lineNet": to_decimal(line.net_minor, currency),
        "lineTax": to_decimal(line.tax_minor, currency),
        "lineGross": to_decimal(line.gross_minor, currency),
    }


def tax_view(group: TaxGroup, currency: str) -> dict[str, object]:
    return {
        "taxCategory": group.tax_category,
        "taxRate": plain(group.tax_rate),
        "taxAmount": to_decimal(group.tax_minor, currency),
    }
