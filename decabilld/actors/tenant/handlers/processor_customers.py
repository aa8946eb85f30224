"""The customer at the payment processor, whose receipts go to the e-mail address that we have told it.

Owns when it is told another one; nothing else of a profile is passed on. That a customer is made, with the first
payment, is `payments.py`'s.
"""

from msgspec.structs import replace

from decabilld.actors.tenant.handlers.notices import address_of
from decabilld.actors.tenant.indexes import PROFILE_OF_USER
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Id
from decabilld.domain.ids import id_of
from decabilld.messages.commands import ConfirmCustomerUpdated
from decabilld.messages.decision import Context, Decision
from decabilld.messages.effects import UpdateCustomer


def with_address_told(
    state: TenantState, decision: Decision, user_id: Id, context: Context, *, known: str | None
) -> Decision:
    """The decision, and the processor told where the user reads mail from now on, unless it knows that: `known`."""
    after = state.with_changes(decision.changes)
    return replace(decision, effects=(*decision.effects, *_told(after, user_id, known, context)))


def confirm_customer_updated(state: TenantState, command: ConfirmCustomerUpdated, context: Context) -> Decision:
    """Told again if the address has changed since the effect began."""
    profile = state.first(PROFILE_OF_USER, command.user_id)
    if profile is None or profile.stripe_customer_id != command.customer_id:
        return Decision()
    return Decision(effects=_told(state, command.user_id, command.email, context))


def _told(state: TenantState, user_id: Id, known: str | None, context: Context) -> tuple[UpdateCustomer, ...]:
    """One effect a user: what waits to be told gives way to what is newer."""
    profile, email = state.first(PROFILE_OF_USER, user_id), address_of(state, user_id)
    if profile is None or profile.stripe_customer_id is None or email in (None, known):
        return ()
    if not context.policy.online_payment:
        return ()
    effect = UpdateCustomer(
        id=id_of("update_customer", user_id),
        user_id=user_id,
        customer_id=profile.stripe_customer_id,
        email=email or "",
    )
    return (effect,)
