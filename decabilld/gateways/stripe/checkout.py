"""Asks Stripe through the official SDK: customers made, Checkout sessions opened, found again and expired.

Owns time-outs, retries and what a failure is called. Owns no rule of payment: whether, for whom and how much to pay is
decided before, what a payment does to an invoice after (`webhook.py` reads Stripe's word about it).
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import aiohttp
import stripe
import structlog
from stripe.params import CustomerCreateParams
from stripe.params.checkout import (
    SessionCreateParams,
    SessionCreateParamsLineItem,
    SessionCreateParamsLineItemPriceData,
    SessionListParams,
)

from decabilld.domain.checkout_amounts import from_stripe, to_stripe
from decabilld.domain.ids import id_of
from decabilld.domain.refusals import PaymentProviderFailed, PaymentProviderTimedOut, PaymentProviderUnreachable
from decabilld.gateways.stripe.answers import CheckoutSession, CustomerMissing, FoundSession, SessionMissing

# Telemetry would send latencies and our platform along, and keep an id file in the home directory.
stripe.enable_telemetry = False
# Below this the SDK logs whole bodies: customers' addresses and the URLs where they pay.
logging.getLogger("stripe").setLevel(logging.WARNING)

MAX_TRIES = 5
MAX_PAUSE_SECONDS = 5.0
PAGE, PAGES_MAX = 100, 20
SKEW = timedelta(minutes=10)
"""How far our clock and Stripe's may lie apart."""

Failure = stripe.StripeError | aiohttp.ClientError | TimeoutError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


T = TypeVar("T")


class StripeCheckout:
    """One Stripe account, reached at `api_base`; the SDK's connection pool lives until `close()`.

    All calls of one `deadline` end by it, tries and pauses included; a single try ends within `try_seconds`.
    """

    def __init__(
        self,
        secret_key: str,
        api_base: str,
        *,
        deadline_seconds: float = 30.0,
        try_seconds: float = 10.0,
        first_pause_seconds: float = 0.5,
    ) -> None:
        self._deadline_seconds = deadline_seconds
        self._try_seconds = try_seconds
        self._first_pause_seconds = first_pause_seconds
        self._http = stripe.AIOHTTPClient()
        # No retries by the SDK: it knows no deadline, nor 429, nor a connection that breaks within an answer.
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base.rstrip("/")},
            http_client=self._http,
            max_network_retries=0,
        )

    async def close(self) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]

    def deadline(self) -> float:
        """Of the event loop's time: by when calls that begin now must have ended, several of them together."""
        return asyncio.get_running_loop().time() + self._deadline_seconds

    async def create_customer(
        self, *, tenant_id: str, user_id: str, email: str | None, instead_of: str | None, deadline: float
    ) -> str:
        """The id of a customer for this user. Asked again with the same arguments within 24 h, it is the same one.

        `instead_of` is a customer that is missing. Raises as `open_session` does.
        """
        params: CustomerCreateParams = {"metadata": {"userId": user_id, "tenantId": tenant_id}}
        if email is not None:
            params["email"] = email
        key = id_of("stripe_customer", tenant_id, user_id, email or "", instead_of or "")
        customer = await self._call(
            lambda: self._client.v1.customers.create_async(params, {"idempotency_key": key}), user_id, deadline
        )
        return customer.id

    async def update_customer(self, customer_id: str, *, email: str, deadline: float) -> None:
        """Its receipts go to this address from now on. Raises as `open_session` does."""
        await self._call(
            lambda: self._client.v1.customers.update_async(customer_id, {"email": email}), customer_id, deadline
        )

    async def open_session(
        self,
        *,
        attempt_id: str,
        amount_minor: int,
        currency: str,
        invoice_number: str,
        invoice_id: str,
        subscription_id: str | None,
        user_id: str,
        tenant_id: str,
        customer_id: str,
        success_url: str,
        cancel_url: str,
        deadline: float,
        instead: bool = False,
    ) -> CheckoutSession:
        """The session of this attempt. Asked again with the same arguments within 24 h, it is the same session.

        `amount_minor` counts our minor unit of `currency` (ISO 4217, upper case). `instead`: the customer takes the
        place of the one that the attempt was first told with.
        Raises CustomerMissing, PaymentProviderFailed with Stripe's reason, or PaymentProviderTimedOut. After one of
        the last two the session may exist at Stripe: ask again with the same attempt id, or let it expire unseen.
        """
        metadata = {
            "invoiceId": invoice_id,
            "userId": user_id,
            "tenantId": tenant_id,
            "invoiceNumber": invoice_number,
            "attemptId": attempt_id,
        }
        if subscription_id is not None:
            metadata["subscriptionId"] = subscription_id
        params: SessionCreateParams = {
            "mode": "payment",
            "line_items": [_line_item(invoice_number, amount_minor, currency)],
            "client_reference_id": attempt_id,
            "customer": customer_id,
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
            "success_url": success_url,
            "cancel_url": cancel_url,
        }
        # Stripe answers a key for ever as it first did, also that the customer is missing.
        key = f"{attempt_id}:{customer_id}" if instead else attempt_id
        session = await self._call(
            lambda: self._client.v1.checkout.sessions.create_async(params, {"idempotency_key": key}),
            attempt_id,
            deadline,
        )
        if session.url is None:
            raise PaymentProviderFailed("Stripe opened a session without a page to pay on")
        return CheckoutSession(session_id=session.id, url=session.url, expires_at=_instant(session.expires_at))

    async def session(self, session_id: str, *, deadline: float) -> FoundSession:
        """How a session stands. Raises SessionMissing, PaymentProviderFailed, PaymentProviderTimedOut."""
        return _found(
            await self._call(
                lambda: self._client.v1.checkout.sessions.retrieve_async(session_id, {"expand": ["payment_intent"]}),
                session_id,
                deadline,
            )
        )

    async def expire_session(self, session_id: str, *, deadline: float) -> FoundSession:
        """The session, which can't be paid any more: expired now, or closed before. Raises as `session` does.

        Stripe expires open ones only, and gives no code to tell by why it wouldn't: so we look.
        """
        try:
            return _found(
                await self._call(
                    lambda: self._client.v1.checkout.sessions.expire_async(session_id), session_id, deadline
                )
            )
        except (SessionMissing, PaymentProviderUnreachable):
            raise
        except PaymentProviderFailed:
            found = await self.session(session_id, deadline=deadline)
            if found.standing == "open":
                raise
            return found

    async def find_session(
        self, attempt_id: str, *, since: datetime, until: datetime, deadline: float
    ) -> FoundSession | None:
        """The session that was opened for this attempt between the two instants, if any. Raises as `session` does."""
        params: SessionListParams = {
            "created": {"gte": int((since - SKEW).timestamp()), "lte": int((until + SKEW).timestamp())},
            "limit": PAGE,
            "expand": ["data.payment_intent"],
        }
        for _ in range(PAGES_MAX):
            page = await self._call(lambda: self._client.v1.checkout.sessions.list_async(params), attempt_id, deadline)
            for session in page.data:
                if session.client_reference_id == attempt_id:
                    return _found(session)
            if not page.has_more:
                return None
            params["starting_after"] = page.data[-1].id
        raise PaymentProviderFailed(f"Stripe has more than {PAGE * PAGES_MAX} sessions of that time")

    async def _call(self, ask: Callable[[], Awaitable[T]], about: str, deadline: float) -> T:
        """What Stripe answers, asked again while that may help. `about` is for the log."""
        now = asyncio.get_running_loop().time
        tries = 0
        while True:
            tries += 1
            try:
                async with asyncio.timeout(min(self._try_seconds, deadline - now())):
                    return await ask()
            except (stripe.StripeError, aiohttp.ClientError, TimeoutError) as error:
                failure: Failure = error
            pause = self._pause(failure, tries)
            again = _is_passing(failure) and tries < MAX_TRIES and now() + pause < deadline
            _log_failure(failure, about, tries, again=again)
            if not again:
                # The SDK's exceptions carry whole bodies; they stop here.
                raise _refusal(failure) from None
            await asyncio.sleep(pause)

    def _pause(self, failure: Failure, tries: int) -> float:
        """Seconds before the next try: doubling, between half and all of it, never sooner than Stripe asks for."""
        longest = min(self._first_pause_seconds * (1 << (tries - 1)), MAX_PAUSE_SECONDS)
        jittered = longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        retry_after = _header(failure, "retry-after")
        return max(jittered, float(retry_after)) if retry_after.isdecimal() else jittered


def _line_item(name: str, amount_minor: int, currency: str) -> SessionCreateParamsLineItem:
    """Raises PaymentProviderFailed for an amount that can't be told to Stripe."""
    amount = to_stripe(amount_minor, currency)
    if amount is None:
        raise PaymentProviderFailed(f"This amount of {currency} can't be paid through Stripe")
    price: SessionCreateParamsLineItemPriceData = {
        "currency": currency.lower(),
        "unit_amount": amount,
        "product_data": {"name": name},
    }
    return {"quantity": 1, "price_data": price}


def _found(session: stripe.checkout.Session) -> FoundSession:
    currency = session.currency.upper() if session.currency else None
    intent = session.payment_intent
    return FoundSession(
        session_id=session.id,
        status=session.status,
        payment_status=session.payment_status,
        url=session.url,
        expires_at=_instant(session.expires_at),
        amount_minor=from_stripe(session.amount_total, currency),
        currency=currency,
        payment_intent=intent.id if isinstance(intent, stripe.PaymentIntent) else intent,
        intent_status=intent.status if isinstance(intent, stripe.PaymentIntent) else None,
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _is_passing(failure: Failure) -> bool:
    """Whether another try under the same idempotency key may fare better (docs.stripe.com/error-low-level).

    What Stripe answered once it had begun to act, even a 500, it answers for ever under that key; it says so by
    `stripe-should-retry: false`. 409: the try before is still at work. 429: turned away before anything began.
    """
    if not isinstance(failure, stripe.StripeError) or isinstance(failure, stripe.APIConnectionError):
        return True
    status = failure.http_status or 0
    if status in (409, 429):
        return True
    return status >= 500 and _header(failure, "stripe-should-retry") != "false"


_MISSING: dict[str, type[PaymentProviderFailed]] = {
    "customer": CustomerMissing,
    "id": CustomerMissing,  # where the path names it
    "session": SessionMissing,
}


def _refusal(failure: Failure) -> PaymentProviderFailed | PaymentProviderTimedOut:
    if isinstance(failure, TimeoutError):
        return PaymentProviderTimedOut("Stripe did not answer in time")
    if not isinstance(failure, stripe.StripeError) or isinstance(failure, stripe.APIConnectionError):
        return PaymentProviderUnreachable("Stripe could not be reached")
    if _is_passing(failure):
        return PaymentProviderUnreachable(failure.user_message or f"Stripe answered with status {failure.http_status}")
    if isinstance(failure, stripe.AuthenticationError | stripe.PermissionError):
        # Stripe's own sentence shows part of the key, and the customer can't act on it.
        return PaymentProviderFailed("Stripe refused the configured secret key")
    if isinstance(failure, stripe.InvalidRequestError) and failure.code == "resource_missing":
        return _MISSING.get(failure.param or "", PaymentProviderFailed)(failure.user_message or "It is not at Stripe")
    if failure.error is None or not failure.user_message:
        return PaymentProviderFailed(f"Stripe answered with status {failure.http_status} and no reason")
    return PaymentProviderFailed(failure.user_message)


def _header(failure: Failure, name: str) -> str:
    headers = failure.headers if isinstance(failure, stripe.StripeError) else None
    return headers.get(name, "") if headers else ""


def _log_failure(failure: Failure, about: str, tries: int, *, again: bool) -> None:
    """`request_id` is what Stripe's support and dashboard ask for."""
    of_stripe = failure if isinstance(failure, stripe.StripeError) else None
    log.warning(
        "stripe_call_failed",
        about=about,
        tries=tries,
        again=again,
        failure=type(failure).__name__,
        status=of_stripe.http_status if of_stripe else None,
        code=of_stripe.code if of_stripe else None,
        request_id=of_stripe.request_id if of_stripe else None,
    )
