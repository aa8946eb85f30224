"""A Stripe on loopback: real HTTP, real forms, real idempotency, real signatures, and faults on demand.

For tests and for the demo. Owns the API and its idempotency keys; what is behind it is `account.py`'s, the shapes are
`wire.py`'s.
"""

import asyncio
import base64
import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from aiohttp import web

from tests.stripe import wire
from tests.stripe.account import Account, Delivery

__all__ = ["Delivery", "FakeStripe", "Fault", "Request"]

REQUEST_ID = web.RequestKey("request_id", str)
PARAMS = web.RequestKey("params", dict[str, Any])


@dataclass(frozen=True)
class Fault:
    """What befalls one request. Faults wait in a queue of their kind; a request takes one.

    `status`: answered instead of opening, before Stripe acts; with `saved` it had begun to act, and answers so for ever
    under that key. `drop`: the connection is cut `before` Stripe acts, `after` it acted, or `midway` through the
    answer. `delay_seconds`: Stripe takes that long to act, and goes on when the client has gone; `until`: as long as a
    test wants. `page`: an answer that isn't Stripe's, as a proxy gives.
    """

    status: int | None = None
    saved: bool = False
    retry_after_seconds: int | None = None
    drop: Literal["before", "after", "midway"] | None = None
    delay_seconds: float = 0
    until: asyncio.Event | None = None
    page: str | None = None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    params: dict[str, Any]


@dataclass
class _Key:
    """What an idempotency key stands for; no answer yet: its request is in progress."""

    method_path: tuple[str, str]
    params: dict[str, Any]
    request_id: str
    answer: tuple[int, bytes] | None = None


class FakeStripe(Account):
    """`async with FakeStripe() as stripe:` serves on `stripe.base_url`. Observe `requests` and what the account has.

    `faults` befall openings of sessions, `expiry_faults` their closing over the API, `customer_faults` the making of
    customers, `update_faults` their changes, `asking_faults` whatever is read. `expired` are the events of what was
    closed over the API, for a test to deliver.
    """

    def __init__(
        self,
        *,
        secret_key: str = "sk_test_fake_key_of_tests",
        webhook_secret: str = "whsec_fake",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(webhook_secret=webhook_secret, clock=clock)
        self.secret_key = secret_key
        self.base_url = ""
        self.requests: list[Request] = []
        self.faults: deque[Fault] = deque()
        self.expiry_faults: deque[Fault] = deque()
        self.customer_faults: deque[Fault] = deque()
        self.update_faults: deque[Fault] = deque()
        self.asking_faults: deque[Fault] = deque()
        self.expired: list[Delivery] = []
        self._keys: dict[str, _Key] = {}
        app = web.Application(middlewares=[self._speak])
        app.router.add_post("/v1/customers", self._make_customer)
        app.router.add_get("/v1/customers/{id}", self._retrieve_customer)
        app.router.add_post("/v1/customers/{id}", self._update_customer)
        app.router.add_delete("/v1/customers/{id}", self._delete_customer)
        app.router.add_post("/v1/checkout/sessions", self._open)
        app.router.add_get("/v1/checkout/sessions", self._list)
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

    # --- the API ------------------------------------------------------------------------------------------------

    @web.middleware
    async def _speak(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """What every answer has in common: authentication, errors as JSON, an id."""
        request[REQUEST_ID] = f"req_{secrets.token_hex(7)}"
        body = await request.read()
        try:
            params = wire.decode_form(body or request.query_string.encode())
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
        return await self._act(request, self.faults, wire.check_session_params, self._session_opened)

    async def _make_customer(self, request: web.Request) -> web.StreamResponse:
        return await self._act(request, self.customer_faults, wire.check_customer_params, self._customer_made)

    async def _act(
        self,
        request: web.Request,
        faults: deque[Fault],
        check: Callable[[dict[str, Any]], None],
        act: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> web.StreamResponse:
        """Once per key. What `check` refuses is refused before acting and not kept; what `act` refuses is."""
        fault = faults.popleft() if faults else Fault()
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
        check(request[PARAMS])
        entry = _Key((request.method, request.path), request[PARAMS], request[REQUEST_ID])
        self._keys[key] = entry
        await asyncio.sleep(fault.delay_seconds)
        if fault.until is not None:
            await fault.until.wait()
        try:
            if fault.status is not None:
                raise wire.WireError(fault.status, "api_error", "Something went wrong on our end.")
            entry.answer = (200, json.dumps(act(request[PARAMS]), indent=2).encode())
        except wire.WireError as error:
            entry.answer = (error.status, json.dumps(error.body()).encode())
        if fault.drop == "after":
            return self._cut(request)
        if fault.drop == "midway":
            return await self._cut_midway(request, entry.answer[1])
        return self._answer(entry.answer)

    def _session_opened(self, params: dict[str, Any]) -> dict[str, Any]:
        if (customer := params.get("customer")) is not None and customer not in self.customers:
            raise wire.missing("customer", customer, "customer", status=400)
        return self.open_session(params)

    def _customer_made(self, params: dict[str, Any]) -> dict[str, Any]:
        return self.customers[self.add_customer(**params)]

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

    async def _retrieve_customer(self, request: web.Request) -> web.Response:
        customer_id = request.match_info["id"]
        if customer_id not in self.customers:
            raise wire.missing("customer", customer_id, "id")
        return web.json_response(self.customers[customer_id])

    async def _update_customer(self, request: web.Request) -> web.StreamResponse:
        return await self._act(
            request,
            self.update_faults,
            wire.check_customer_params,
            lambda params: self._customer_updated(request.match_info["id"], params),
        )

    def _customer_updated(self, customer_id: str, params: dict[str, Any]) -> dict[str, Any]:
        if customer_id not in self.customers:
            raise wire.missing("customer", customer_id, "id")
        self.customers[customer_id].update(params)
        return self.customers[customer_id]

    async def _delete_customer(self, request: web.Request) -> web.Response:
        customer_id = request.match_info["id"]
        if self.customers.pop(customer_id, None) is None:
            raise wire.missing("customer", customer_id, "id")
        return web.json_response({"id": customer_id, "object": "customer", "deleted": True})

    async def _retrieve(self, request: web.Request) -> web.StreamResponse:
        if self.asking_faults:
            return self._asked_in_vain(request)
        expand = request[PARAMS].get("expand", {}).values()
        return web.json_response(self._shown(self._find(request), expanded="payment_intent" in expand))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        """The newest first."""
        if self.asking_faults:
            return self._asked_in_vain(request)
        params = request[PARAMS]
        created = {bound: int(at) for bound, at in params.get("created", {}).items()}
        found = [
            session
            for session in reversed(self.sessions.values())
            if created.get("gte", 0) <= session["created"] <= created.get("lte", 1 << 40)
        ]
        if (after := params.get("starting_after")) is not None:
            found = found[[session["id"] for session in found].index(after) + 1 :]
        limit = int(params.get("limit", "10"))
        if not 1 <= limit <= 100:
            raise wire.invalid("Invalid limit", "limit")
        expanded = "data.payment_intent" in params.get("expand", {}).values()
        page = [self._shown(session, expanded=expanded) for session in found[:limit]]
        return web.json_response({"object": "list", "url": request.path, "has_more": len(found) > limit, "data": page})

    def _shown(self, session: dict[str, Any], *, expanded: bool) -> dict[str, Any]:
        intent = self.intents.get(session["payment_intent"] or "")
        return {**session, "payment_intent": intent} if expanded and intent else session

    def _asked_in_vain(self, request: web.Request) -> web.Response:
        fault = self.asking_faults.popleft()
        return self._cut(request) if fault.drop else self._refuse(fault)

    async def _expire(self, request: web.Request) -> web.StreamResponse:
        return await self._act(
            request, self.expiry_faults, wire.check_expiry_params, lambda _: self._session_expired(request)
        )

    def _session_expired(self, request: web.Request) -> dict[str, Any]:
        session = self._find(request)
        if session["status"] != "open":
            raise wire.not_open(session["status"])
        self.expired += self.expire(session["id"])
        return session

    def _find(self, request: web.Request) -> dict[str, Any]:
        session_id = request.match_info["id"]
        session = self.sessions.get(session_id)
        if session is None:
            raise wire.missing("checkout.session", session_id, "session")
        return session
