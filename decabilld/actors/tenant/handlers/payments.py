"""Paying by Stripe Checkout: attempts, from the wish to pay to the page to pay on.

How a page is closed is `attempts.py`'s; what Stripe then tells of them `payment_events.py`'s, and what it didn't tell
`payment_reconciliation.py`'s.
"""

from datetime import timedelta

from msgspec.structs import replace

from decabilld.actors.tenant.handlers.attempts import attempt_entry, close, close_others, fits
from decabilld.actors.tenant.handlers.invoices import invoice_of
from decabilld.actors.tenant.handlers.notices import address_of
from decabilld.actors.tenant.handlers.processor_customers import with_address_told
from decabilld.actors.tenant.indexes import ATTEMPTS_OF_INVOICE, PROFILE_OF_USER
from decabilld.actors.tenant.state import TenantState
from decabilld.domain import invoices
from decabilld.domain.entities import Id, Invoice, PaymentAttempt
from decabilld.domain.money import to_decimal
from decabilld.domain.refusals import (
    Invalid,
    PaymentNotConfigured,
    PaymentProviderFailed,
    PaymentProviderTimedOut,
    Refusal,
)
from decabilld.messages.commands import (
    ConfirmCheckoutFailed,
    ConfirmCheckoutOpened,
    InitiatePayment,
)
from decabilld.messages.decision import Context, Decision, Deferred, Entry
from decabilld.messages.effects import OpenCheckout

KEY_KEPT = timedelta(hours=23)
"""How long the processor knows an idempotency key (Stripe: at least 24 h), with an hour to spare."""


def initiate_payment(state: TenantState, command: InitiatePayment, context: Context) -> Decision:
    """A live attempt over the same balance is answered again; one in doubt is asked for again under its own key.

    A new one closes those that are left.
    """
    invoice = invoice_of(state, command.invoice_id, user_id=command.user_id, subscription_id=command.subscription_id)
    if not context.policy.online_payment:
        raise PaymentNotConfigured("Online payment is not configured")
    if not invoices.can_pay(invoice, context.policy):
        balance = f"balance {to_decimal(invoice.balance_minor, invoice.currency)} {invoice.currency}"
        raise Invalid(f"Invoice {invoice.number} can't be paid online (status {invoice.status}, {balance})")
    for attempt in state.find(ATTEMPTS_OF_INVOICE, invoice.id):
        if attempt.status == "processing":
            raise Invalid(f"A payment of invoice {invoice.number} is under way; the bank takes some days")
        if attempt.amount_minor != invoice.balance_minor:
            continue
        if attempt.status == "open" and attempt.expires_at is not None and attempt.expires_at > context.wall:
            return Decision(reply=attempt)
        if attempt.status == "opening" and attempt.created_at + KEY_KEPT > context.wall:
            return _ask_again(invoice, attempt, context)
    profile = state.first(PROFILE_OF_USER, invoice.user_id)
    attempt = PaymentAttempt(
        id=context.new_id(),
        invoice_id=invoice.id,
        user_id=invoice.user_id,
        amount_minor=invoice.balance_minor,
        currency=invoice.currency,
        status="opening",
        customer_email=address_of(state, invoice.user_id),
        stripe_customer_id=profile.stripe_customer_id if profile else None,
        created_at=context.wall,
        updated_at=context.wall,
    )
    return _open(invoice, attempt).along_with(close_others(state, invoice.id, context))


def confirm_checkout_opened(state: TenantState, command: ConfirmCheckoutOpened, context: Context) -> Decision:
    """What was paid, voided or changed while the checkout opened is refused, and the checkout closed."""
    attempt = _attempt(state, command.attempt_id)
    if attempt.status != "opening":
        return Decision(reply=attempt)
    opened = replace(
        attempt,
        status="open",
        session_id=command.session_id,
        checkout_url=command.checkout_url,
        expires_at=command.expires_at,
        failure=None,
        updated_at=context.wall,
    )
    entry = attempt_entry("payment.checkout_opened", "Checkout session opened", opened, session_id=command.session_id)
    kept = _customer_kept(state, attempt, command.customer_id, context)
    decision = Decision(reply=opened, changes=(opened,), entries=(entry,)).along_with(kept)
    if fits(state, opened):
        return decision
    refusal = Invalid("What is owed has changed meanwhile; look at the invoice again")
    return replace(decision, reply=refusal).along_with(close([opened], context))


def confirm_checkout_failed(state: TenantState, command: ConfirmCheckoutFailed, context: Context) -> Decision:
    """Refused for good: the attempt failed. In doubt: a session may exist, so the attempt is kept and asked again."""
    attempt = _attempt(state, command.attempt_id)
    if attempt.status != "opening":
        return Decision(reply=attempt)  # an effect may run twice, and the outcome that came first counts
    status = "opening" if command.in_doubt else "failed"
    failed = replace(attempt, status=status, failure=command.reason, updated_at=context.wall)
    kind = "payment.checkout_in_doubt" if command.in_doubt else "payment.checkout_failed"
    entry = attempt_entry(kind, command.reason, failed, level="warning")
    refusal: Refusal = (PaymentProviderTimedOut if command.timed_out else PaymentProviderFailed)(command.reason)
    kept = _customer_kept(state, attempt, command.customer_id, context)
    return Decision(reply=refusal, changes=(failed,), entries=(entry,)).along_with(kept)


def _ask_again(invoice: Invoice, attempt: PaymentAttempt, context: Context) -> Decision:
    if attempt.failure is None:
        return Decision(reply=Deferred(attempt.id))
    return _open(invoice, replace(attempt, failure=None, updated_at=context.wall))


def _open(invoice: Invoice, attempt: PaymentAttempt) -> Decision:
    effect = OpenCheckout(
        id=attempt.id,
        invoice_id=invoice.id,
        invoice_number=invoice.number or "",
        subscription_id=invoice.subscription_id,
        user_id=invoice.user_id,
        customer_email=attempt.customer_email,
        customer_id=attempt.stripe_customer_id,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
    )
    entry = attempt_entry("payment.initiated", f"Payment of invoice {invoice.number} initiated", attempt)
    return Decision(reply=Deferred(effect.id), changes=(attempt,), entries=(entry,), effects=(effect,))


def _customer_kept(state: TenantState, attempt: PaymentAttempt, customer_id: str | None, context: Context) -> Decision:
    """Stripe's customer in the profile, unless there is none any more, or an admin has set another meanwhile."""
    profile = state.first(PROFILE_OF_USER, attempt.user_id)
    if profile is None or customer_id in (None, profile.stripe_customer_id):
        return Decision()
    if profile.stripe_customer_id != attempt.stripe_customer_id:
        return Decision()
    kept = replace(profile, stripe_customer_id=customer_id, updated_at=context.now)
    entry = Entry(
        kind="customer_profile.updated",
        message="Customer at Stripe noted",
        entity=kept,
        user_id=attempt.user_id,
        data={"fields": ["stripe_customer_id"]},
    )
    decision = Decision(changes=(kept,), entries=(entry,))
    return with_address_told(state, decision, attempt.user_id, context, known=attempt.customer_email)


def _attempt(state: TenantState, attempt_id: Id) -> PaymentAttempt:
    attempt = state.get(PaymentAttempt, attempt_id)
    assert attempt is not None, "an effect's outcome names the attempt that it was written with"
    return attempt
