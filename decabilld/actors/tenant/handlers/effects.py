"""The end of effects that change nothing else: done, or given up for the operator to see."""

from msgspec.structs import replace

from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Entity, Invoice, PaymentAttempt, User
from decabilld.domain.refusals import PaymentProviderFailed
from decabilld.messages.commands import ConfirmEffectDone, GiveUpEffect
from decabilld.messages.decision import Context, Decision, Entry


def confirm_effect_done(state: TenantState, command: ConfirmEffectDone, context: Context) -> Decision:
    """Nothing but its row of the outbox changes, which the turn sees to."""
    return Decision()


def give_up_effect(state: TenantState, command: GiveUpEffect, context: Context) -> Decision:
    """The row stays, marked; the journal says so. Whoever waited for the outcome is told, and may ask again."""
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
