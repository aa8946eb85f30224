"""How what went wrong is told over HTTP: the one table of statuses, and the one shape of an error.

Owns no rule: who refuses, and why, is decided by the domain; here it only gets its number.
"""

from http import HTTPStatus

import msgspec
from aiohttp import web

from decabilld.actors.ports import Busy, Unavailable
from decabilld.domain import refusals


class Malformed(refusals.Invalid):
    """The request isn't what the operation declares. `details` pairs the place in it with what is wrong there."""

    def __init__(self, details: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in details))
        self.details = details


class NotJson(refusals.Invalid):
    """The body can't be read at all."""


class TooManyRequests(refusals.Refusal):
    """The client's window is used up."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many requests; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


STATUS_OF: dict[type[Exception], int] = {
    refusals.NotFound: 404,
    refusals.Invalid: 400,
    refusals.Conflict: 409,
    refusals.Forbidden: 403,
    refusals.Unauthenticated: 401,
    refusals.SignupDisabled: 503,
    refusals.MailNotConfigured: 503,
    refusals.PaymentProviderFailed: 502,
    refusals.PaymentProviderTimedOut: 504,
    refusals.ServerProviderFailed: 502,
    refusals.IdempotencyMismatch: 422,
    TooManyRequests: 429,
    Busy: 503,
    Unavailable: 503,
}
RETRY_AFTER_SECONDS = 2

# Python's own phrases for these change with its version.
_PHRASES = {413: "Payload Too Large", 422: "Unprocessable Entity"}


def phrase_of(status: int) -> str:
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def error_response(
    status: int,
    message: str,
    *,
    code: str = "",
    details: list[tuple[str, str]] | None = None,
    correlation_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """The contract's error; `headers` are added to it."""
    body: dict[str, object] = {"statusCode": status, "message": message, "error": phrase_of(status)}
    if code:
        body["code"] = code
    if details:
        body["details"] = [{"field": field, "message": text} for field, text in details]
    if correlation_id:
        body["correlationId"] = correlation_id
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/json", charset="utf-8", headers=headers
    )


def response_of(error: Exception, correlation_id: str) -> web.Response:
    """What a failed request answers. What isn't in the table is a bug, of which the caller learns no more than that."""
    if isinstance(error, web.HTTPException):
        return _of_framework(error)
    status = next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), 500)
    if status == 500:
        return error_response(500, "Internal server error", correlation_id=correlation_id)
    if isinstance(error, Busy | Unavailable):
        return error_response(status, _reason(error), headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    assert isinstance(error, refusals.Refusal)
    if isinstance(error, TooManyRequests):
        return error_response(status, error.message, headers={"Retry-After": str(error.retry_after_seconds)})
    details = error.details if isinstance(error, Malformed) else None
    return error_response(status, error.message, code=error.code, details=details)


def _reason(error: Busy | Unavailable) -> str:
    if isinstance(error, Busy):
        return "Too many requests are waiting; nothing was done, try again shortly"
    if error.outcome_unknown:
        return f"Outcome unknown ({error}): the request may or may not have taken effect"
    return f"Not available now: {error}"


def _of_framework(error: web.HTTPException) -> web.Response:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
        if error.method == "OPTIONS":
            return web.Response(status=204, headers={"Allow": allowed})
        return error_response(405, f"Method {error.method} is not allowed here", headers={"Allow": allowed})
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return error_response(413, "The request body is too large")
    if error.status == 404:
        return error_response(404, "There is nothing at this path")
    return error_response(error.status, error.reason or phrase_of(error.status))
