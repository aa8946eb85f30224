"""The end of effects that change nothing else: done, or given up for the operator to see."""

from msgspec.structs import replace

from decabilld.actors.tenant.handlers.items import item_entry
from decabilld.actors.tenant.handlers.servers import after_switch, confirm_name_published, confirm_server_refused
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Entity, Invoice, PaymentAttempt, SubscriptionItem, User
from decabilld.domain.refusals import PaymentProviderFailed, ServerProviderFailed
from decabilld.messages.commands import ConfirmEffectDone, ConfirmNamePublished, ConfirmServerRefused, GiveUpEffect
from decabilld.messages.decision import Context, Decision, Entry
from decabilld.messages.server_effects import AwaitAddress, CreateForBackorder, CreateServer, PublishName


def confirm_effect_done(state: TenantState, command: ConfirmEffectDone, context: Context) -> Decision:
    """Nothing but its row of the outbox changes, which the turn sees to."""
    return Decision()


def give_up_effect(state: TenantState, command: GiveUpEffect, context: Context) -> Decision:
    """The row stays, marked; the journal says so. Whoever waited for the outcome is told, and may ask again."""
    if command.item_id is not None and command.subscription_id is not None:
        return _give_up_server(state, command, context)
    message = f"{command.effect_kind} was given up: {command.reason}"
    attempt = state.get(PaymentAttempt, command.effect_id)
    changes: tuple[Entity, ...] = ()
    if attempt is not None and attempt.status == "opening":
        changes = (replace(attempt, failure=command.reason, updated_at=context.wall),)
    entity = attempt or state.get(Invoice, command.invoice_id) or state.get(User, command.user_id)
    if entity is None:
        return Decision(reply=PaymentProviderFailed(message))
    entry = Entry(
        kind="effect.given_up",
        message=message,
        entity=entity,
        user_id=entity.id if isinstance(entity, User) else entity.user_id,
        invoice_id=command.invoice_id,
        level="error",
        data={"effect_id": command.effect_id},
    )
    return Decision(reply=PaymentProviderFailed(message), changes=changes, entries=(entry,))


def _give_up_server(state: TenantState, command: GiveUpEffect, context: Context) -> Decision:
    """As if the provider had refused: the order goes on without the name, waits as a backorder, or ends."""
    assert command.item_id is not None
    assert command.subscription_id is not None
    concerned = {"item_id": command.item_id, "subscription_id": command.subscription_id}
    item = state.get(SubscriptionItem, command.item_id)
    assert item is not None, "an effect names the item that it was written with"
    if command.effect_kind == PublishName.__name__:
        return confirm_name_published(state, ConfirmNamePublished(**concerned, failure=command.reason), context)
    if command.effect_kind in (CreateServer.__name__, CreateForBackorder.__name__, AwaitAddress.__name__):
        refused = ConfirmServerRefused(
            **concerned,
            step="await_address" if command.effect_kind == AwaitAddress.__name__ else "create",
            reason=command.reason,
            no_capacity=True,
        )
        return confirm_server_refused(state, refused, context)
    message = f"{command.effect_kind} was given up: {command.reason}"
    entry = item_entry("effect.given_up", message, item, level="error", effect_id=command.effect_id)
    reply = ServerProviderFailed(command.reason)
    if item.step == "switch":
        return after_switch(item, entry, reply, context)
    return Decision(reply=reply, entries=(entry,))
