"""Effects at Stripe: each to the command that reports its outcome. Knows no rule; the SDK is `checkout.py`'s alone."""

from contextlib import suppress
from typing import TYPE_CHECKING

from decabilld.actors.ports import GivenUp
from decabilld.domain.ids import id_of
from decabilld.domain.refusals import PaymentProviderFailed, PaymentProviderTimedOut, PaymentProviderUnreachable
from decabilld.gateways.stripe.answers import CheckoutSession, CustomerMissing, FoundSession, SessionMissing
from decabilld.messages.commands import (
    ApplyPaymentEvent,
    ConfirmCheckoutFailed,
    ConfirmCheckoutMissing,
    ConfirmCheckoutOpened,
    ConfirmCustomerUpdated,
    ConfirmEffectDone,
)
from decabilld.messages.decision import Command, Effect
from decabilld.messages.effects import AskCheckout, CloseCheckout, OpenCheckout, UpdateCustomer

if TYPE_CHECKING:
    from decabilld.gateways.stripe.checkout import StripeCheckout


class CheckoutEffects:
    """`stripe` None: no more.

    A failure to open or to ask is an outcome, told at once: only a crash leads to another try by the outbox. A failure
    to close or to update is tried again.
    """

    def __init__(self, stripe: "StripeCheckout | None", *, success_url: str, cancel_url: str) -> None:
        self._stripe, self._success_url, self._cancel_url = stripe, success_url, cancel_url

    async def open_checkout(self, tenant_id: str, effect: Effect) -> Command:
        """A session of the customer that is known; one is made where none is, or that one is missing."""
        assert isinstance(effect, OpenCheckout)
        if self._stripe is None:
            return ConfirmCheckoutFailed(attempt_id=effect.id, reason="Online payment is not configured any more")
        deadline, customer_id = self._stripe.deadline(), effect.customer_id
        in_doubt = timed_out = False
        try:
            if customer_id is None:
                customer_id = await self._customer(self._stripe, tenant_id, effect, None, deadline)
            try:
                session = await self._session(self._stripe, tenant_id, effect, customer_id, deadline)
            except CustomerMissing:
                customer_id = await self._customer(self._stripe, tenant_id, effect, customer_id, deadline)
                session = await self._session(self._stripe, tenant_id, effect, customer_id, deadline, instead=True)
        except PaymentProviderUnreachable as failed:
            reason, in_doubt = failed.message, True
        except PaymentProviderFailed as failed:
            reason = failed.message
        except PaymentProviderTimedOut as late:
            reason, in_doubt, timed_out = late.message, True, True
        else:
            return ConfirmCheckoutOpened(
                attempt_id=effect.id,
                customer_id=customer_id,
                session_id=session.session_id,
                checkout_url=session.url,
                expires_at=session.expires_at,
            )
        return ConfirmCheckoutFailed(
            attempt_id=effect.id, customer_id=customer_id, reason=reason, in_doubt=in_doubt, timed_out=timed_out
        )

    async def ask_checkout(self, tenant_id: str, effect: Effect) -> Command:
        """What the webhooks would have told; `ConfirmEffectDone` if Stripe says nothing now."""
        assert isinstance(effect, AskCheckout)
        if self._stripe is None:
            return ConfirmEffectDone()
        deadline = self._stripe.deadline()
        try:
            found = (
                await self._stripe.session(effect.session_id, deadline=deadline)
                if effect.session_id is not None
                else await self._stripe.find_session(
                    effect.attempt_id, since=effect.created_at, until=effect.updated_at, deadline=deadline
                )
            )
        except SessionMissing:
            found = None
        except (PaymentProviderFailed, PaymentProviderTimedOut):
            return ConfirmEffectDone()
        if found is None:
            return ConfirmCheckoutMissing(attempt_id=effect.attempt_id, updated_at=effect.updated_at)
        return _as_told(effect, found)

    async def close_checkout(self, tenant_id: str, effect: Effect) -> Command:
        """How it stands once nobody can pay it any more, whoever saw to that. Raises what keeps us from knowing."""
        assert isinstance(effect, CloseCheckout)
        stripe = self._configured()
        try:
            found = await stripe.expire_session(effect.session_id, deadline=stripe.deadline())
        except SessionMissing:
            return ConfirmCheckoutMissing(attempt_id=effect.attempt_id, updated_at=effect.updated_at)
        return _as_told(effect, found)

    async def update_customer(self, tenant_id: str, effect: Effect) -> Command:
        """One that is gone is made anew by the next payment, with the address of then."""
        assert isinstance(effect, UpdateCustomer)
        stripe = self._configured()
        with suppress(CustomerMissing):
            await stripe.update_customer(effect.customer_id, email=effect.email, deadline=stripe.deadline())
        return ConfirmCustomerUpdated(user_id=effect.user_id, customer_id=effect.customer_id, email=effect.email)

    def _configured(self) -> "StripeCheckout":
        if self._stripe is None:
            raise GivenUp("online payment is not configured any more")
        return self._stripe

    async def _customer(
        self, stripe: "StripeCheckout", tenant_id: str, effect: OpenCheckout, instead_of: str | None, deadline: float
    ) -> str:
        return await stripe.create_customer(
            tenant_id=tenant_id,
            user_id=effect.user_id,
            email=effect.customer_email,
            instead_of=instead_of,
            deadline=deadline,
        )

    async def _session(
        self,
        stripe: "StripeCheckout",
        tenant_id: str,
        effect: OpenCheckout,
        customer_id: str,
        deadline: float,
        *,
        instead: bool = False,
    ) -> CheckoutSession:
        return await stripe.open_session(
            attempt_id=effect.id,
            amount_minor=effect.amount_minor,
            currency=effect.currency,
            invoice_number=effect.invoice_number,
            invoice_id=effect.invoice_id,
            subscription_id=effect.subscription_id,
            user_id=effect.user_id,
            tenant_id=tenant_id,
            customer_id=customer_id,
            success_url=self._success_url,
            cancel_url=self._cancel_url,
            deadline=deadline,
            instead=instead,
        )


def _as_told(effect: AskCheckout | CloseCheckout, found: FoundSession) -> Command:
    """A session's standing in the words of a webhook; its event id is the same however often the effect finds it so."""
    standing = found.standing
    if standing == "open":
        return ConfirmCheckoutOpened(
            attempt_id=effect.attempt_id,
            session_id=found.session_id,
            checkout_url=found.url or "",
            expires_at=found.expires_at,
        )
    asked = "close" if isinstance(effect, CloseCheckout) else "reconcile"
    event_id = f"{asked}:{found.session_id}:{standing}"
    return ApplyPaymentEvent(
        record_id=id_of("stripe_event", event_id),
        event_id=event_id,
        type=f"{asked}.{standing}",
        outcome=standing,
        invoice_id=effect.invoice_id,
        attempt_id=effect.attempt_id,
        amount_minor=found.amount_minor,
        currency=found.currency,
        reference=found.payment_intent or found.session_id,
    )
