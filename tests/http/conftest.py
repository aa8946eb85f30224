"""The HTTP edge over a real actor and a real PostgreSQL, spoken to over loopback."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from tests.http.edge import Edge, running_edge

StartEdge = Callable[..., Awaitable[Edge]]


@pytest.fixture
async def start_edge(database: str, aiohttp_client: Any, tmp_path: Any) -> AsyncIterator[StartEdge]:
    """Starts an edge with changed settings; all are stopped after the test."""
    stops: list[Callable[[], Awaitable[None]]] = []

    async def start(**changes: Any) -> Edge:
        running = running_edge(database, tmp_path, aiohttp_client, **changes)
        edge = await running.__aenter__()
        stops.append(lambda: running.__aexit__(None, None, None))  # type: ignore[arg-type, return-value]
        return edge

    yield start
    for stop in stops:
        await stop()


@pytest.fixture
async def edge(start_edge: StartEdge) -> Edge:
    """In users mode, with the tenants `default` and `acme`."""
    return await start_edge()


@pytest.fixture
async def client(edge: Edge) -> TestClient[Any, Any]:
    return edge.client
