"""Opens Stripe Checkout sessions through the official SDK; owns time-outs, retries and what a failure is called.

Owns no rule of payment: whether, for whom and how much to pay is decided before, what a payment does to an invoice
after (`webhook.py` reads Stripe's word about it).
"""

import asyncio
import logging
import random
from datetime import UTC, datetime

import aiohttp
import stripe
import structlog
from msgspec import Struct
from stripe.params.checkout import (
    SessionCreateParams,
    SessionCreateParamsLineItem,
    SessionCreateParamsLineItemPriceData,
)

from decabilld.domain.refusals import PaymentProviderFailed, PaymentProviderTimedOut, PaymentProviderUnreachable

# Telemetry would send latencies and our platform along, and keep an id file in the home directory.
stripe.enable_telemetry = False
# Below this the SDK logs whole bodies: customers' addresses and the URLs where they pay.
logging.getLogger("stripe").setLevel(logging.WARNING)

MAX_TRIES = 5
MAX_PAUSE_SECONDS = 5.0

Failure = stripe.StripeError | aiohttp.ClientError | TimeoutError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class CheckoutSession(Struct, frozen=True, kw_only=True):
    """An open page at Stripe where one attempt can be paid until `expires_at` (24 h after the opening)."""

    session_id: str
    url: str
    expires_at: datetime


class StripeCheckout:
    """One Stripe account, reached at `api_base`; the SDK's connection pool lives until `close()`.

    A call ends within `deadline_seconds`, all tries and pauses included; a single try within `try_seconds`.
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
        customer_email: str | None,
        success_url: str,
        cancel_url: str,
    ) -> CheckoutSession:
        """The session of this attempt. Asked again with the same arguments within 24 h, it is the same session.

        `amount_minor` counts Stripe's minor unit of `currency` (ISO 4217, either case).
        Raises PaymentProviderFailed with Stripe's reason, or PaymentProviderTimedOut. After either the session may
        exist at Stripe: ask again with the same attempt id, or let it expire unseen.
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
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
            "success_url": success_url,
            "cancel_url": cancel_url,
        }
        if customer_email is not None:
            params["customer_email"] = customer_email
        return await self._create(params, attempt_id)

    async def _create(self, params: SessionCreateParams, attempt_id: str) -> CheckoutSession:
        now = asyncio.get_running_loop().time
        deadline = now() + self._deadline_seconds
        tries = 0
        while True:
            tries += 1
            try:
                async with asyncio.timeout(min(self._try_seconds, deadline - now())):
                    session = await self._client.v1.checkout.sessions.create_async(
                        params, {"idempotency_key": attempt_id}
                    )
                return _session(session)
            except (stripe.StripeError, aiohttp.ClientError, TimeoutError) as error:
                failure: Failure = error
            pause = self._pause(failure, tries)
            again = _is_passing(failure) and tries < MAX_TRIES and now() + pause < deadline
            _log_failure(failure, attempt_id, tries, again=again)
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
    price: SessionCreateParamsLineItemPriceData = {
        "currency": currency.lower(),
        "unit_amount": amount_minor,
        "product_data": {"name": name},
    }
    return {"quantity": 1, "price_data": price}


def _session(session: stripe.checkout.Session) -> CheckoutSession:
    if session.url is None:
        raise PaymentProviderFailed("Stripe opened a session without a page to pay on")
    return CheckoutSession(
        session_id=session.id, url=session.url, expires_at=datetime.fromtimestamp(session.expires_at, UTC)
    )


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
    if failure.error is None or not failure.user_message:
        return PaymentProviderFailed(f"Stripe answered with status {failure.http_status} and no reason")
    return PaymentProviderFailed(failure.user_message)


def _header(failure: Failure, name: str) -> str:
    headers = failure.headers if isinstance(failure, stripe.StripeError) else None
    return headers.get(name, "") if headers else ""


def _log_failure(failure: Failure, attempt_id: str, tries: int, *, again: bool) -> None:
    """`request_id` is what Stripe's support and dashboard ask for."""
    of_stripe = failure if isinstance(failure, stripe.StripeError) else None
    log.warning(
        "stripe_call_failed",
        attempt_id=attempt_id,
        tries=tries,
        again=again,
        failure=type(failure).__name__,
        status=of_stripe.http_status if of_stripe else None,
        code=of_stripe.code if of_stripe else None,
        request_id=of_stripe.request_id if of_stripe else None,
    )
