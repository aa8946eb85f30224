"""The end of effects that change nothing else: done, or given up for the operator to see."""

from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Invoice, PaymentAttempt
from decabilld.domain.refusals import PaymentProviderFailed
from decabilld.messages.commands import ConfirmEffectDone, GiveUpEffect
from decabilld.messages.decision import Context, Decision, Entry


def confirm_effect_done(state: TenantState, command: ConfirmEffectDone, context: Context) -> Decision:
    """Nothing but its row of the outbox changes, which the turn sees to."""
    return Decision()


def give_up_effect(state: TenantState, command: GiveUpEffect, context: Context) -> Decision:
    """The row stays, marked; the journal says so. Whoever waited for the outcome is told."""
    entity = state.get(Invoice, command.invoice_id) or state.get(PaymentAttempt, command.effect_id)
    message = f"{command.effect_kind} was given up: {command.reason}"
    entries = (
        ()
        if entity is None
        else (
            Entry(
                kind="effect.given_up",
                message=message,
                entity=entity,
                user_id=entity.user_id,
                invoice_id=command.invoice_id,
                level="error",
                data={"effect_id": command.effect_id},
            ),
        )
    )
    return Decision(reply=PaymentProviderFailed(message), entries=entries)
