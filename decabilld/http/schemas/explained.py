"""Bills explained and foreseen: where an invoice's amounts come from, and what the next run would issue."""

from marshmallow import fields

from decabilld.http.schemas.admin_billing import AdminBillNowErrorSchema
from decabilld.http.schemas.base import Answer, Request
from decabilld.http.schemas.catalog import TAX_CATEGORIES
from decabilld.http.schemas.fields import (
    PROSE_LENGTH,
    Amount,
    Choice,
    Count,
    Date,
    Email,
    Flag,
    FreeObject,
    Id,
    Instant,
    Text,
)
from decabilld.http.schemas.invoices import InvoiceLineItemResponseSchema, InvoiceTaxBreakdownSchema


class BillingPreviewDtoSchema(Request):
    at = Instant(allow_none=True)
    user_id = Id(allow_none=True)


class PreviewedInvoiceSchema(Answer):
    user_id = Id()
    user_email = Email(allow_none=True)
    subscription_id = Id(allow_none=True)
    currency = Text(3)
    subtotal_net = Amount()
    tax_total = Amount()
    total_gross = Amount()
    line_items = fields.List(fields.Nested(InvoiceLineItemResponseSchema))
    tax_breakdown = fields.List(fields.Nested(InvoiceTaxBreakdownSchema))
    issue_date = Date()
    due_date = Date()


class BillingPreviewResponseSchema(Answer):
    at = Instant()
    invoices = fields.List(fields.Nested(PreviewedInvoiceSchema))
    errors = fields.List(fields.Nested(AdminBillNowErrorSchema))


class ExplainedShareSchema(Answer):
    numerator = Count()
    denominator = Count(1)


class ExplainedTermsSchema(Answer):
    plan_id = Id()
    plan_name = Text()
    price = Amount()
    billing_interval_type = Text()
    billing_interval_value = Count(1)
    billing_day_of_month = Count(1, 31, allow_none=True)
    tax_category = Choice(*TAX_CATEGORIES)
    bill_in_advance = Flag()
    anchor = Instant(allow_none=True)


class ExplainedUsageSchema(Answer):
    id = Id()
    period_start = Instant()
    period_end = Instant()
    usage_payload = FreeObject()
    cost = Amount()
    recorded_at = Instant()


class ExplainedPositionSchema(Answer):
    id = Id()
    kind = Choice("period", "advance", "usage")
    subscription_id = Id()
    subscription_number = Text(allow_none=True)
    period_start = Instant()
    period_end = Instant()
    due_at = Instant()
    price = Amount()
    share = fields.Nested(ExplainedShareSchema)
    net = Amount()
    terms = fields.Nested(ExplainedTermsSchema, allow_none=True)
    usage = fields.Nested(ExplainedUsageSchema, allow_none=True)


class ExplainedLineSchema(InvoiceLineItemResponseSchema):
    calculation = Text(PROSE_LENGTH)
    exact_tax = Amount()
    position = fields.Nested(ExplainedPositionSchema, allow_none=True)


class ExplainedTaxGroupSchema(Answer):
    tax_category = Choice(*TAX_CATEGORIES)
    tax_rate = Amount()
    net = Amount()
    exact_tax = Amount()
    tax_amount = Amount()
    calculation = Text(PROSE_LENGTH)


class InvoiceExplanationSchema(Answer):
    id = Id()
    invoice_number = Text(allow_none=True)
    status = Text()
    currency = Text(3)
    rounding = Text(PROSE_LENGTH)
    line_items = fields.List(fields.Nested(ExplainedLineSchema))
    tax_groups = fields.List(fields.Nested(ExplainedTaxGroupSchema))
    subtotal_net = Amount()
    tax_total = Amount()
    total_gross = Amount()
    paid = Amount()
    balance_due = Amount()
