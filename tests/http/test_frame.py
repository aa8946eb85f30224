"""What every request meets: tenant, errors, correlation id, limits. With operations of the test's own."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from marshmallow import fields
from structlog.testing import capture_logs

from decabilld.actors.ports import Busy, Unavailable
from decabilld.domain import refusals
from decabilld.http.call import Call
from decabilld.http.errors import STATUS_OF
from decabilld.http.operation import Auth, Operation, operation
from decabilld.http.schemas import common
from decabilld.http.schemas.base import Answer, Request
from decabilld.http.schemas.fields import FreeObject, Id, Text
from tests.http.conftest import StartEdge
from tests.http.edge import Edge

ID = "0198c0de-0000-7000-8000-00000000abcd"


class PartSchema(Request):
    icon = Text(3, required=True)


class WishSchema(Request):
    name = Text(5, required=True)
    parts = fields.List(fields.Nested(PartSchema))
    free = FreeObject()
    friend = Id()


class WishAnswerSchema(Answer):
    name = Text()


FAILURES: dict[str, Exception] = {
    "bug": ZeroDivisionError("the secret of the house"),
    "busy": Busy(),
    "down": Unavailable("loading"),
    "doubt": Unavailable("connection lost", outcome_unknown=True),
    "gone": refusals.NotFound("Thing"),
    "unconfirmed": refusals.EmailNotConfirmed("Please confirm"),
    "reused": refusals.IdempotencyMismatch("Used with another body"),
}


def declared(method: str, path: str, **more: Any) -> Any:
    words = {"tag": "Catalog", "summary": "A wish", "description": "For tests.", "auth": Auth.PUBLIC}
    return operation(method, path, **{**words, "answer": WishAnswerSchema, **more})


@declared("POST", "/wishes", id="makeWish", body=WishSchema)
async def make_wish(call: Call) -> web.Response:
    return call.answer({"name": call.body["name"]})


@declared("POST", "/hopes", id="makeHope", body=WishSchema, body_required=False)
async def make_hope(call: Call) -> web.Response:
    return call.answer({"name": "none"})


@declared("GET", "/wishes/{id}", id="getWish", query=common.PageQuery)
async def get_wish(call: Call) -> web.Response:
    return call.answer({"name": f"{call.ids['id']} {call.query['limit']} {call.query['offset']}"})


@declared("GET", "/fail", id="fail")
async def fail(call: Call) -> web.Response:
    raise FAILURES[call.request.headers["X-How"]]


@declared("GET", "/slow", id="slow")
async def slow(call: Call) -> web.Response:
    await asyncio.sleep(0.51)
    return call.answer({"name": "late"})


OPERATIONS: list[Operation] = [make_wish, make_hope, get_wish, fail, slow]


@pytest.fixture
async def edge(start_edge: StartEdge) -> Edge:
    return await start_edge(operations=OPERATIONS, max_body_bytes=100_000)


async def test_path_and_method_that_are_not_there(edge: Edge) -> None:
    assert (await edge.call("GET", "/api/nowhere"))[:2] == (
        404,
        {"statusCode": 404, "message": "There is nothing at this path", "error": "Not Found"},
    )
    status, body, response = await edge.call("DELETE", "/api/wishes")
    assert (status, body["error"], response.headers["Allow"]) == (405, "Method Not Allowed", "OPTIONS, POST")
    status, body, response = await edge.call("OPTIONS", f"/api/wishes/{ID}")
    assert (status, body, response.headers["Allow"]) == (204, b"", "GET, HEAD, OPTIONS")
    assert (await edge.call("HEAD", f"/api/wishes/{ID}"))[0] == 200


async def test_correlation_id_is_the_callers_or_a_new_one(edge: Edge) -> None:
    for sent in ({"X_Correlation_Id": "abc-1"}, {"X_Request_Id": "abc-1"}):
        assert (await edge.call("GET", "/api/nowhere", **sent))[2].headers["X-Correlation-Id"] == "abc-1"
    made = {(await edge.call("GET", "/api/health"))[2].headers["X-Correlation-Id"] for _ in range(2)}
    assert len(made) == 2
    too_long = await edge.call("GET", "/api/health", X_Correlation_Id="x" * 200)
    assert len(too_long[2].headers["X-Correlation-Id"]) == 36


async def test_a_bug_tells_nothing_but_the_correlation_id_and_is_logged(edge: Edge) -> None:
    with capture_logs() as logs:
        status, body, _ = await edge.call("GET", "/api/fail", X_How="bug", X_Correlation_Id="c-1")
    assert (status, body) == (
        500,
        {
            "statusCode": 500,
            "message": "Internal server error",
            "error": "Internal Server Error",
            "correlationId": "c-1",
        },
    )
    assert [(line["event"], line["log_level"]) for line in logs] == [("request_failed", "error"), ("request", "info")]


FAILED = [
    ("busy", 503, "nothing was done", "2", None),
    ("down", 503, "loading", "2", None),
    ("doubt", 503, "Outcome unknown", "2", None),
    ("gone", 404, "Thing not found", None, None),
    ("unconfirmed", 401, "Please confirm", None, "EMAIL_NOT_CONFIRMED"),
    ("reused", 422, "Used with another body", None, "IDEMPOTENCY_KEY_REUSED"),
]


async def test_failures_get_their_status(edge: Edge) -> None:
    for how, status, part, retry, code in FAILED:
        got, body, response = await edge.call("GET", "/api/fail", X_How=how)
        assert (got, body.get("code"), response.headers.get("Retry-After")) == (status, code, retry)
        assert part in body["message"]


def test_every_refusal_has_a_status() -> None:
    kinds = [kind for kind in vars(refusals).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 10
    for kind in kinds:
        assert kind is refusals.Refusal or any(parent in STATUS_OF for parent in kind.__mro__), kind


REFUSED = [
    ({}, "name", "required"),
    ({"name": None}, "name", "null"),
    ({"name": "  "}, "name", "blank"),
    ({"name": 5}, "name", "string"),
    ({"name": "abcdef"}, "name", "5"),
    ({"name": "a\x00b"}, "name", "control"),
    ({"name": "abc", "nom": 1}, "nom", "Unknown field"),
    ({"name": "abc", "parts": [{"icon": "a"}, {"icon": "abcd"}]}, "parts.1.icon", "3"),
    ({"name": "abc", "friend": "not-a-uuid"}, "friend", "UUID"),
    ({"name": "abc", "free": []}, "free", "object"),
    ({"name": "abc", "free": {"a": {"b\x01": 1}}}, "free", "control"),
]


async def test_what_a_schema_refuses_is_named(edge: Edge) -> None:
    for body, field, part in REFUSED:
        status, answer, _ = await edge.call("POST", "/api/wishes", body)
        assert (status, [detail["field"] for detail in answer["details"]]) == (400, [field])
        assert part in answer["details"][0]["message"]
        assert answer["message"] == f"{field}: {answer['details'][0]['message']}"


DEEP = b'{"a":' * 20 + b"1" + b"}" * 20


UNREADABLE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"\xff",
    b'{"name": "\\ud800"}',
    b'{"name": "\\ud800", "friend": null}',
    b"[" * 3000 + b"]" * 3000,
    b'{"name": NaN}',
    *(b'{"name": "abc", "free": {"n": %s}}' % value for value in (b"9" * 5000, b"1e99", b"0." + b"1" * 70, DEEP)),
]


async def test_bodies_that_cannot_be_read(edge: Edge) -> None:
    for raw in UNREADABLE:
        status, answer, _ = await edge.call("POST", "/api/wishes", raw=raw)
        assert (status, answer["error"]) == (400, "Bad Request"), raw


async def test_numbers_and_depth_within_limits(edge: Edge) -> None:
    raw = b'{"name": "abc", "free": {"n": [123456789012345678901234567890, 1.10, -0.5e3, {"a": {"b": {}}}]}}'
    assert (await edge.call("POST", "/api/wishes", raw=raw))[0] == 200


async def test_an_optional_body_may_be_left_out_but_not_be_wrong(edge: Edge) -> None:
    assert (await edge.call("POST", "/api/hopes"))[1]["details"][0]["field"] == "name"
    assert (await edge.call("POST", "/api/hopes", {"name": "abc"}))[0] == 200
    for raw in (b"null", b" ", b"\n"):
        assert (await edge.call("POST", "/api/hopes", raw=raw))[1]["message"].startswith("The request body"), raw


async def test_a_body_that_does_not_come_whole(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the client's fault: no 5xx, no traceback, and nobody is waited for without end."""
    monkeypatch.setattr("decabilld.http.endpoint.BODY_SECONDS", 0.2)
    with capture_logs() as logs:
        status, answer, _ = await edge.call("POST", "/api/wishes", raw=b"{}", Content_Encoding="gzip")
        assert (status, answer["error"]) == (400, "Bad Request")
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.client.port)
        writer.write(b"POST /api/wishes HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        writer.close()
        _, leaver = await asyncio.open_connection("127.0.0.1", edge.client.port)
        leaver.write(b"POST /api/wishes HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{")
        await leaver.drain()
        leaver.transport.abort()
        await asyncio.sleep(0.3)
    assert {(line["event"], line["status"]) for line in logs} == {("request", 400)}


async def test_of_very_many_faults_the_first_are_told(edge: Edge) -> None:
    wrong = {"name": "abc", "parts": [5] * 9_000, **{f"x{number}": 1 for number in range(5_000)}, "y" * 500: 1}
    status, answer, _ = await edge.call("POST", "/api/wishes", wrong)
    assert (status, len(answer["details"])) == (400, 20)
    assert len(answer["message"]) < 5_000


async def test_too_large_a_body(edge: Edge) -> None:
    status, body, _ = await edge.call("POST", "/api/wishes", {"name": "abc", "free": {"a": "x" * 100_000}})
    assert (status, body["error"], body["statusCode"]) == (413, "Payload Too Large", 413)


async def test_path_ids_and_pages(edge: Edge) -> None:
    assert (await edge.call("GET", f"/api/wishes/{ID.upper()}?limit=7&_=123"))[1] == {"name": f"{ID} 7 0"}
    assert (await edge.call("GET", f"/api/wishes/{ID}"))[1] == {"name": f"{ID} 10 0"}
    for path, field in (
        ("/api/wishes/42", "id"),
        (f"/api/wishes/{ID}?limit=-1", "limit"),
        (f"/api/wishes/{ID}?limit=101", "limit"),
        (f"/api/wishes/{ID}?limit=x", "limit"),
        (f"/api/wishes/{ID}?limit=%D9%A1", "limit"),
        (f"/api/wishes/{ID}?offset=-1", "offset"),
        (f"/api/wishes/{ID}?offset=1.5", "offset"),
    ):
        status, body, _ = await edge.call("GET", path)
        assert (status, body["details"][0]["field"]) == (400, field), path


async def test_an_unknown_tenant_is_told_first(edge: Edge, start_edge: StartEdge) -> None:
    for tenant in ("nobody", "ACME"):
        status, body, _ = await edge.call("POST", "/api/wishes", raw=b"{", X_Tenant=tenant)
        assert (status, body["message"]) == (400, "Invalid or unknown tenant")
    for tenant in ("acme", "", " "):
        assert (await edge.call("POST", "/api/wishes", {"name": "abc"}, X_Tenant=tenant))[0] == 200
    strict = await start_edge(operations=OPERATIONS, tenants_allow_default=False)
    assert (await strict.call("POST", "/api/wishes", {"name": "abc"}))[0] == 400
    assert (await strict.call("GET", "/api/health"))[0] == 200


async def test_writes_errors_and_slow_reads_are_logged_and_nothing_else(edge: Edge) -> None:
    with capture_logs() as logs:
        await edge.call("GET", f"/api/wishes/{ID}")
        await edge.call("POST", "/api/wishes", {"name": "abc"}, X_Tenant="acme")
        await edge.call("GET", "/api/nowhere")
        await edge.call("GET", "/api/slow")
    assert [(line["method"], line["status"], line["tenant"]) for line in logs] == [
        ("POST", 200, "acme"),
        ("GET", 404, "default"),
        ("GET", 200, "default"),
    ]


async def test_health_needs_nothing_and_ready_needs_the_tenants(edge: Edge, start_edge: StartEdge) -> None:
    assert (await edge.call("GET", "/api/ready"))[:2] == (200, {"status": "ok"})
    unloaded = await start_edge(operations=OPERATIONS, start=False)
    status, body, _ = await unloaded.call("GET", "/api/ready")
    assert (status, body) == (503, {"status": "unready", "reasons": ["loading", "loading"]})
    status, body, _ = await unloaded.call("GET", "/api/health")
    assert (status, body["status"], body["timestamp"] > 1_700_000_000_000) == (200, "ok", True)
