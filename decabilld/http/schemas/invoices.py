"""Invoices as customers see them."""

from marshmallow import fields

from decabilld.http.schemas.base import Answer, Request
from decabilld.http.schemas.catalog import TAX_CATEGORIES
from decabilld.http.schemas.fields import PROSE_LENGTH, Amount, Choice, Count, Date, Flag, Id, Instant, Text, Url

STATUSES = ("draft", "issued", "partially_paid", "paid", "overdue", "void")


class InvoiceResponseSchema(Answer):
    id = Id()
    subscription_id = Id(allow_none=True)
    invoice_number = Text(allow_none=True)
    status = Text(allow_none=True)
    balance = Amount(allow_none=True)
    subscription_number = Text(allow_none=True)
    created_at = Instant()
    due_date = Date(allow_none=True)
    can_pay = Flag()
    can_download = Flag()
    can_preview = Flag()
    can_download_void_document = Flag(allow_none=True)
    void_document_number = Text(allow_none=True)


class InvoiceLineItemResponseSchema(Answer):
    description = Text(PROSE_LENGTH)
    quantity = Amount()
    unit_price_net = Amount()
    tax_category = Choice(*TAX_CATEGORIES)
    tax_rate = Amount()
    line_net = Amount()
    line_tax = Amount()
    line_gross = Amount()


class InvoiceTaxBreakdownSchema(Answer):
    tax_category = Choice(*TAX_CATEGORIES)
    tax_rate = Amount()
    tax_amount = Amount()


class InvoiceDetailResponseSchema(Answer):
    id = Id()
    subscription_id = Id(allow_none=True)
    invoice_number = Text(allow_none=True)
    status = Text()
    currency = Text(3)
    subtotal_net = Amount()
    tax_total = Amount()
    total_gross = Amount()
    balance_due = Amount()
    line_items = fields.List(fields.Nested(InvoiceLineItemResponseSchema))
    tax_breakdown = fields.List(fields.Nested(InvoiceTaxBreakdownSchema))
    issued_at = Instant(allow_none=True)
    due_date = Date(allow_none=True)
    created_at = Instant()
    can_pay = Flag()
    can_download = Flag()
    can_preview = Flag()
    can_download_void_document = Flag(allow_none=True)
    void_document_number = Text(allow_none=True)


class InvoicesSummaryResponseSchema(Answer):
    open_overdue_count = Count()
    open_overdue_total = Amount(0)
    billing_day_of_month = Count(1, 28)
    unbilled_total = Amount(0)


class CreateInvoiceDtoSchema(Request):
    description = Text(PROSE_LENGTH, allow_none=True)


class CreateInvoiceResponseSchema(Answer):
    invoice_ref_id = Id()
    invoice_number = Text(allow_none=True)


class InitiatePaymentResponseSchema(Answer):
    checkout_url = Url()
