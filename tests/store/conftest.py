"""A tenant's store over a fresh database with the whole schema."""

from collections.abc import AsyncIterator

import pytest

from decabilld.store.pool import Connection, Pool, connect
from decabilld.store.tenant_store import PostgresTenantStore
from tests.store.samples import new_id


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await Pool.open(database, size=2)
    yield pool
    await pool.close()


@pytest.fixture
async def store(database: str, pool: Pool) -> AsyncIterator[PostgresTenantStore]:
    """The store of tenant `acme`, not claimed yet."""
    store = PostgresTenantStore(database, "acme", new_id(), pool)
    yield store
    await store.close()


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    """A superuser's session beside the store's."""
    connection = await connect(database, statement_timeout_ms=10_000)
    yield connection
    await connection.close()
