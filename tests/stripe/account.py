"""What is at a Stripe on loopback, and what happens there: customers pay, banks answer, money goes back.

Owns the account's objects and the events about them; how they are asked for over HTTP is `fake_stripe.py`'s, their
shapes are `wire.py`'s. It moves no money and shows no page.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.stripe import wire


@dataclass(frozen=True)
class Delivery:
    """One posting of an event to a webhook: the body, and the `Stripe-Signature` header that goes with it."""

    raw: bytes
    signature: str


class Account:
    """Observe `sessions`, `customers`, `intents` and `charges`, by their ids. `clock` is what Stripe takes for now.

    `complete` and its kin do what the customer would, and `deliver` what Stripe's webhooks would.
    """

    def __init__(self, *, webhook_secret: str, clock: Callable[[], float]) -> None:
        self.webhook_secret, self._clock = webhook_secret, clock
        self.customers: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.intents: dict[str, dict[str, Any]] = {}
        self.charges: dict[str, dict[str, Any]] = {}
        self._intent_params: dict[str, dict[str, Any]] = {}

    def add_customer(self, customer_id: str | None = None, **fields: Any) -> str:
        customer_id = customer_id or f"cus_{secrets.token_hex(7)}"
        self.customers[customer_id] = {
            "id": customer_id,
            "object": "customer",
            "created": int(self._clock()),
            "email": fields.get("email"),
            "metadata": fields.get("metadata", {}),
        }
        return customer_id

    def open_session(self, params: dict[str, Any]) -> dict[str, Any]:
        session_id = f"cs_test_{secrets.token_urlsafe(42).replace('-', 'a').replace('_', 'b')}"
        session = wire.checkout_session(session_id, params, int(self._clock()))
        self.sessions[session_id] = session
        self._intent_params[session_id] = params.get("payment_intent_data", {})
        return session

    # --- what the customer and the bank do, and the events that follow ---------------------------------------------

    def complete(
        self, session_id: str, *, delayed: bool = False, amount_minor: int | None = None, copies: int = 1
    ) -> list[Delivery]:
        """The customer goes through with it; `delayed`: by a means of payment that `settle` decides days later.

        `amount_minor`: Stripe takes another amount than the session's, for tests of partial and over-payment.
        """
        session = self._take_open(session_id)
        session["status"] = "complete"
        session["url"] = None
        if amount_minor is not None:
            session["amount_subtotal"] = session["amount_total"] = amount_minor
        session["payment_status"] = "unpaid" if delayed else "paid"
        intent = wire.payment_intent(f"pi_{secrets.token_hex(12)}", session, self._intent_params[session_id])
        intent["status"] = "processing" if delayed else "succeeded"
        self.intents[intent["id"]] = intent
        session["payment_intent"] = intent["id"]
        return self.event("checkout.session.completed", session, copies=copies)

    def settle(self, session_id: str, *, succeeded: bool = True, copies: int = 1) -> list[Delivery]:
        """A delayed payment arrives or fails."""
        session = self.sessions[session_id]
        if (session["status"], session["payment_status"]) != ("complete", "unpaid"):
            raise ValueError(f"{session_id} waits for no payment")
        session["payment_status"] = "paid" if succeeded else "unpaid"
        self.intents[session["payment_intent"]]["status"] = "succeeded" if succeeded else "requires_payment_method"
        outcome = "succeeded" if succeeded else "failed"
        return self.event(f"checkout.session.async_payment_{outcome}", session, copies=copies)

    def expire(self, session_id: str, *, copies: int = 1) -> list[Delivery]:
        """Nobody paid within the session's 24 h."""
        session = self._take_open(session_id)
        session["status"] = "expired"
        session["url"] = None
        return self.event("checkout.session.expired", session, copies=copies)

    def refund(self, session_id: str, amount: int, *, copies: int = 1) -> list[Delivery]:
        """Some of what was paid goes back, on top of what went back before."""
        charge = self.charge_of(session_id)
        before = charge["amount_refunded"]
        charge["amount_refunded"] = before + amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        previous = {"amount_refunded": before, "receipt_url": None}
        return self.event("charge.refunded", charge, copies=copies, previous=previous)

    def dispute(self, session_id: str, *, reason: str = "fraudulent", copies: int = 1) -> list[Delivery]:
        """The cardholder's bank takes it back for now."""
        charge = self.charge_of(session_id)
        charge["disputed"] = True
        charge["dispute"] = wire.dispute(f"du_{secrets.token_hex(12)}", charge, reason, int(self._clock()))
        return self.event("charge.dispute.created", charge["dispute"], copies=copies)

    def close_dispute(self, session_id: str, *, won: bool, copies: int = 1) -> list[Delivery]:
        dispute = self.charge_of(session_id)["dispute"]
        dispute["status"] = "won" if won else "lost"
        return self.event("charge.dispute.closed", dispute, copies=copies)

    def payment_intent_succeeded(self, session_id: str) -> list[Delivery]:
        """An event of a type that we don't use, with our metadata, as an endpoint for all types gets it."""
        return self.event("payment_intent.succeeded", self.intents[self.sessions[session_id]["payment_intent"]])

    def event(
        self, type_: str, what: dict[str, Any], *, copies: int = 1, previous: dict[str, Any] | None = None
    ) -> list[Delivery]:
        """One event about `what`, delivered `copies` times: the same id and body each time, signed anew."""
        now = int(time.time())
        raw = wire.event(f"evt_{secrets.token_hex(12)}", type_, what, now, previous)
        return [Delivery(raw, wire.sign(raw, self.webhook_secret, now + n)) for n in range(copies)]

    async def deliver(self, url: str, deliveries: Sequence[Delivery]) -> list[int]:
        """Posts each in turn to the webhook at `url`; the statuses it answered."""
        statuses = []
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
            for delivery in deliveries:
                headers = {
                    "Content-Type": "application/json; charset=utf-8",
                    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
                    "Stripe-Signature": delivery.signature,
                }
                async with http.post(url, data=delivery.raw, headers=headers) as response:
                    statuses.append(response.status)
        return statuses

    def _take_open(self, session_id: str) -> dict[str, Any]:
        session = self.sessions[session_id]
        if session["status"] != "open":
            raise ValueError(f"{session_id} is {session['status']}")
        return session

    def charge_of(self, session_id: str) -> dict[str, Any]:
        """That of a session's payment intent, whose metadata it has from its first hour on."""
        intent = self.intents[self.sessions[session_id]["payment_intent"]]
        known = [charge for charge in self.charges.values() if charge["payment_intent"] == intent["id"]]
        charge = known[0] if known else wire.charge(f"ch_{secrets.token_hex(12)}", intent, int(self._clock()))
        return self.charges.setdefault(charge["id"], charge)
