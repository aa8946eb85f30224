"""The documents, made once."""

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

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


@pytest.fixture(scope="module")
def module_database(postgres_dsn: str, template_database: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """DSN of a fresh database for the tests of a module."""
    name = f"of_{request.module.__name__.rpartition('.')[2]}"
    _run(postgres_dsn, f"CREATE DATABASE {name} TEMPLATE {template_database}")
    yield make_dsn(postgres_dsn, dbname=name)
    _run(postgres_dsn, f"DROP DATABASE {name} WITH (FORCE)")


def _run(dsn: str, sql: str) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        connection.cursor().execute(sql)
    finally:
        connection.close()
