"""The customer's invoices: what is owed, the documents, payment. Under an invoice's own path and its subscription's."""

from aiohttp import web

from decabilld.actors.tenant.indexes import INVOICES_OF_USER, POSITIONS_OF_USER
from decabilld.domain.entities import Invoice, User
from decabilld.http.call import Call
from decabilld.http.found_invoices import (
    credit_note_pdf,
    invoice_of,
    invoice_pdf,
    own_invoice,
    subscription_number_of,
    subscription_numbers,
)
from decabilld.http.operation import PDF, Auth, operation
from decabilld.http.routes.subscriptions import own_subscription
from decabilld.http.schemas import invoices
from decabilld.http.views.invoices import (
    created_invoice_view,
    invoice_detail_view,
    invoice_view,
    invoices_summary_view,
    payment_view,
)
from decabilld.messages.commands import InitiatePayment, InvoiceSubscription, VoidInvoice

TAG = "Invoices"
PAYMENT_SECONDS = 40.0
"""Within which a customer learns whether the payment processor opened a checkout."""
LISTED_MAX = 1000
REF = "/invoices/ref/{invoiceRefId}"
SCOPED = "/invoices/{subscriptionId}/ref/{invoiceRefId}"


@operation(
    "GET",
    "/invoices/summary",
    id="getInvoicesSummary",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="What is owed",
    description="Open and overdue invoices gross, charges that are not invoiced yet net, and the day they will be.",
    answer=invoices.InvoicesSummaryResponseSchema,
)
async def get_invoices_summary(call: Call) -> web.Response:
    state = call.state
    user = state.get(User, call.user_id)
    assert user is not None, "authentication has just found them"
    positions = state.find(POSITIONS_OF_USER, user.id)
    return call.answer(invoices_summary_view(user, _open_invoices(call), positions, call.deps.policy.currency))


@operation(
    "GET",
    "/invoices/open-overdue",
    id="listOpenOverdueInvoices",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="List what is owed",
    description="One's issued, partially paid and overdue invoices, newest first.",
    answer=[invoices.InvoiceResponseSchema],
)
async def list_open_overdue_invoices(call: Call) -> web.Response:
    return call.answer(await _listed(call, _open_invoices(call)))


@operation(
    "GET",
    "/invoices/{subscriptionId}",
    id="listInvoices",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="List a subscription's invoices",
    description="Every invoice with a line of the subscription, newest first; at most the last thousand.",
    answer=[invoices.InvoiceResponseSchema],
)
async def list_invoices(call: Call) -> web.Response:
    subscription = await own_subscription(call)
    found = await call.deps.readers.invoices_of_subscription(call.tenant_id, subscription.id, limit=LISTED_MAX)
    return call.answer(await _listed(call, found))


@operation(
    "POST",
    "/invoices/{subscriptionId}",
    id="createInvoice",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Bill a subscription now",
    description="One invoice of the part of the current period that has elapsed and of all that waits to be billed of "
    "the subscription; the next charge starts where this one ended. Nothing to bill, or less than the least total of "
    "an invoice: 400. The description goes into the journal. Admin only.",
    answer=invoices.CreateInvoiceResponseSchema,
    body=invoices.CreateInvoiceDtoSchema,
    body_required=False,
)
async def create_invoice(call: Call) -> web.Response:
    return await call.ask(
        InvoiceSubscription(subscription_id=call.ids["subscriptionId"], **call.body), created_invoice_view
    )


async def _get_details(call: Call) -> web.Response:
    return call.answer(invoice_detail_view(await own_invoice(call), call.deps.policy))


async def _download(call: Call) -> web.Response:
    return await invoice_pdf(call, await own_invoice(call))


async def _download_void_document(call: Call) -> web.Response:
    return await credit_note_pdf(call, await own_invoice(call))


async def _pay(call: Call) -> web.Response:
    command = InitiatePayment(
        user_id=call.user_id, invoice_id=call.ids["invoiceRefId"], subscription_id=call.ids.get("subscriptionId")
    )
    return await call.ask(command, payment_view, timeout_seconds=PAYMENT_SECONDS)


get_invoice_details_by_ref = operation(
    "GET",
    REF,
    id="getInvoiceDetailsByRef",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Get an invoice",
    description="One's own invoice with its lines, taxes and totals.",
    answer=invoices.InvoiceDetailResponseSchema,
)(_get_details)

get_invoice_details = operation(
    "GET",
    SCOPED,
    id="getInvoiceDetails",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Get a subscription's invoice",
    description="As getInvoiceDetailsByRef; the invoice must have a line of the subscription.",
    answer=invoices.InvoiceDetailResponseSchema,
)(_get_details)

download_invoice_pdf_by_ref = operation(
    "GET",
    f"{REF}/pdf",
    id="downloadInvoicePdfByRef",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Download an invoice",
    description="PDF/A-3 with the EN 16931 XML inside; the same bytes each time.",
    answer=PDF,
)(_download)

download_invoice_pdf = operation(
    "GET",
    f"{SCOPED}/pdf",
    id="downloadInvoicePdf",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Download a subscription's invoice",
    description="As downloadInvoicePdfByRef; the invoice must have a line of the subscription.",
    answer=PDF,
)(_download)

download_void_document_pdf_by_ref = operation(
    "GET",
    f"{REF}/void-document/pdf",
    id="downloadInvoiceVoidDocumentPdfByRef",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Download a credit note",
    description="The credit note that cancels the invoice; refused while it is not void.",
    answer=PDF,
)(_download_void_document)

download_void_document_pdf = operation(
    "GET",
    f"{SCOPED}/void-document/pdf",
    id="downloadInvoiceVoidDocumentPdf",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Download the credit note of a subscription's invoice",
    description="As downloadInvoiceVoidDocumentPdfByRef; the invoice must have a line of the subscription.",
    answer=PDF,
)(_download_void_document)

initiate_payment_by_ref = operation(
    "POST",
    f"{REF}/pay",
    id="initiateInvoicePaymentByRef",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Pay an invoice",
    description="Opens a checkout for the balance and answers its URL; one that is open already is answered again.",
    answer=invoices.InitiatePaymentResponseSchema,
    refusals=(502, 504),
)(_pay)

initiate_payment = operation(
    "POST",
    f"{SCOPED}/pay",
    id="initiateInvoicePayment",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Pay a subscription's invoice",
    description="As initiateInvoicePaymentByRef; the invoice must have a line of the subscription.",
    answer=invoices.InitiatePaymentResponseSchema,
    refusals=(502, 504),
)(_pay)


@operation(
    "POST",
    f"{SCOPED}/void",
    id="voidInvoice",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Void a subscription's invoice",
    description="Writes the credit note and sets the balance to 0. Refused when anything of it is paid. Admin only.",
    answer=invoices.InvoiceResponseSchema,
)
async def void_invoice(call: Call) -> web.Response:
    invoice = await invoice_of(call)
    number = await subscription_number_of(call, invoice)
    command = VoidInvoice(invoice_id=invoice.id, subscription_id=call.ids["subscriptionId"])
    return await call.ask(command, lambda voided: invoice_view(voided, number, call.deps.policy))


def _open_invoices(call: Call) -> list[Invoice]:
    found = call.state.find(INVOICES_OF_USER, call.user_id)
    return sorted(
        (invoice for invoice in found if invoice.status != "draft"),
        key=lambda invoice: (invoice.created_at, invoice.id),
        reverse=True,
    )


async def _listed(call: Call, found: list[Invoice]) -> list[dict[str, object]]:
    numbers = await subscription_numbers(call, found)
    return [invoice_view(invoice, numbers.get(invoice.subscription_id or ""), call.deps.policy) for invoice in found]
