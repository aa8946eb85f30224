"""Metered use of subscriptions."""

from aiohttp import web

from decabilld.actors.tenant.indexes import USAGE_OF_SUBSCRIPTION
from decabilld.domain.charges import usage_digest
from decabilld.domain.ids import id_of
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.http.routes.subscriptions import own_subscription
from decabilld.http.schemas import subscriptions
from decabilld.http.views.subscriptions import usage_record_view, usage_summary_view
from decabilld.messages.commands import RecordUsage

TAG = "Usage"


@operation(
    "GET",
    "/usage/summary/{subscriptionId}",
    id="getUsageSummary",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Use that is not billed yet",
    description="The current period, and how many records with which net cost wait for its charge.",
    answer=subscriptions.UsageSummarySchema,
)
async def get_usage_summary(call: Call) -> web.Response:
    subscription = await own_subscription(call)
    return call.answer(usage_summary_view(subscription, call.state.find(USAGE_OF_SUBSCRIPTION, subscription.id)))


@operation(
    "POST",
    "/usage/record",
    id="recordUsage",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Record use",
    description="The cost is `totalCost`, else `usageCost`, else `units` x `unitPrice` of the payload. Each record is "
    "billed once; the same subscription, period and payload posted again is the same record. Admin only.",
    answer=subscriptions.UsageRecordResponseSchema,
    body=subscriptions.CreateUsageRecordDtoSchema,
    refusals=(404,),
)
async def record_usage(call: Call) -> web.Response:
    digest = usage_digest(**call.body)
    return await call.ask(RecordUsage(**call.body, digest=digest, record_id=id_of("usage", digest)), usage_record_view)
