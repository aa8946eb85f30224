"""The chain of a journal in the database: sound as written, and every tampering with it is named."""

import pytest
from msgspec.structs import replace

from decabilld.actors.ports import Head
from decabilld.domain.journal import JournalRow, digest_of, genesis
from decabilld.store import journal
from decabilld.store.errors import StatementFailed
from decabilld.store.journal import Fault, Verified, verify
from decabilld.store.pool import Connection
from decabilld.store.tenant_store import PostgresTenantStore
from tests.store import samples as s

# What a superuser can do to a journal that refuses changes; a tenant without the trigger would be as good.
OPEN, SHUT = "ALTER TABLE journal DISABLE TRIGGER journal_append_only", "ALTER TABLE journal ENABLE TRIGGER ALL"
RENUMBER = "UPDATE journal SET seq = -seq WHERE seq {0}; UPDATE journal SET seq = -seq + {1} WHERE seq < 0"
NO_CHECK = "ALTER TABLE journal DROP CONSTRAINT journal_seq_check"
COPY_OF_2 = """INSERT INTO journal SELECT tenant_id, {seq}, at, kind, level, 'forged', who, cause, entity, entity_id,
    user_id, invoice_id, data, {digest} FROM journal WHERE seq = 2"""


@pytest.fixture
async def written(store: PostgresTenantStore, monkeypatch: pytest.MonkeyPatch) -> Head:
    """Five entries, in pages of two, of `acme`; another tenant has some, too."""
    monkeypatch.setattr(journal, "_PAGE", journal._PAGE.replace("LIMIT 2000", "LIMIT 2"))
    monkeypatch.setattr(journal, "PAGE_ROWS", 2)
    head = await store.claim()
    batch = s.batch(head, rows=s.journal(head, 5))
    await store.commit(batch)
    return batch.head


async def tampered(connection: Connection, sql: str) -> Verified:
    await connection.execute(f"{OPEN}; {NO_CHECK}; {sql}; {SHUT}")
    return await verify(connection, "acme")


async def test_sound_as_written(connection: Connection, written: Head) -> None:
    assert await verify(connection, "acme") == Verified(5)
    assert await verify(connection, "nobody") == Verified(0)


async def test_grows_while_it_is_verified(store: PostgresTenantStore, connection: Connection, written: Head) -> None:
    await store.commit(s.batch(written, rows=s.journal(written, 3)))
    assert await verify(connection, "acme") == Verified(8)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE journal SET message = 'nothing happened' WHERE seq = 3",
        "UPDATE journal SET data = jsonb_set(data, '{amount_minor}', '1') WHERE seq = 3",
        "UPDATE journal SET at = at + interval '1 microsecond' WHERE seq = 3",
        "UPDATE journal SET who = 'user:x' WHERE seq = 3",
        "UPDATE journal SET user_id = NULL WHERE seq = 3",
        "UPDATE journal SET digest = md5('') WHERE seq = 3",
    ],
)
async def test_changed(connection: Connection, written: Head, change: str) -> None:
    assert await tampered(connection, change) == Verified(2, Fault(3, "changed"))


@pytest.mark.parametrize("seq", [1, 3, 5])
async def test_removed(connection: Connection, written: Head, seq: int) -> None:
    found = await tampered(connection, f"DELETE FROM journal WHERE seq = {seq}")
    assert found == Verified(seq - 1, Fault(seq, "removed"))


async def test_end_cut_off(connection: Connection, written: Head) -> None:
    found = await tampered(connection, "DELETE FROM journal WHERE seq > 3")
    assert found == Verified(3, Fault(4, "removed"))


async def test_end_cut_off_and_head_set_back(connection: Connection, written: Head) -> None:
    cut = "DELETE FROM journal WHERE seq > 3; UPDATE tenant_heads SET seq = 3"
    assert await tampered(connection, cut) == Verified(3, Fault(3, "changed"))


async def test_everything_removed(connection: Connection, written: Head) -> None:
    assert await tampered(connection, "DELETE FROM journal") == Verified(0, Fault(1, "removed"))


async def test_removed_and_the_rest_renumbered(connection: Connection, written: Head) -> None:
    sql = f"DELETE FROM journal WHERE seq = 3; {RENUMBER.format('> 3', '-1')}"
    assert await tampered(connection, sql) == Verified(2, Fault(3, "removed"))


async def test_inserted_between(connection: Connection, written: Head) -> None:
    sql = f"{RENUMBER.format('>= 3', '1')}; {COPY_OF_2.format(seq=3, digest='digest')}; UPDATE tenant_heads SET seq = 6"
    assert await tampered(connection, sql) == Verified(2, Fault(3, "inserted"))


async def forged_digest(connection: Connection, written_seq: int, previous_seq: int, **fields: object) -> str:
    """The digest, quoted, with which the row of `written_seq` would fit behind `previous_seq` with other fields."""
    rows = []
    for seq in (written_seq, previous_seq):
        ((text,),) = await connection.execute(journal._ONE, ("acme", seq))
        rows += journal.decoder(JournalRow).decode(text)
    written, previous = rows
    return f"'{digest_of(previous.digest, replace(written, **fields))}'"


async def test_inserted_between_with_a_digest_to_match(connection: Connection, written: Head) -> None:
    copy = COPY_OF_2.format(seq=3, digest=await forged_digest(connection, 2, 2, seq=3, message="forged"))
    sql = f"{RENUMBER.format('>= 3', '1')}; {copy}; UPDATE tenant_heads SET seq = 6"
    assert await tampered(connection, sql) == Verified(2, Fault(3, "inserted"))


async def test_changed_with_a_digest_to_match(connection: Connection, written: Head) -> None:
    """Only the next one shows it."""
    digest = await forged_digest(connection, 3, 2, message="forged")
    sql = f"UPDATE journal SET message = 'forged', digest = {digest} WHERE seq = 3"
    assert await tampered(connection, sql) == Verified(3, Fault(4, "changed"))


async def test_appended_behind_the_head(connection: Connection, written: Head) -> None:
    found = await tampered(connection, COPY_OF_2.format(seq=6, digest="digest"))
    assert found == Verified(5, Fault(6, "inserted"))


async def test_another_tenants_journal_put_in_its_place(connection: Connection, written: Head) -> None:
    steal = "UPDATE journal SET tenant_id = 'other'; UPDATE tenant_heads SET tenant_id = 'other'"
    await connection.execute(f"{OPEN}; {steal}; {SHUT}")
    assert genesis("other") != genesis("acme")
    assert await verify(connection, "other") == Verified(0, Fault(1, "changed"))


@pytest.mark.parametrize("sql", ["UPDATE journal SET who = ''", "DELETE FROM journal", "TRUNCATE journal"])
async def test_refuses_to_be_changed(connection: Connection, written: Head, sql: str) -> None:
    with pytest.raises(StatementFailed, match="append-only"):
        await connection.execute(sql)
    assert await verify(connection, "acme") == Verified(5)
