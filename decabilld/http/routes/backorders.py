"""Orders that wait for capacity: look, try again, give up."""

from typing import Any

from aiohttp import web

from decabilld.domain.entities import Backorder, SubscriptionItem
from decabilld.domain.refusals import NotFound
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.http.schemas import common, provisioning
from decabilld.http.views.provisioning import backorder_view
from decabilld.messages.commands import CancelBackorder, RetryBackorder

TAG = "Backorders"


@operation(
    "GET",
    "/backorders",
    id="listBackorders",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="List one's backorders",
    description="Also those that were fulfilled or cancelled, newest first.",
    answer=[provisioning.BackorderResponseSchema],
    query=common.PageQuery,
)
async def list_backorders(call: Call) -> web.Response:
    page = await call.deps.readers.backorders_of_user(call.tenant_id, call.user_id, **call.query)
    items = await call.deps.readers.items(call.tenant_id, [one.item_id for one in page])
    shown = [backorder_view(one, call.deps.servers.wishes(call.tenant_id, items[one.item_id])) for one in page]
    return call.answer(shown)


@operation(
    "POST",
    "/backorders/{id}/retry",
    id="retryBackorder",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Try a backorder again now",
    description="What `overrideConfig` says replaces what was asked for, field by field; null takes a field out. "
    "409 for other wishes while it is being tried.",
    answer=provisioning.BackorderResponseSchema,
    body=provisioning.BackorderRetryDtoSchema,
    body_required=False,
    refusals=(404, 409),
)
async def retry_backorder(call: Call) -> web.Response:
    item, override = await _own_item(call), call.body.get("override_config")
    command = RetryBackorder(user_id=call.user_id, backorder_id=call.ids["id"], reason=call.body.get("reason"))
    if not override or item is None:
        wishes = _wishes(call, item)
        return await call.ask(command, lambda backorder: backorder_view(backorder, wishes))
    wishes = _overridden(_wishes(call, item), override)
    command = RetryBackorder(
        user_id=command.user_id,
        backorder_id=command.backorder_id,
        reason=command.reason,
        config=wishes,
        sealed=call.deps.servers.resealed(call.tenant_id, item, wishes),
    )
    return await call.ask(command, lambda backorder: backorder_view(backorder, wishes))


@operation(
    "POST",
    "/backorders/{id}/cancel",
    id="cancelBackorder",
    auth=Auth.CUSTOMER,
    tag=TAG,
    summary="Cancel a backorder",
    description="Its subscription ends with it; nothing is billed.",
    answer=provisioning.BackorderResponseSchema,
    body=provisioning.BackorderCancelDtoSchema,
    body_required=False,
    refusals=(404,),
)
async def cancel_backorder(call: Call) -> web.Response:
    wishes = _wishes(call, await _own_item(call))
    command = CancelBackorder(user_id=call.user_id, backorder_id=call.ids["id"], **call.body)
    return await call.ask(command, lambda backorder: backorder_view(backorder, wishes))


async def _own_item(call: Call) -> SubscriptionItem | None:
    """Of the backorder that the path names; None once it has been released. Raises NotFound, also for another's."""
    backorder = call.state.get(Backorder, call.ids["id"]) or await call.deps.readers.backorder(
        call.tenant_id, call.ids["id"]
    )
    if backorder is None or backorder.user_id != call.user_id:
        raise NotFound("Backorder")
    return call.state.get(SubscriptionItem, backorder.item_id)


def _wishes(call: Call, item: SubscriptionItem | None) -> dict[str, Any]:
    return {} if item is None else call.deps.servers.wishes(call.tenant_id, item)


def _overridden(wishes: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """`region` and `location` are one thing: the new one takes the place of either."""
    if "region" in override or "location" in override:
        wishes = {name: value for name, value in wishes.items() if name not in ("region", "location")}
    nested = {name: value for name, value in override.items() if isinstance(value, dict)}
    merged = {**wishes, **override, **{name: {**(wishes.get(name) or {}), **part} for name, part in nested.items()}}
    return {name: value for name, value in merged.items() if value is not None}
