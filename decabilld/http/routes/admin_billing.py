"""The operator's billing: the totals, and billing everybody now."""

from aiohttp import web

from decabilld.actors.preview import preview
from decabilld.domain.entities import BillingRun
from decabilld.domain.refusals import NotFound
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.http.schemas import admin_billing, explained
from decabilld.http.views.admin_billing import bill_now_view, run_view, summary_view
from decabilld.http.views.explained import preview_view
from decabilld.http.views.wire import instant
from decabilld.messages.commands import StartBillNow

TAG = "Administration"


@operation(
    "GET",
    "/admin/billing/summary",
    id="getAdminBillingSummary",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="The tenant's totals",
    description="Running subscriptions, what is owed gross, and what is not invoiced yet net.",
    answer=admin_billing.AdminBillingSummaryResponseSchema,
)
async def get_admin_billing_summary(call: Call) -> web.Response:
    return call.answer(summary_view(call.state, call.deps.policy.currency))


@operation(
    "POST",
    "/admin/billing/bill-now",
    id="adminBillNow",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Bill now",
    description="Invoices the open positions of one customer or of all, without waiting for their billing days. "
    "Answers at once; the request's id tells how far it got.",
    answer=admin_billing.AdminBillNowResponseSchema,
    body=admin_billing.AdminBillNowDtoSchema,
    body_required=False,
    refusals=(404,),
)
async def admin_bill_now(call: Call) -> web.Response:
    return await call.ask(StartBillNow(only_user_id=call.body.get("user_id")), bill_now_view)


@operation(
    "GET",
    "/admin/billing/bill-now/{requestId}",
    id="getAdminBillNow",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="How far bill-now got",
    description="Customers done and failed, invoices made, and the first hundred errors.",
    answer=admin_billing.AdminBillNowStatusResponseSchema,
)
async def get_admin_bill_now(call: Call) -> web.Response:
    run_id = call.ids["requestId"]
    run = call.state.get(BillingRun, run_id) or await call.deps.readers.billing_run(call.tenant_id, run_id)
    if run is None:
        raise NotFound("Billing request")
    return call.answer(run_view(run))


@operation(
    "POST",
    "/admin/billing/preview",
    id="previewBilling",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="What a billing run would issue",
    description="The invoices that a run over every customer, or one, would issue at `at` (now if left out): charges "
    "up to then, and everything open that the billing days until then leave. Billing days don't count at `at` itself, "
    "as with bill-now. Nothing is written; a run at that instant issues exactly these, if nothing else changes.",
    answer=explained.BillingPreviewResponseSchema,
    body=explained.BillingPreviewDtoSchema,
    body_required=False,
    refusals=(404,),
)
async def preview_billing(call: Call) -> web.Response:
    state, now = call.state, call.now
    at = call.body.get("at") or now
    foreseen = await preview(state, now=now, at=at, only_user_id=call.body.get("user_id"), policy=call.deps.policy)
    return call.answer({"at": instant(at), **preview_view(foreseen, state)})
