"""What customers are told by mail: one function a fact, called by the decision that makes the fact.

Owns to whom a notice goes and which facts it bears, fixed as they are now. The words are the mail gateway's. Nothing
is to be sent without a mail server (`policy.mail`) or an address.
"""

from typing import Literal

from decabilld.actors.tenant.indexes import PROFILE_OF_USER
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Id, Invoice, Subscription, User
from decabilld.messages.decision import Context, Effect
from decabilld.messages.effects import (
    InvoiceFacts,
    InvoiceLetter,
    MailDocument,
    RenderDocument,
    SendNotice,
    SubscriptionFacts,
    SubscriptionLetter,
)


def address_of(state: TenantState, user_id: Id) -> str | None:
    """Where a customer reads mail: the profile's address, else the one that they sign in with."""
    profile, user = state.first(PROFILE_OF_USER, user_id), state.get(User, user_id)
    return (profile and profile.email) or (user and user.email) or None


def name_of(state: TenantState, user_id: Id) -> str:
    profile = state.first(PROFILE_OF_USER, user_id)
    return "" if profile is None else f"{profile.first_name or ''} {profile.last_name or ''}".strip()


def invoice_issued(state: TenantState, invoice: Invoice, context: Context) -> Effect:
    """The document to make, and to mail."""
    return _document(state, invoice, "invoice_issued", "invoice", context)


def invoice_voided(state: TenantState, invoice: Invoice, context: Context) -> Effect:
    """The credit note to make, and to mail."""
    return _document(state, invoice, "invoice_voided", "credit_note", context)


def payment_succeeded(
    state: TenantState, invoice: Invoice, amount_minor: int, context: Context
) -> tuple[SendNotice, ...]:
    """`invoice` is as it stands after that payment."""
    return _of_invoice(state, invoice, "payment_succeeded", context, amount_minor)


def payment_failed(state: TenantState, invoice: Invoice, amount_minor: int, context: Context) -> tuple[SendNotice, ...]:
    return _of_invoice(state, invoice, "payment_failed", context, amount_minor)


def invoice_overdue(state: TenantState, invoice: Invoice, context: Context) -> tuple[SendNotice, ...]:
    return _of_invoice(state, invoice, "invoice_overdue", context)


def renewal_reminder(state: TenantState, subscription: Subscription, context: Context) -> tuple[SendNotice, ...]:
    return _of_subscription(state, subscription, "renewal_reminder", context)


def subscription_ordered(state: TenantState, subscription: Subscription, context: Context) -> tuple[SendNotice, ...]:
    return _of_subscription(state, subscription, "subscription_ordered", context)


def cancel_scheduled(state: TenantState, subscription: Subscription, context: Context) -> tuple[SendNotice, ...]:
    return _of_subscription(state, subscription, "cancel_scheduled", context)


def subscription_ended(state: TenantState, subscription: Subscription, context: Context) -> tuple[SendNotice, ...]:
    """One that never began is told as an order that was cancelled: there is no last invoice."""
    template: SubscriptionLetter = "order_cancelled" if subscription.anchor is None else "subscription_ended"
    return _of_subscription(state, subscription, template, context)


def order_backordered(state: TenantState, subscription: Subscription, context: Context) -> tuple[SendNotice, ...]:
    """The order waits for capacity."""
    return _of_subscription(state, subscription, "order_backordered", context)


def order_refused(state: TenantState, subscription: Subscription, context: Context) -> tuple[SendNotice, ...]:
    """Capacity is gone for good: the subscription has ended, and nothing is billed."""
    return _of_subscription(state, subscription, "order_refused", context)


def server_ready(
    state: TenantState, subscription: Subscription, hostname: str | None, address: str | None, context: Context
) -> tuple[SendNotice, ...]:
    """`hostname` is the full name, `address` the public IP address."""
    return _of_subscription(state, subscription, "server_ready", context, hostname=hostname, address=address)


def _document(
    state: TenantState,
    invoice: Invoice,
    template: Literal["invoice_issued", "invoice_voided"],
    document: Literal["invoice", "credit_note"],
    context: Context,
) -> Effect:
    to = address_of(state, invoice.user_id) if context.policy.mail else None
    if to is None:
        return RenderDocument(id=context.new_id(), invoice_id=invoice.id, document=document)
    return MailDocument(
        id=context.new_id(),
        template=template,
        to=to,
        name=name_of(state, invoice.user_id),
        user_id=invoice.user_id,
        invoice_id=invoice.id,
        document=document,
        facts=_facts(invoice, None),
    )


def _of_invoice(
    state: TenantState, invoice: Invoice, template: InvoiceLetter, context: Context, amount_minor: int | None = None
) -> tuple[SendNotice, ...]:
    to = address_of(state, invoice.user_id) if context.policy.mail else None
    if to is None:
        return ()
    notice = SendNotice(
        id=context.new_id(),
        template=template,
        to=to,
        name=name_of(state, invoice.user_id),
        user_id=invoice.user_id,
        invoice_id=invoice.id,
        facts=_facts(invoice, amount_minor),
    )
    return (notice,)


def _facts(invoice: Invoice, amount_minor: int | None) -> InvoiceFacts:
    return InvoiceFacts(
        number=invoice.number or "",
        credit_note_number=invoice.credit_note_number,
        currency=invoice.currency,
        total_minor=invoice.total_gross_minor,
        balance_minor=invoice.balance_minor,
        amount_minor=amount_minor,
        due_date=invoice.due_date,
    )


def _of_subscription(
    state: TenantState,
    subscription: Subscription,
    template: SubscriptionLetter,
    context: Context,
    *,
    hostname: str | None = None,
    address: str | None = None,
) -> tuple[SendNotice, ...]:
    to = address_of(state, subscription.user_id) if context.policy.mail else None
    if to is None:
        return ()
    terms = subscription.terms
    notice = SendNotice(
        id=context.new_id(),
        template=template,
        to=to,
        name=name_of(state, subscription.user_id),
        user_id=subscription.user_id,
        subscription_id=subscription.id,
        facts=SubscriptionFacts(
            number=subscription.number,
            plan_name=terms.plan_name,
            price_minor=terms.price_minor,
            currency=terms.currency,
            interval=terms.interval,
            interval_count=terms.interval_count,
            at=subscription.ended_at or subscription.cancel_effective_at or subscription.period_end,
            hostname=hostname,
            address=address,
        ),
    )
    return (notice,)
