"""What the operator sees and does: summary, bill-now, all invoices, their audit log, the test clock."""

from marshmallow import fields

from decabilld.http.schemas.base import Answer, Request
from decabilld.http.schemas.catalog import TAX_CATEGORIES
from decabilld.http.schemas.common import PageQuery
from decabilld.http.schemas.fields import (
    PROSE_LENGTH,
    Amount,
    Choice,
    Count,
    Email,
    Exact,
    Flag,
    FreeObject,
    Id,
    Instant,
    QueryCount,
    Text,
    Tuple,
)
from decabilld.http.schemas.invoices import InvoiceDetailResponseSchema, InvoiceResponseSchema

MANUAL_LINES_MAX = 500


class AdminBillingSummaryResponseSchema(Answer):
    active_subscriptions_count = Count()
    open_overdue_count = Count()
    open_overdue_total = Amount(0)
    unbilled_total = Amount(0)


class AdminBillNowDtoSchema(Request):
    user_id = Id(allow_none=True)


class AdminBillNowErrorSchema(Answer):
    user_id = Id()
    message = Text(PROSE_LENGTH)


class AdminBillNowResponseSchema(Answer):
    queued = Flag()
    request_id = Id()
    user_count = Count()


class AdminBillNowStatusResponseSchema(Answer):
    request_id = Id()
    status = Choice("queued", "running", "done")
    user_count = Count()
    done = Count()
    failed = Count()
    invoices = Count()
    errors = fields.List(fields.Nested(AdminBillNowErrorSchema))


class AdminInvoicesQuery(PageQuery):
    search = Text(200, allow_none=True)
    user_id = Id()


class AdminInvoiceListItemSchema(InvoiceResponseSchema):
    user_id = Id()
    user_email = Email(allow_none=True)


class PaginatedAdminInvoicesResponseSchema(Answer):
    items = fields.List(fields.Nested(AdminInvoiceListItemSchema))
    total = Count()
    limit = Count()
    offset = Count()


class ManualInvoiceDetailResponseSchema(InvoiceDetailResponseSchema):
    user_id = Id()
    user_email = Email(allow_none=True)


class ManualInvoiceLineItemDtoSchema(Request):
    description = Text(PROSE_LENGTH, required=True)
    quantity = Exact(zero=False, required=True)
    unit_price_net = Exact(required=True)
    tax_category = Choice(*TAX_CATEGORIES)


class UpdateManualInvoiceDtoSchema(Request):
    line_items = Tuple(fields.Nested(ManualInvoiceLineItemDtoSchema), least=1, most=MANUAL_LINES_MAX, required=True)


class CreateManualInvoiceDtoSchema(UpdateManualInvoiceDtoSchema):
    user_id = Id(required=True)
    subscription_id = Id(allow_none=True)
    currency = Text(3, metadata={"description": "ISO 4217; the tenant's if left out."})


class IssueManualInvoiceDtoSchema(Request):
    due_in_days = Count(1, 3650)


class MarkInvoicePaymentStatusDtoSchema(Request):
    reason = Text(PROSE_LENGTH, allow_none=True)


class AuditLogQuery(PageQuery):
    limit = QueryCount(0, 100, load_default=20)


class BillingAuditLogResponseSchema(Answer):
    id = Id()
    process = Text()
    level = Text()
    message = Text(PROSE_LENGTH)
    invoice_id = Id(allow_none=True)
    user_id = Id(allow_none=True)
    context = FreeObject()
    created_at = Instant()


class PaginatedBillingAuditLogsResponseSchema(Answer):
    items = fields.List(fields.Nested(BillingAuditLogResponseSchema))
    total = Count()
    limit = Count()
    offset = Count()


class TestClockDtoSchema(Request):
    __test__ = False

    now = Instant(required=True)


class TestClockResponseSchema(Answer):
    __test__ = False

    now = Instant()
