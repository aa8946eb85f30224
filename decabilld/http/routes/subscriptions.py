"""Subscriptions: order, look, cancel, resume."""

from aiohttp import web
from msgspec import Raw

from decabilld.actors.tenant.indexes import ITEMS_OF_SUBSCRIPTION, SUBSCRIPTIONS_OF_USER
from decabilld.domain.entities import Subscription
from decabilld.domain.refusals import NotFound
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.http.rendered import Rendered
from decabilld.http.schemas import common, subscriptions
from decabilld.http.server_orders import server_order
from decabilld.http.views.subscriptions import item_view, subscription_view
from decabilld.messages.commands import CancelSubscription, OrderSubscription, ResumeSubscription

TAG = "Subscriptions"
_rendered = Rendered(subscription_view)


@operation(
    "GET",
    "/subscriptions",
    id="listSubscriptions",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="List one's subscriptions",
    description="Also those that have ended, newest first.",
    answer=[subscriptions.SubscriptionResponseSchema],
    query=common.SubscriptionPageQuery,
)
async def list_subscriptions(call: Call) -> web.Response:
    state, user_id = call.state, call.user_id
    if state.ended.get(user_id):
        page = await call.deps.readers.subscriptions_of_user(call.tenant_id, user_id, **call.query)
    else:
        page = call.page_of(state.find(SUBSCRIPTIONS_OF_USER, user_id))
    shown: list[Raw] = [_rendered(subscription) for subscription in page]
    return call.answer(shown)


@operation(
    "POST",
    "/subscriptions",
    id="createSubscription",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Order a plan",
    description="Needs a complete profile. The subscription keeps the plan's price and terms as they are now. "
    "Where a server is deployed it answers at once, with the item pending, and charges begin with the server; with no "
    "room for it the order is 400 (`NO_CAPACITY`), or waits as a backorder if `autoBackorder` is true.",
    status=201,
    answer=subscriptions.SubscriptionResponseSchema,
    body=subscriptions.CreateSubscriptionDtoSchema,
    refusals=(404,),
)
async def create_subscription(call: Call) -> web.Response:
    deployed = await server_order(call, call.body["plan_id"], call.body.get("requested_config", {}))
    return await call.ask(OrderSubscription(user_id=call.user_id, **call.body, **deployed), subscription_view)


@operation(
    "GET",
    "/subscriptions/{subscriptionId}",
    id="getSubscription",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Get a subscription",
    description="One of one's own.",
    answer=subscriptions.SubscriptionResponseSchema,
)
async def get_subscription(call: Call) -> web.Response:
    return call.answer(subscription_view(await own_subscription(call)))


@operation(
    "POST",
    "/subscriptions/{subscriptionId}/cancel",
    id="cancelSubscription",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Cancel a subscription",
    description="Takes effect after the notice, at the end of a period where the plan says so. "
    "Refused before the minimum commitment is over.",
    answer=subscriptions.SubscriptionResponseSchema,
    body=subscriptions.CancelSubscriptionDtoSchema,
    body_required=False,
)
async def cancel_subscription(call: Call) -> web.Response:
    command = CancelSubscription(user_id=call.user_id, subscription_id=call.ids["subscriptionId"], **call.body)
    return await call.ask(command, subscription_view)


@operation(
    "POST",
    "/subscriptions/{subscriptionId}/resume",
    id="resumeSubscription",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Take a cancellation back",
    description="Until it takes effect.",
    answer=subscriptions.SubscriptionResponseSchema,
    body=subscriptions.ResumeSubscriptionDtoSchema,
    body_required=False,
)
async def resume_subscription(call: Call) -> web.Response:
    command = ResumeSubscription(user_id=call.user_id, subscription_id=call.ids["subscriptionId"], **call.body)
    return await call.ask(command, subscription_view)


@operation(
    "GET",
    "/subscriptions/{subscriptionId}/items",
    id="listSubscriptionItems",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="List what is provisioned",
    description="The items of a subscription, the oldest first; of an ended one those that it had.",
    answer=[subscriptions.SubscriptionItemResponseSchema],
)
async def list_subscription_items(call: Call) -> web.Response:
    subscription = await own_subscription(call)
    if subscription.live:
        items = sorted(call.state.find(ITEMS_OF_SUBSCRIPTION, subscription.id), key=lambda item: item.id)
    else:
        items = await call.deps.readers.items_of_subscription(call.tenant_id, subscription.id)
    return call.answer([item_view(item) for item in items])


async def own_subscription(call: Call) -> Subscription:
    """The one that the path names. Raises NotFound, also for another customer's."""
    subscription_id = call.ids["subscriptionId"]
    found = call.state.get(Subscription, subscription_id)
    if found is None and call.state.ended.get(call.user_id):
        found = await call.deps.readers.subscription(call.tenant_id, subscription_id)
    if found is None or found.user_id != call.user_id:
        raise NotFound("Subscription")
    return found
