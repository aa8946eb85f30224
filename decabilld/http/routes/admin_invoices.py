"""All invoices of the tenant, for the operator: look, void, mark paid or unpaid, and what the journal says of them."""

from collections.abc import Callable

from aiohttp import web

from decabilld.domain.entities import Invoice, User
from decabilld.http.call import Call
from decabilld.http.found_invoices import credit_note_pdf, invoice_of, invoice_pdf, subscription_number_of
from decabilld.http.operation import PDF, Auth, operation
from decabilld.http.schemas import admin_billing, explained
from decabilld.http.views.admin_billing import audit_log_view
from decabilld.http.views.explained import explanation_view
from decabilld.http.views.invoices import admin_invoice_detail_view, admin_invoice_view
from decabilld.messages.commands import MarkInvoicePaid, MarkInvoiceUnpaid, VoidInvoice

TAG = "Administration"
INVOICES = "/admin/billing/invoices"
INVOICE = f"{INVOICES}/{{invoiceRefId}}"


@operation(
    "GET",
    INVOICES,
    id="listAdminInvoices",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="List invoices",
    description="Every customer's, drafts too, newest first. `search` finds part of a number, an address or a name.",
    answer=admin_billing.PaginatedAdminInvoicesResponseSchema,
    query=admin_billing.AdminInvoicesQuery,
)
async def list_admin_invoices(call: Call) -> web.Response:
    return call.answer(await _page(call, open_only=False))


@operation(
    "GET",
    f"{INVOICES}/open-overdue",
    id="listAdminOpenOverdueInvoices",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="List what is owed",
    description="Issued, partially paid and overdue invoices of every customer, newest first.",
    answer=admin_billing.PaginatedAdminInvoicesResponseSchema,
    query=admin_billing.AdminInvoicesQuery,
)
async def list_admin_open_overdue_invoices(call: Call) -> web.Response:
    return call.answer(await _page(call, open_only=True))


@operation(
    "GET",
    INVOICE,
    id="getAdminInvoiceDetail",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Get an invoice",
    description="Any customer's, with its lines, taxes and totals.",
    answer=admin_billing.ManualInvoiceDetailResponseSchema,
)
async def get_admin_invoice_detail(call: Call) -> web.Response:
    invoice = await invoice_of(call)
    return call.answer(admin_invoice_detail_view(invoice, _email_of(call, invoice), call.deps.policy))


@operation(
    "GET",
    f"{INVOICE}/pdf",
    id="downloadAdminInvoicePdf",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Download an invoice",
    description="PDF/A-3 with the EN 16931 XML inside; the same bytes each time.",
    answer=PDF,
)
async def download_admin_invoice_pdf(call: Call) -> web.Response:
    return await invoice_pdf(call, await invoice_of(call))


@operation(
    "GET",
    f"{INVOICE}/void-document/pdf",
    id="downloadAdminInvoiceVoidDocumentPdf",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Download a credit note",
    description="The credit note that cancels the invoice; refused while it is not void.",
    answer=PDF,
)
async def download_admin_void_document_pdf(call: Call) -> web.Response:
    return await credit_note_pdf(call, await invoice_of(call))


@operation(
    "POST",
    f"{INVOICE}/void",
    id="adminVoidInvoice",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Void an invoice",
    description="Writes the credit note and sets the balance to 0. Refused when anything of it is paid.",
    answer=admin_billing.AdminInvoiceListItemSchema,
)
async def admin_void_invoice(call: Call) -> web.Response:
    return await call.ask(VoidInvoice(invoice_id=call.ids["invoiceRefId"]), await _item_view(call))


@operation(
    "POST",
    f"{INVOICE}/mark-paid",
    id="adminMarkInvoicePaid",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Mark an invoice paid",
    description="For money that came another way. The reason goes into the journal.",
    answer=admin_billing.AdminInvoiceListItemSchema,
    body=admin_billing.MarkInvoicePaymentStatusDtoSchema,
    body_required=False,
)
async def admin_mark_invoice_paid(call: Call) -> web.Response:
    return await call.ask(MarkInvoicePaid(invoice_id=call.ids["invoiceRefId"], **call.body), await _item_view(call))


@operation(
    "POST",
    f"{INVOICE}/mark-unpaid",
    id="adminMarkInvoiceUnpaid",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Mark an invoice unpaid",
    description="Everything is owed again; overdue if the due date has passed. The reason goes into the journal.",
    answer=admin_billing.AdminInvoiceListItemSchema,
    body=admin_billing.MarkInvoicePaymentStatusDtoSchema,
    body_required=False,
)
async def admin_mark_invoice_unpaid(call: Call) -> web.Response:
    return await call.ask(MarkInvoiceUnpaid(invoice_id=call.ids["invoiceRefId"], **call.body), await _item_view(call))


@operation(
    "GET",
    f"{INVOICE}/audit-logs",
    id="listAdminInvoiceAuditLogs",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="What happened to an invoice",
    description="The journal's entries about it, newest first: who, when, what and why.",
    answer=admin_billing.PaginatedBillingAuditLogsResponseSchema,
    query=admin_billing.AuditLogQuery,
)
async def list_admin_invoice_audit_logs(call: Call) -> web.Response:
    invoice = await invoice_of(call)
    rows, total = await call.deps.readers.journal_of_invoice(call.tenant_id, invoice.id, **call.query)
    return call.answer({"items": [audit_log_view(row, call.tenant_id) for row in rows], "total": total, **call.query})


@operation(
    "GET",
    f"{INVOICE}/explain",
    id="explainAdminInvoice",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Where an invoice's amounts come from",
    description="Every line with its charge: period, price as sold, charged share, usage record; the tax groups; and "
    "how each amount was rounded, so that all of it can be recomputed by hand.",
    answer=explained.InvoiceExplanationSchema,
)
async def explain_admin_invoice(call: Call) -> web.Response:
    invoice = await invoice_of(call)
    return call.answer(explanation_view(invoice, await call.deps.readers.behind_lines(call.tenant_id, invoice)))


async def _page(call: Call, *, open_only: bool) -> dict[str, object]:
    query = call.query
    limit, offset = query["limit"], query["offset"]
    listed, total = await call.deps.readers.invoices(
        call.tenant_id,
        search=query.get("search"),
        user_id=query.get("user_id"),
        open_only=open_only,
        limit=limit,
        offset=offset,
    )
    items = [
        admin_invoice_view(one.invoice, one.subscription_number, one.user_email, call.deps.policy) for one in listed
    ]
    return {"items": items, "total": total, "limit": limit, "offset": offset}


async def _item_view(call: Call) -> Callable[[Invoice], dict[str, object]]:
    """How the invoice that the path names is shown after a change. Raises NotFound."""
    invoice = await invoice_of(call)
    number, email, policy = await subscription_number_of(call, invoice), _email_of(call, invoice), call.deps.policy
    return lambda changed: admin_invoice_view(changed, number, email, policy)


def _email_of(call: Call, invoice: Invoice) -> str | None:
    user = call.state.get(User, invoice.user_id)
    return user.email if user else None
