"""An invoice of one subscription on demand: what has elapsed of it, and all that waits to be billed of it."""

from decabilld.actors.tenant.handlers.accrual import charge_elapsed
from decabilld.actors.tenant.handlers.billing import Billing
from decabilld.actors.tenant.indexes import POSITIONS_OF_SUBSCRIPTION
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.checkout_amounts import least_invoiced_minor
from decabilld.domain.entities import Subscription
from decabilld.domain.money import to_decimal
from decabilld.domain.refusals import Invalid, NotFound
from decabilld.messages.commands import InvoiceSubscription
from decabilld.messages.decision import Context, Decision, Entry


def invoice_subscription(state: TenantState, command: InvoiceSubscription, context: Context) -> Decision:
    """Charges [charged through, now) and bills it with every open position; the next charge starts where this ended.

    Raises Invalid, with nothing charged, when there is nothing to bill or too little for an invoice.
    """
    subscription = state.get(Subscription, command.subscription_id)
    if subscription is None:
        raise NotFound("Subscription")
    charged = charge_elapsed(state, subscription, context) if subscription.anchor and subscription.live else Decision()
    after = state.with_changes(charged.changes)
    positions = after.find(POSITIONS_OF_SUBSCRIPTION, subscription.id)
    if not positions:
        raise Invalid(f"There is nothing to bill of subscription {subscription.number}")
    billing = Billing(after, context)
    issued = billing.bill_positions(subscription.user_id, positions, "subscription")
    if issued is None:
        currency = subscription.terms.currency
        least = to_decimal(least_invoiced_minor(currency, context.policy), currency)
        raise Invalid(f"What is to bill of subscription {subscription.number} is less than {least}; it waits")
    created = Entry(
        kind="invoice.created",
        message=f"Subscription {subscription.number} billed on demand",
        entity=issued,
        user_id=issued.user_id,
        invoice_id=issued.id,
        data={"subscription_id": subscription.id, "description": command.description},
    )
    return Decision(
        reply=issued,
        changes=(*charged.changes, *billing.changes),
        entries=(*charged.entries, created, *billing.entries),
        effects=(*charged.effects, *billing.effects),
    )
