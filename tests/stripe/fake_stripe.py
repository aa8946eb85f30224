"""A Stripe on loopback: real HTTP, real forms, real idempotency, real signatures, and faults on demand.

For tests and for the demo. Owns one account with its sessions and keys; the shapes are in `wire.py`. It moves no money
and shows no page: `complete` and its kin do what the customer would, and `deliver` what Stripe's webhooks would.
"""

import asyncio
import base64
import json
import secrets
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import aiohttp
from aiohttp import web

from tests.stripe import wire

REQUEST_ID = web.RequestKey("request_id", str)
PARAMS = web.RequestKey("params", dict[str, Any])


@dataclass(frozen=True)
class Fault:
    """What befalls one opening of a session. Faults wait in a queue; a request takes one.

    `status`: answered instead of opening, before Stripe acts; with `saved` it had begun to act, and answers so for ever
    under that key. `drop`: the connection is cut `before` Stripe acts, `after` it acted, or `midway` through the
    answer. `delay_seconds`: Stripe takes that long to act, and goes on when the client has gone. `page`: an answer that
    isn't Stripe's, as a proxy gives.
    """

    status: int | None = None
    saved: bool = False
    retry_after_seconds: int | None = None
    drop: Literal["before", "after", "midway"] | None = None
    delay_seconds: float = 0
    page: str | None = None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    params: dict[str, Any]


@dataclass(frozen=True)
class Delivery:
    """One posting of an event to a webhook: the body, and the `Stripe-Signature` header that goes with it."""

    raw: bytes
    signature: str


@dataclass
class _Key:
    """What an idempotency key stands for; no answer yet: its request is in progress."""

    method_path: tuple[str, str]
    params: dict[str, Any]
    request_id: str
    answer: tuple[int, bytes] | None = None


class FakeStripe:
    """`async with FakeStripe() as stripe:` serves on `stripe.base_url`. Observe `requests` and `sessions`."""

    def __init__(self, *, secret_key: str = "sk_test_fake_key_of_tests", webhook_secret: str = "whsec_fake") -> None:
        self.secret_key = secret_key
        self.webhook_secret = webhook_secret
        self.base_url = ""
        self.sessions: dict[str, dict[str, Any]] = {}
        self.requests: list[Request] = []
        self.faults: deque[Fault] = deque()
        self._intents: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, _Key] = {}
        app = web.Application(middlewares=[self._speak])
        app.router.add_post("/v1/checkout/sessions", self._open)
        app.router.add_get("/v1/checkout/sessions/{id}", self._retrieve)
        app.router.add_post("/v1/checkout/sessions/{id}/expire", self._expire)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def start(self, port: int = 0) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.base_url = "http://{}:{}".format(*self._runner.addresses[0])

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # --- what the customer does, and the webhooks that follow ---------------------------------------------------

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
        session["payment_intent"] = f"pi_{secrets.token_hex(12)}"
        return self.event("checkout.session.completed", session, copies=copies)

    def settle(self, session_id: str, *, succeeded: bool = True, copies: int = 1) -> list[Delivery]:
        """A delayed payment arrives or fails."""
        session = self.sessions[session_id]
        if (session["status"], session["payment_status"]) != ("complete", "unpaid"):
            raise ValueError(f"{session_id} waits for no payment")
        session["payment_status"] = "paid" if succeeded else "unpaid"
        outcome = "succeeded" if succeeded else "failed"
        return self.event(f"checkout.session.async_payment_{outcome}", session, copies=copies)

    def expire(self, session_id: str, *, copies: int = 1) -> list[Delivery]:
        """Nobody paid within the session's 24 h."""
        session = self._take_open(session_id)
        session["status"] = "expired"
        session["url"] = None
        return self.event("checkout.session.expired", session, copies=copies)

    def payment_intent_succeeded(self, session_id: str) -> list[Delivery]:
        """An event of a type that we don't use, with our metadata, as an endpoint for all types gets it."""
        session = self.sessions[session_id]
        intent = {
            "id": session["payment_intent"],
            "object": "payment_intent",
            "amount": session["amount_total"],
            "currency": session["currency"],
            "metadata": self._intents[session_id].get("metadata", {}),
            "status": "succeeded",
        }
        return self.event("payment_intent.succeeded", intent)

    def event(self, type_: str, what: dict[str, Any], *, copies: int = 1) -> list[Delivery]:
        """One event about `what`, delivered `copies` times: the same id and body each time, signed anew."""
        now = int(time.time())
        raw = wire.event(f"evt_{secrets.token_hex(12)}", type_, what, now)
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

    # --- the API ------------------------------------------------------------------------------------------------

    @web.middleware
    async def _speak(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """What every answer has in common: authentication, errors as JSON, an id."""
        request[REQUEST_ID] = f"req_{secrets.token_hex(7)}"
        body = await request.read()
        try:
            params = wire.decode_form(body)
            self.requests.append(Request(request.method, request.path, request.headers.copy(), params))
            self._authenticate(request.headers.get("Authorization", ""))
            request[PARAMS] = params
            response: web.StreamResponse = await handler(request)
        except wire.WireError as error:
            response = web.json_response(error.body(), status=error.status)
        except web.HTTPException:
            unknown = wire.WireError(
                404, "invalid_request_error", f"Unrecognized request URL ({request.method}: {request.path})."
            )
            response = web.json_response(unknown.body(), status=404)
        if not response.prepared:
            response.headers["Request-Id"] = request[REQUEST_ID]
            response.headers["Stripe-Version"] = request.headers.get("Stripe-Version", wire.API_VERSION)
            if key := request.headers.get("Idempotency-Key"):
                response.headers["Idempotency-Key"] = key
        return response

    def _authenticate(self, header: str) -> None:
        scheme, _, credentials = header.partition(" ")
        key = credentials
        if scheme == "Basic":
            key = base64.b64decode(credentials).decode().partition(":")[0]
        if not key:
            raise wire.WireError(401, "invalid_request_error", "You did not provide an API key.")
        if not secrets.compare_digest(key, self.secret_key):
            shown = f"{key[:8]}{'*' * (len(key) - 12)}{key[-4:]}"
            raise wire.WireError(401, "invalid_request_error", f"Invalid API Key provided: {shown}")

    async def _open(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.popleft() if self.faults else Fault()
        if fault.drop == "before":
            return self._cut(request)
        if fault.page is not None:
            return web.Response(text=fault.page, status=fault.status or 502, content_type="text/html")
        if fault.status is not None and not fault.saved:
            return self._refuse(fault)
        key = request.headers.get("Idempotency-Key", secrets.token_hex(16))
        known = self._keys.get(key)
        if known is not None:
            return self._replay(key, known, request)
        wire.check_session_params(request[PARAMS])  # refused before acting: not kept under the key
        entry = _Key((request.method, request.path), request[PARAMS], request[REQUEST_ID])
        self._keys[key] = entry
        await asyncio.sleep(fault.delay_seconds)
        if fault.status is not None:
            failure = wire.WireError(fault.status, "api_error", "Something went wrong on our end.")
            entry.answer = (fault.status, json.dumps(failure.body()).encode())
        else:
            entry.answer = (200, json.dumps(self._create(request[PARAMS]), indent=2).encode())
        if fault.drop == "after":
            return self._cut(request)
        if fault.drop == "midway":
            return await self._cut_midway(request, entry.answer[1])
        return self._answer(entry.answer)

    def _create(self, params: dict[str, Any]) -> dict[str, Any]:
        session_id = f"cs_test_{secrets.token_urlsafe(42).replace('-', 'a').replace('_', 'b')}"
        session = wire.checkout_session(session_id, params, int(time.time()))
        self.sessions[session_id] = session
        self._intents[session_id] = params.get("payment_intent_data", {})
        return session

    def _replay(self, key: str, known: _Key, request: web.Request) -> web.Response:
        if known.method_path != (request.method, request.path) or known.params != request[PARAMS]:
            raise wire.WireError(400, "idempotency_error", f"Key {key} was first used with other parameters.")
        if known.answer is None:
            raise wire.WireError(
                409,
                "invalid_request_error",
                f"A request with the key {key} is still in progress.",
                "idempotency_key_in_use",
            )
        response = self._answer(known.answer)
        response.headers["Idempotent-Replayed"] = "true"
        response.headers["Original-Request"] = known.request_id
        return response

    def _answer(self, answer: tuple[int, bytes]) -> web.Response:
        status, body = answer
        headers = {"Stripe-Should-Retry": "false"} if status >= 400 else {}
        return web.Response(body=body, status=status, content_type="application/json", headers=headers)

    def _refuse(self, fault: Fault) -> web.Response:
        status = fault.status or 500
        error = wire.WireError(status, "api_error", "Something went wrong on our end.")
        if status == 429:
            error = wire.WireError(429, "invalid_request_error", "Request rate limit exceeded.", "rate_limit")
        if status == 402:
            error = wire.WireError(402, "card_error", "Your card was declined.", "card_declined")
        headers = {} if fault.retry_after_seconds is None else {"Retry-After": str(fault.retry_after_seconds)}
        return web.json_response(error.body(), status=status, headers=headers)

    def _cut(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _cut_midway(self, request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        await asyncio.sleep(0.02)  # lets the half arrive before the cut
        self._cut(request)
        return response

    async def _retrieve(self, request: web.Request) -> web.Response:
        return web.json_response(self._find(request))

    async def _expire(self, request: web.Request) -> web.Response:
        session = self._find(request)
        if session["status"] != "open":
            raise wire.invalid("Only an open session can be expired.")
        self.expire(session["id"])
        return web.json_response(session)

    def _find(self, request: web.Request) -> dict[str, Any]:
        session_id = request.match_info["id"]
        session = self.sessions.get(session_id)
        if session is None:
            raise wire.WireError(
                404, "invalid_request_error", f"No such checkout.session: {session_id}", "resource_missing", "session"
            )
        return session
