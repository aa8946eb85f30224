"""What came of asking a provider, and what it means for the subscription that waits for it or has ended.

Owns the way from order to running server and from the end to nothing left. Backorders are `backorders.py`'s, the
single steps `items.py`'s.
"""

from msgspec.structs import replace

from decabilld.actors.tenant.handlers import notices
from decabilld.actors.tenant.handlers.accrual import begun, first_advance_charge, never_begun, pass_boundaries
from decabilld.actors.tenant.handlers.backorders import fulfilled, put_back
from decabilld.actors.tenant.handlers.items import abandon, begin, item_entry
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Entity, Subscription, SubscriptionItem
from decabilld.domain.lifecycle import SUBSCRIPTION, step
from decabilld.domain.refusals import Conflict, Invalid, NotFound, ServerProviderFailed
from decabilld.messages.commands import (
    ConfirmNamePublished,
    ConfirmServerAddress,
    ConfirmServerCreated,
    ConfirmServerRefused,
    ConfirmServerRemoved,
    ConfirmSwitched,
    ReportReturnedServer,
    ReportStackUpdate,
    ReportVanishedServer,
    SwitchItem,
)
from decabilld.messages.commands.servers import ItemOutcome
from decabilld.messages.decision import Context, Decision, Deferred, Effect, Entry


def confirm_server_created(state: TenantState, command: ConfirmServerCreated, context: Context) -> Decision:
    item, subscription = _concerned(state, command)
    if item.step != "create":
        return _known_already()
    made = replace(item, step=None, server_id=command.server_id, public_ip=command.public_ip, failure=None)
    entry = item_entry("server.created", f"Server {made.hostname} created", made, server_id=command.server_id)
    return _onwards(state, made, subscription, entry, context)


def confirm_server_address(state: TenantState, command: ConfirmServerAddress, context: Context) -> Decision:
    item, subscription = _concerned(state, command)
    if item.step != "await_address":
        return _known_already()
    reached = replace(item, step=None, server_id=command.server_id, public_ip=command.public_ip)
    entry = item_entry(
        "server.addressed", f"Server {reached.hostname} has an address", reached, address=command.public_ip
    )
    return _onwards(state, reached, subscription, entry, context)


def confirm_name_published(state: TenantState, command: ConfirmNamePublished, context: Context) -> Decision:
    """A name that can't be published keeps no server from running: it is said, and the address serves."""
    item, subscription = _concerned(state, command)
    if item.step != "publish_name":
        return _known_already()
    if command.failure is None:
        entry = item_entry("server.name_published", f"{item.hostname} is published", item)
    else:
        level = "error" if item.unwanted_since is None else "info"
        entry = item_entry(
            "server.name_refused", f"{item.hostname} can't be published: {command.failure}", item, level=level
        )
    named = replace(item, step=None)
    if item.unwanted_since is not None:
        return _removed_next(named, entry, context)
    return _ready(state, named, subscription, entry, context)


def confirm_server_refused(state: TenantState, command: ConfirmServerRefused, context: Context) -> Decision:
    """No server: with autoBackorder the order waits for one, else it ends. Nothing was charged, nothing will be."""
    item, subscription = _concerned(state, command)
    if item.step != command.step:
        return _known_already()
    refused = replace(item, step=None, failure=command.reason, updated_at=context.now)
    entry = item_entry(
        "server.refused",
        f"No server {item.hostname}: {command.reason}",
        refused,
        level="warning",
        reason=command.reason,
        no_capacity=command.no_capacity,
    )
    if item.unwanted_since is not None:
        return _removed_next(refused, entry, context)
    if subscription.status == "pending_backorder" or (item.auto_backorder and subscription.status == "active"):
        after = put_back(state, refused, subscription, command.reason, context, no_capacity=command.no_capacity)
        return replace(after, entries=(entry, *after.entries))
    ended = replace(
        never_begun(subscription),
        status=step(SUBSCRIPTION, subscription.status, "refused_for_good"),
        ended_at=context.now,
        updated_at=context.now,
    )
    left, effects = abandon(replace(refused, provisioning_status="failed"), context)
    told = Entry(
        kind="subscription.refused",
        message=f"Subscription {ended.number} ended: {command.reason}",
        entity=ended,
        user_id=ended.user_id,
        level="warning",
        data={"reason": command.reason},
    )
    return Decision(
        changes=(left, ended),
        entries=(entry, told),
        effects=(*effects, *notices.order_refused(state, ended, context)),
    )


def confirm_server_removed(state: TenantState, command: ConfirmServerRemoved, context: Context) -> Decision:
    """Nothing outside is left: the hostname is free again, and the secrets are of no more use."""
    item, _ = _concerned(state, command)
    if item.step != "remove":
        return _known_already()
    released = replace(
        item, step=None, released_at=context.now, sealed_secrets=None, config_defaults={}, updated_at=context.now
    )
    entry = item_entry("server.removed", f"Server {item.hostname} removed", released, server_id=item.server_id)
    return Decision(changes=(released,), entries=(entry,))


def switch_item(state: TenantState, command: SwitchItem, context: Context) -> Decision:
    item = state.get(SubscriptionItem, command.item_id)
    if item is None or item.subscription_id != command.subscription_id or item.user_id != command.user_id:
        raise NotFound("Subscription item")
    check_provisioned(item)
    if item.step is not None:
        raise Conflict("The server is being switched at this moment; try again shortly")
    switching, effect = begin(item, "switch", context, power=command.power)
    entry = item_entry("server.switch_asked", f"{command.power} of {item.hostname} asked for", switching)
    return Decision(reply=Deferred(effect.id), changes=(switching,), entries=(entry,), effects=(effect,))


def check_provisioned(item: SubscriptionItem) -> None:
    """Raises Invalid for an item without a running server."""
    if item.provisioning_status != "active" or item.unwanted_since is not None:
        raise Invalid("The server is not provisioned")


def confirm_switched(state: TenantState, command: ConfirmSwitched, context: Context) -> Decision:
    item, _ = _concerned(state, command)
    if item.step != "switch":
        return _known_already()
    if command.failure is None:
        entry = item_entry("server.switched", f"{command.power} of {item.hostname} done", item)
        return after_switch(item, entry, item, context)
    message = f"{command.power} of {item.hostname} failed: {command.failure}"
    entry = item_entry("server.switch_failed", message, item, level="warning")
    return after_switch(item, entry, ServerProviderFailed(command.failure), context)


def after_switch(item: SubscriptionItem, entry: Entry, reply: object, context: Context) -> Decision:
    """The item is free for what comes next; its removal has waited, if its subscription has ended meanwhile."""
    free = replace(item, step=None, updated_at=context.now)
    if item.unwanted_since is not None:
        return replace(_removed_next(free, entry, context), reply=reply)
    return Decision(reply=reply, changes=(free,), entries=(entry,))


def report_vanished_server(state: TenantState, command: ReportVanishedServer, context: Context) -> Decision:
    """The item fails and the operator is told; what it means for the customer is for people to settle."""
    item, _ = _concerned(state, command)
    runs = item.provisioning_status == "active" and item.step is None and item.unwanted_since is None
    if not runs or item.server_id != command.server_id:
        return Decision()
    failure = "The provider does not know the server any more"
    failed = replace(item, provisioning_status="failed", failure=failure, updated_at=context.now)
    entry = item_entry("server.vanished", f"Server {item.hostname} is gone: {failure}", failed, level="error")
    return Decision(changes=(failed,), entries=(entry,))


def report_returned_server(state: TenantState, command: ReportReturnedServer, context: Context) -> Decision:
    """It was the provider that didn't know, or a token of another account: the item is as it was before."""
    item, _ = _concerned(state, command)
    lost = item.provisioning_status == "failed" and item.step is None and item.unwanted_since is None
    if not lost or item.server_id != command.server_id:
        return Decision()
    back = replace(item, provisioning_status="active", failure=None, updated_at=context.now)
    entry = item_entry("server.returned", f"Server {item.hostname} is there again", back)
    return Decision(changes=(back,), entries=(entry,))


def report_stack_update(state: TenantState, command: ReportStackUpdate, context: Context) -> Decision:
    item, _ = _concerned(state, command)
    if not item.live:
        return Decision()
    updated = replace(item, stack_updated_at=context.wall, updated_at=context.now)
    if command.failure is None:
        entry = item_entry("server.stack_updated", f"Containers of {item.hostname} are up to date", updated)
    else:
        entry = item_entry(
            "server.stack_update_failed",
            f"Containers of {item.hostname} could not be updated: {command.failure}",
            updated,
            level="warning",
        )
    return Decision(changes=(updated,), entries=(entry,))


def _known_already() -> Decision:
    """The outcome came before, and what follows from it is under way: an effect may run twice."""
    return Decision()


def _onwards(
    state: TenantState, item: SubscriptionItem, subscription: Subscription, entry: Entry, context: Context
) -> Decision:
    """After a step: away with what nobody wants any more, else address, name, ready."""
    if item.unwanted_since is not None:
        return _removed_next(item, entry, context)
    if item.public_ip is None:
        item, effect = begin(item, "await_address", context)
    elif context.policy.dns_domain is not None:
        item, effect = begin(item, "publish_name", context)
    else:
        return _ready(state, item, subscription, entry, context)
    return Decision(changes=(item,), entries=(entry,), effects=(effect,))


def _removed_next(item: SubscriptionItem, entry: Entry, context: Context) -> Decision:
    left, effects = abandon(item, context)
    return Decision(changes=(left,), entries=(entry,), effects=effects)


def _ready(
    state: TenantState, item: SubscriptionItem, subscription: Subscription, entry: Entry, context: Context
) -> Decision:
    """The server is there: a backorder begins now, an order began when it was made; either is charged from then."""
    end = subscription.cancel_effective_at
    if end is not None and end <= context.now:  # it came too late, whether or not the end has been looked at
        ended = pass_boundaries(state.with_changes([item]), subscription, context)
        return replace(ended, reply=None, entries=(entry, *ended.entries))
    # Made just now, of images as they are: its first update is due an interval from now.
    ready = replace(
        item, provisioning_status="active", failure=None, stack_updated_at=context.wall, updated_at=context.now
    )
    changes: list[Entity] = [ready]
    entries = [entry, item_entry("server.ready", f"Server {ready.hostname} is ready", ready, address=ready.public_ip)]
    if subscription.status == "pending_backorder":
        subscription = begun(subscription, context)
        backorder, told = fulfilled(state, ready, subscription, context)
        changes.append(backorder)
        entries.append(told)
    subscription = replace(subscription, awaits_server=False, updated_at=context.now)
    if subscription.terms.bill_in_advance:
        position, accrued = first_advance_charge(subscription, context)
        changes.append(position)
        entries.append(accrued)
        subscription = replace(subscription, charged_through=position.period_end)
    passed = pass_boundaries(state.with_changes([ready]), subscription, context)
    domain = context.policy.dns_domain
    name = ready.hostname if domain is None else f"{ready.hostname}.{domain}"
    effects: tuple[Effect, ...] = notices.server_ready(state, subscription, name, ready.public_ip, context)
    return Decision(
        changes=(*changes, *passed.changes),
        entries=(*entries, *passed.entries),
        effects=(*effects, *passed.effects),
    )


def _concerned(state: TenantState, command: ItemOutcome) -> tuple[SubscriptionItem, Subscription]:
    item, subscription = state.get(SubscriptionItem, command.item_id), state.get(Subscription, command.subscription_id)
    assert item is not None, "an effect names the item that it was written with"
    assert subscription is not None, "an item belongs to a subscription"
    return item, subscription
