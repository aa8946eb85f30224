"""A subscription's server: how it is, and its switch."""

from aiohttp import web

from decabilld.actors.provider import ProviderAway, ProviderRefused, server_of
from decabilld.actors.tenant.handlers.servers import check_provisioned
from decabilld.domain.entities import SubscriptionItem
from decabilld.domain.refusals import NotFound, ServerProviderFailed
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.http.routes.subscriptions import own_subscription
from decabilld.http.schemas import provisioning
from decabilld.http.views.provisioning import server_action_view, server_info_view
from decabilld.messages.commands import SwitchItem
from decabilld.messages.server_effects import Power

TAG = "Servers"
SWITCH_SECONDS = 45.0
_ITEM = "/subscriptions/{subscriptionId}/items/{itemId}"
_REFUSALS = (404, 502)
_SWITCH_REFUSALS = (404, 409, 502)


@operation(
    "GET",
    f"{_ITEM}/server-info",
    id="getSubscriptionItemServerInfo",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Look at a server",
    description="As its provider sees it, some seconds ago at most. 400 while it is not provisioned.",
    answer=provisioning.ServerInfoResponseSchema,
    refusals=_REFUSALS,
)
async def get_server_info(call: Call) -> web.Response:
    item = await _own_item(call)
    check_provisioned(item)
    try:
        server = server_of(item, await call.deps.servers.states(item.provider))
    except (KeyError, ProviderAway, ProviderRefused) as error:
        raise ServerProviderFailed(f"The provider {item.provider} does not answer: {error}") from None
    if server is None:
        raise ServerProviderFailed(f"The provider {item.provider} does not know the server")
    return call.answer(server_info_view(item, server, call.deps.policy.dns_domain))


@operation(
    "POST",
    f"{_ITEM}/actions/start",
    id="startSubscriptionItemServer",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Switch a server on",
    description="Answers once the provider has taken it. 400 while the server is not provisioned, 409 while it is "
    "being switched.",
    answer=provisioning.ServerActionResponseSchema,
    refusals=_SWITCH_REFUSALS,
)
async def start_server(call: Call) -> web.Response:
    return await _switched(call, "start")


@operation(
    "POST",
    f"{_ITEM}/actions/stop",
    id="stopSubscriptionItemServer",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Shut a server down",
    description="Answers once the provider has taken it. The subscription goes on, and so does its price. "
    "409 while it is being switched.",
    answer=provisioning.ServerActionResponseSchema,
    refusals=_SWITCH_REFUSALS,
)
async def stop_server(call: Call) -> web.Response:
    return await _switched(call, "stop")


@operation(
    "POST",
    f"{_ITEM}/actions/restart",
    id="restartSubscriptionItemServer",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Restart a server",
    description="Answers once the provider has taken it. 400 while the server is not provisioned, 409 while it is "
    "being switched.",
    answer=provisioning.ServerActionResponseSchema,
    refusals=_SWITCH_REFUSALS,
)
async def restart_server(call: Call) -> web.Response:
    return await _switched(call, "restart")


async def _switched(call: Call, power: Power) -> web.Response:
    item = await _own_item(call)
    command = SwitchItem(user_id=call.user_id, subscription_id=item.subscription_id, item_id=item.id, power=power)
    return await call.ask(command, server_action_view, timeout_seconds=SWITCH_SECONDS)


async def _own_item(call: Call) -> SubscriptionItem:
    """The one that the path names. Raises NotFound, also for another customer's."""
    subscription = await own_subscription(call)
    item = call.state.get(SubscriptionItem, call.ids["itemId"])
    if item is None and not subscription.live:
        items = await call.deps.readers.items_of_subscription(call.tenant_id, subscription.id)
        item = next((one for one in items if one.id == call.ids["itemId"]), None)
    if item is None or item.subscription_id != subscription.id:
        raise NotFound("Subscription item")
    return item
