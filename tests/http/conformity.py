"""Holds every answer against what its operation declares: no field more, none less, each of its kind."""

import re
from typing import Any

from marshmallow import RAISE

from decabilld.http.operation import Operation
from decabilld.http.schemas.common import ErrorResponseSchema

_LIKE_AN_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT.*")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def check_answer(operations: list[Operation], method: str, path: str, status: int, answer: Any) -> None:
    """Raises AssertionError or marshmallow's ValidationError. `answer` is decoded JSON, or bytes."""
    if path == "/api/ready" and status == 503:  # a probe reads it, no client
        assert set(answer) == {"status", "reasons"}
        return
    if status >= 400:
        errors = ErrorResponseSchema(unknown=RAISE).validate(answer)
        assert not errors, errors
        assert answer["statusCode"] == status
        return
    operation = _operation_at(operations, method, path)
    if operation is None:
        return
    assert status == operation.status
    shape = operation.answer
    if isinstance(shape, list):
        assert isinstance(answer, list)
        shape[0](many=True, unknown=RAISE).load(answer)
    elif isinstance(shape, type):
        shape(unknown=RAISE).load(answer)
    elif shape is None:
        assert answer == b""
    else:
        assert isinstance(answer, bytes)
    _check_instants(answer)


def _operation_at(operations: list[Operation], method: str, path: str) -> Operation | None:
    bare = path.partition("?")[0].removeprefix("/api")
    matching = [
        one
        for one in operations
        if one.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[0-9a-fA-F-]{36}", one.path), bare)
    ]
    return matching[0] if matching else None


def _check_instants(value: Any) -> None:
    if isinstance(value, dict):
        for below in value.values():
            _check_instants(below)
    elif isinstance(value, list):
        for below in value:
            _check_instants(below)
    elif isinstance(value, str) and _LIKE_AN_INSTANT.fullmatch(value):
        assert _INSTANT.fullmatch(value), value
