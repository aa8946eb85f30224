"""Stripe's shapes on the wire as its API reference describes them: forms in, sessions, errors and signed events out.

Written without the SDK, so that it proves something about our use of the SDK. Owns no state: `fake_stripe.py` does.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

API_VERSION = "2026-10-28.endive"
SESSION_SECONDS = 24 * 3600
SMALLEST_AMOUNTS = {"eur": 50, "usd": 50, "gbp": 30, "sek": 300, "jpy": 50}

KNOWN_PARAMS = {
    "mode",
    "line_items",
    "client_reference_id",
    "metadata",
    "payment_intent_data",
    "success_url",
    "cancel_url",
    "customer",
    "customer_email",
}
KNOWN_CUSTOMER_PARAMS = {"email", "name", "metadata"}
KNOWN_ITEM_PARAMS = {"quantity", "price_data"}
KNOWN_PRICE_PARAMS = {"currency", "unit_amount", "product_data"}


@dataclass(eq=False)
class WireError(Exception):
    """An error answer: `type` is one of Stripe's error types, `code` and `param` only where Stripe has them."""

    status: int
    type: str
    message: str
    code: str | None = None
    param: str | None = None

    def body(self) -> dict[str, Any]:
        facts = {"code": self.code, "message": self.message, "param": self.param, "type": self.type}
        if self.code is not None:
            facts["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        return {"error": {name: fact for name, fact in facts.items() if fact is not None}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> WireError:
    return WireError(400, "invalid_request_error", message, code, param)


def decode_form(body: bytes) -> dict[str, Any]:
    """`a[0][b]=c` as {"a": {"0": {"b": "c"}}}: every value is text, lists keep their numbers as keys."""
    params: dict[str, Any] = {}
    for key, value in parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body)):
        path = re.findall(r"[^\[\]]+", key)
        place = params
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = value
    return params


def check_session_params(params: dict[str, Any]) -> None:
    """Raises what Stripe would answer to a session in payment mode that it can't open."""
    _refuse_unknown(params, KNOWN_PARAMS, "{}")
    for name in ("mode", "line_items", "success_url"):
        if name not in params:
            raise invalid(f"Missing required param: {name}.", name, "parameter_missing")
    if params["mode"] != "payment":
        raise invalid("This account takes one-off payments only.", "mode")
    for index, item in params["line_items"].items():
        _check_item(item, f"line_items[{index}]")
    for name in ("success_url", "cancel_url"):
        if name in params and urlsplit(params[name]).scheme not in ("http", "https"):
            raise invalid("Not a valid URL", name, "url_invalid")
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", params.get("customer_email", "a@b.example")):
        raise invalid(f"Invalid email address: {params['customer_email']}", "customer_email", "email_invalid")
    if "customer" in params and "customer_email" in params:
        raise invalid("You may only specify one of these parameters: customer, customer_email.")
    if len(params.get("client_reference_id", "")) > 200:
        raise invalid("client_reference_id has more than 200 characters", "client_reference_id")
    _check_metadata(params.get("metadata", {}), "metadata")
    intent = params.get("payment_intent_data", {})
    _refuse_unknown(intent, {"metadata", "description"}, "payment_intent_data[{}]")
    _check_metadata(intent.get("metadata", {}), "payment_intent_data[metadata]")


def check_customer_params(params: dict[str, Any]) -> None:
    """Raises what Stripe would answer to a customer that it can't make."""
    _refuse_unknown(params, KNOWN_CUSTOMER_PARAMS, "{}")
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", params.get("email", "a@b.example")):
        raise invalid(f"Invalid email address: {params['email']}", "email", "email_invalid")
    _check_metadata(params.get("metadata", {}), "metadata")


def check_expiry_params(params: dict[str, Any]) -> None:
    _refuse_unknown(params, {"expand"}, "{}")


def not_open(status: str) -> WireError:
    """Stripe's own sentence, and no code, for a session that can't be expired."""
    return invalid(
        'Only Checkout Sessions with a status in ["open"] can be expired. '
        f"This Checkout Session has a status of `{status}`."
    )


def missing(what: str, name: str, param: str, status: int = 404) -> WireError:
    """It isn't there: 404 where the address names it, 400 where a parameter does."""
    return WireError(status, "invalid_request_error", f"No such {what}: '{name}'", "resource_missing", param)


def _check_item(item: dict[str, Any], name: str) -> None:
    _refuse_unknown(item, KNOWN_ITEM_PARAMS, name + "[{}]")
    price = item.get("price_data", {})
    _refuse_unknown(price, KNOWN_PRICE_PARAMS, name + "[price_data][{}]")
    if not re.fullmatch(r"[a-z]{3}", price.get("currency", "").lower()):
        raise invalid("Invalid currency", f"{name}[price_data][currency]")
    for where, text in (
        ("[quantity]", item.get("quantity", "")),
        ("[price_data][unit_amount]", price.get("unit_amount", "")),
    ):
        if not re.fullmatch(r"\d+", text):
            raise invalid(f"Invalid integer: {text}", name + where, "parameter_invalid_integer")
    if int(item["quantity"]) * int(price["unit_amount"]) < SMALLEST_AMOUNTS.get(price["currency"].lower(), 1):
        raise invalid("The amount is below the smallest one that can be charged", code="amount_too_small")
    if not price.get("product_data", {}).get("name"):
        raise invalid("Missing required param", f"{name}[price_data][product_data][name]", "parameter_missing")


def _refuse_unknown(params: dict[str, Any], known: set[str], form: str) -> None:
    for name in sorted(params.keys() - known):
        raise invalid(f"Received unknown parameter: {form.format(name)}", form.format(name), "parameter_unknown")


def _check_metadata(metadata: dict[str, str], name: str) -> None:
    if len(metadata) > 50 or any(len(key) > 40 or len(value) > 500 for key, value in metadata.items()):
        raise invalid("Metadata is limited to 50 keys of 40 characters, with values of 500", name)


def checkout_session(session_id: str, params: dict[str, Any], created: int) -> dict[str, Any]:
    """The open session that Stripe answers to `params`; fields that need features we don't use are left out."""
    items = params["line_items"].values()
    total = sum(int(item["quantity"]) * int(item["price_data"]["unit_amount"]) for item in items)
    return {
        "id": session_id,
        "object": "checkout.session",
        "amount_subtotal": total,
        "amount_total": total,
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "created": created,
        "currency": next(iter(items))["price_data"]["currency"].lower(),
        "customer": params.get("customer"),
        "customer_details": None,
        "customer_email": params.get("customer_email"),
        "expires_at": created + SESSION_SECONDS,
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "mode": "payment",
        "payment_intent": None,
        "payment_method_types": ["card", "sepa_debit"],
        "payment_status": "unpaid",
        "status": "open",
        "success_url": params["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"https://checkout.stripe.com/c/pay/{session_id}",
    }


def payment_intent(intent_id: str, session: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": session["amount_total"],
        "currency": session["currency"],
        "customer": session["customer"],
        "metadata": params.get("metadata", {}),
        "status": "requires_payment_method",
    }


def charge(charge_id: str, intent: dict[str, Any], created: int) -> dict[str, Any]:
    """It takes over its payment intent's metadata when it is made."""
    return {
        "id": charge_id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_refunded": 0,
        "created": created,
        "currency": intent["currency"],
        "dispute": None,
        "disputed": False,
        "metadata": dict(intent["metadata"]),
        "payment_intent": intent["id"],
        "refunded": False,
    }


def dispute(dispute_id: str, of: dict[str, Any], reason: str, created: int) -> dict[str, Any]:
    """Without the charge's metadata."""
    return {
        "id": dispute_id,
        "object": "dispute",
        "amount": of["amount"],
        "charge": of["id"],
        "created": created,
        "currency": of["currency"],
        "metadata": {},
        "payment_intent": of["payment_intent"],
        "reason": reason,
        "status": "needs_response",
    }


def event(
    event_id: str, type_: str, what: dict[str, Any], created: int, previous: dict[str, Any] | None = None
) -> bytes:
    """The body of a webhook: Stripe indents it, which only a check on the raw bytes survives."""
    return json.dumps(
        {
            "id": event_id,
            "object": "event",
            "api_version": API_VERSION,
            "created": created,
            "data": {"object": what} if previous is None else {"object": what, "previous_attributes": previous},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": type_,
        },
        indent=2,
        ensure_ascii=False,
    ).encode()


def sign(raw: bytes, secret: str, at: int) -> str:
    """The `Stripe-Signature` header over the body as sent at `at` (seconds since 1970); v0 is test mode's decoy."""
    signed = hmac.new(secret.encode(), b"%d." % at + raw, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed},v0={'0' * 64}"
