"""One server of the system's own for all tests here, its database empty before each."""

from collections.abc import Iterator

import pytest

from tests.external.server import ExternalPostgres, external_postgres


@pytest.fixture(scope="session")
def _server() -> Iterator[ExternalPostgres]:
    with external_postgres() as server:
        yield server


@pytest.fixture
def external(_server: ExternalPostgres) -> ExternalPostgres:
    _server.empty()
    return _server
