"""A tenant's store on a real PostgreSQL: what is committed is loaded again, and nothing else ever is."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from decabilld.actors.ports import Head
from decabilld.domain.journal import genesis
from decabilld.store.pool import Pool
from decabilld.store.tenant_store import PostgresTenantStore
from decabilld.store.writer import WRITE_ORDER
from tests.store import samples as s


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await Pool.open(database, size=2)
    yield pool
    await pool.close()


@pytest.fixture
async def store(database: str, pool: Pool) -> AsyncIterator[PostgresTenantStore]:
    store = PostgresTenantStore(database, "acme", str(uuid4()), pool)
    yield store
    await store.close()


async def test_first_claim_begins_the_journal(store: PostgresTenantStore) -> None:
    assert await store.claim() == Head(n=0, seq=0, digest=genesis("acme"))


async def test_every_kind_comes_back_as_it_was(store: PostgresTenantStore) -> None:
    head = await store.claim()
    entities = s.one_of_each()
    assert {type(entity) for entity in entities} == set(WRITE_ORDER)
    await store.commit(s.batch(head, entities))
    found = await store.load([(type(entity), entity.id) for entity in entities])
    assert {entity.id + entity.table: entity for entity in found} == {e.id + e.table: e for e in entities}
