"""One server of each version for all tests here, its database empty before each; what isn't the system's is heavy."""

from collections.abc import Iterator

import pytest

from tests.external.server import ExternalPostgres, external_postgres
from tests.external.versions import PACKAGED, SYSTEM


@pytest.fixture(scope="session", params=[SYSTEM, *(pytest.param(one, marks=pytest.mark.heavy) for one in PACKAGED)])
def _server(request: pytest.FixtureRequest) -> Iterator[ExternalPostgres]:
    with external_postgres(request.param) as server:
        yield server


@pytest.fixture
def external(_server: ExternalPostgres) -> ExternalPostgres:
    _server.empty()
    return _server
