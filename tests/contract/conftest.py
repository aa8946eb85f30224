"""The documents, made once."""

from typing import Any

import pytest

from decabilld.http.app import all_operations
from decabilld.http.openapi import openapi_document
from decabilld.http.operation import Operation
from decabilld.realtime.asyncapi import asyncapi_document


@pytest.fixture(scope="session")
def operations() -> list[Operation]:
    return all_operations()


@pytest.fixture(scope="session")
def document(operations: list[Operation]) -> dict[str, Any]:
    return openapi_document(operations)


@pytest.fixture(scope="session")
def socket_document() -> dict[str, Any]:
    return asyncapi_document()
