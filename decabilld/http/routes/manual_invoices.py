"""Invoices that the operator writes by hand, as drafts until they are issued."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from decabilld.domain.entities import Id, Invoice, User
from decabilld.http.call import Call
from decabilld.http.found_invoices import invoice_of
from decabilld.http.operation import Auth, operation
from decabilld.http.routes.admin_invoices import INVOICE, INVOICES, TAG
from decabilld.http.schemas import admin_billing
from decabilld.http.views.invoices import admin_invoice_detail_view
from decabilld.messages.commands import (
    CreateManualInvoice,
    DeleteManualInvoice,
    IssueManualInvoice,
    LineWanted,
    UpdateManualInvoice,
)


@operation(
    "POST",
    f"{INVOICES}/manual",
    id="createManualInvoice",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Write an invoice by hand",
    description="A draft, which customers don't see. Quantity and unit price have up to 4 decimals; their product is "
    "rounded once per line. A subscription must be the customer's own.",
    status=201,
    answer=admin_billing.ManualInvoiceDetailResponseSchema,
    body=admin_billing.CreateManualInvoiceDtoSchema,
    refusals=(404,),
)
async def create_manual_invoice(call: Call) -> web.Response:
    body = dict(call.body)
    command = CreateManualInvoice(lines=_lines(body.pop("line_items")), **body)
    return await call.ask(command, _view_for(call, command.user_id))


@operation(
    "POST",
    INVOICE,
    id="updateManualInvoice",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Change a draft",
    description="The lines given take the place of all lines. What was issued is never changed: 409.",
    answer=admin_billing.ManualInvoiceDetailResponseSchema,
    body=admin_billing.UpdateManualInvoiceDtoSchema,
    refusals=(409,),
)
async def update_manual_invoice(call: Call) -> web.Response:
    known = await invoice_of(call)
    command = UpdateManualInvoice(invoice_id=known.id, lines=_lines(call.body["line_items"]))
    return await call.ask(command, _view_for(call, known.user_id))


@operation(
    "DELETE",
    INVOICE,
    id="deleteManualInvoice",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Delete a draft",
    description="It is gone for good; it never had a number. What was issued is never deleted: 409.",
    status=204,
    answer=None,
    refusals=(409,),
)
async def delete_manual_invoice(call: Call) -> web.Response:
    await call.tell(DeleteManualInvoice(invoice_id=call.ids["invoiceRefId"]))
    return web.Response(status=204)


@operation(
    "POST",
    f"{INVOICE}/issue",
    id="issueManualInvoice",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Issue a draft",
    description="Draws the number and dates it today; due in `dueInDays`, or the tenant's term. Needs the customer's "
    "complete profile and the issuer. A total of zero is paid at once.",
    answer=admin_billing.ManualInvoiceDetailResponseSchema,
    body=admin_billing.IssueManualInvoiceDtoSchema,
    body_required=False,
)
async def issue_manual_invoice(call: Call) -> web.Response:
    known = await invoice_of(call)
    return await call.ask(IssueManualInvoice(invoice_id=known.id, **call.body), _view_for(call, known.user_id))


def _lines(wanted: list[dict[str, Any]]) -> tuple[LineWanted, ...]:
    return tuple(LineWanted(**line) for line in wanted)


def _view_for(call: Call, user_id: Id) -> Callable[[Invoice], dict[str, object]]:
    user = call.state.get(User, user_id)
    email, policy = user.email if user else None, call.deps.policy
    return lambda invoice: admin_invoice_detail_view(invoice, email, policy)
