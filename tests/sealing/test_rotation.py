"""A change of the encryption key: all is sealed anew, also after an interruption; what can't be opened is left."""

import json
import os
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg2
import pytest
from psycopg2.extensions import parse_dsn

from decabilld import keys
from decabilld.domain.entities import SubscriptionItem
from decabilld.ids import new_id
from decabilld.messages.effects import SendMail
from decabilld.sealing import Keyring, NotOpened
from decabilld.settings import Settings
from decabilld.store import sealed
from decabilld.store.pool import Connection, Pool, connect
from decabilld.store.sealed import Resealed, reseal
from decabilld.store.tenant_store import PostgresTenantStore
from tests.control.command import Done, decabilld
from tests.harness.daemons import running_daemon
from tests.store import samples

OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    connection = await connect(database, statement_timeout_ms=10_000)
    yield connection
    await connection.close()


async def put_mail(connection: Connection, ring: Keyring, tenant: str = "default", code: str = "ABC123") -> None:
    """A code that waits in a tenant's outbox."""
    effect = SendMail(
        id=new_id(),
        template="confirm_email",
        to="anna@example.com",
        user_id=new_id(),
        sealed_code=ring.seal(code, tenant, SendMail.SEALED_CODE),
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    await connection.execute(
        "INSERT INTO outbox (tenant_id, id, kind, lane, cause, payload, due_at, attempts, created_at) "
        "VALUES (%s, %s, 'SendMail', 'prompt', 'test', %s, now() + interval '1 hour', 0, now())",
        (tenant, effect.id, msgspec.json.encode(effect).decode()),
    )


def codes(database: str, ring: Keyring) -> list[str]:
    """What the outbox holds, opened by these keys only."""
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id, payload::json->>'sealed_code' FROM outbox")
        rows: list[Any] = cursor.fetchall()
    return sorted(ring.open(text, tenant, SendMail.SEALED_CODE) for tenant, text in rows)


async def last(pages: AsyncIterator[Resealed]) -> Resealed:
    return [page async for page in pages][-1]


async def test_every_tenants_codes_are_sealed_anew_page_by_page(
    database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "PAGE", 2)
    expected = [f"CODE{number}" for number in range(5)]
    for number, code in enumerate(expected):
        await put_mail(connection, Keyring(OLD), f"tenant{number % 2}", code)
    ring = Keyring(NEW, [OLD])
    pages = [page async for page in reseal(connection, ring)]
    assert [page.resealed for page in pages] == [2, 4, 5]
    assert codes(database, Keyring(NEW)) == expected
    assert await last(reseal(connection, ring)) == Resealed(current=5)


async def test_an_interrupted_rotation_goes_on(
    database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "PAGE", 2)
    for _ in range(5):
        await put_mail(connection, Keyring(OLD))
    ring = Keyring(NEW, [OLD])
    async for _ in reseal(connection, ring):
        break
    assert await last(reseal(connection, ring)) == Resealed(resealed=3, current=2)


async def put_items(database: str, ring: Keyring, count: int, tenant: str = "acme") -> None:
    """A customer's servers, each with its own secrets; one more that is released and has none."""
    owner, plan = samples.user(), samples.plan()
    subscription = samples.subscription(owner, plan)
    items = [
        samples.item(
            subscription, sealed_secrets=ring.seal(f"keys of {number}", tenant, SubscriptionItem.SEALED_SECRETS)
        )
        for number in range(count)
    ]
    released = samples.item(subscription, sealed_secrets=None, released_at=samples.NOW)
    pool = await Pool.open(database, size=1)
    store = PostgresTenantStore(database, tenant, new_id(), pool)
    try:
        await store.commit(samples.batch(await store.claim(), [owner, plan, subscription, released, *items]))
    finally:
        await store.close()
        await pool.close()


def opened_items(database: str, ring: Keyring) -> list[str]:
    """What the items hold, opened by these keys only."""
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id, sealed_secrets FROM subscription_items WHERE sealed_secrets IS NOT NULL")
        rows: list[Any] = cursor.fetchall()
    return sorted(ring.open(text, tenant, SubscriptionItem.SEALED_SECRETS) for tenant, text in rows)


async def test_the_secrets_of_a_thousand_servers_are_sealed_anew_across_an_interruption(
    database: str, connection: Connection
) -> None:
    expected = sorted(f"keys of {number}" for number in range(1_000))
    await put_items(database, Keyring(OLD), 1_000)
    await put_mail(connection, Keyring(OLD))
    ring = Keyring(NEW, [OLD])
    pages = reseal(connection, ring)
    assert [(await anext(pages)).resealed for _ in range(2)] == [1, 501]  # the mail, and a page of items
    await pages.aclose()  # type: ignore[attr-defined]
    with pytest.raises(NotOpened):
        opened_items(database, Keyring(NEW))
    assert opened_items(database, ring) == expected
    assert await last(reseal(connection, ring)) == Resealed(resealed=500, current=501)
    assert opened_items(database, Keyring(NEW)) == expected
    assert codes(database, Keyring(NEW)) == ["ABC123"]


async def test_what_no_key_opens_is_left_and_counted(database: str, connection: Connection) -> None:
    await put_mail(connection, Keyring(b"x" * 32))
    await put_mail(connection, Keyring(OLD))
    assert await last(reseal(connection, Keyring(NEW, [OLD]))) == Resealed(resealed=1, unopened=1)


async def rotate(database: str, data_dir: Path, **environment: str) -> Done:
    server = parse_dsn(database)
    where = {"DB_HOST": server["host"], "DB_PORT": server["port"], "DB_USERNAME": server["user"]}
    return await decabilld(
        "rotate-key", "--json", data_dir=data_dir, **where, DB_DATABASE=server["dbname"], **environment
    )


async def test_the_operator_changes_their_key(database: str, connection: Connection, tmp_path: Path) -> None:
    await put_mail(connection, Keyring(OLD))
    await connection.close()
    lacking = await rotate(database, tmp_path, ENCRYPTION_KEY=NEW.hex())
    assert (lacking.code, lacking.out) == (2, "")
    assert "ENCRYPTION_KEY_PREVIOUS" in lacking.err
    given = {"ENCRYPTION_KEY": NEW.hex(), "ENCRYPTION_KEY_PREVIOUS": OLD.hex()}
    done = await rotate(database, tmp_path, **given)
    key_id = Keyring(NEW).key_id
    assert json.loads(done.out) == {"resealed": 1, "current": 0, "unopened": 0, "keyId": key_id}, done.err
    assert codes(database, Keyring(NEW)) == ["ABC123"]
    again = await rotate(database, tmp_path, **given)
    assert (again.code, json.loads(again.out)["current"]) == (0, 1)


async def test_the_kept_key_is_replaced_and_forgotten(database: str, connection: Connection, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    old = keys.encryption_key(settings)
    await put_mail(connection, keys.keyring(settings))
    await connection.close()
    assert (await rotate(database, tmp_path)).code == 0
    assert keys.encryption_key(settings) != old
    assert codes(database, keys.keyring(settings)) == ["ABC123"]
    assert os.listdir(tmp_path) == ["encryption_key"]
    assert stat.S_IMODE((tmp_path / "encryption_key").stat().st_mode) == 0o600


async def test_a_kept_key_stays_while_something_needs_it(database: str, connection: Connection, tmp_path: Path) -> None:
    await put_mail(connection, Keyring(b"x" * 32))
    await connection.close()
    done = await rotate(database, tmp_path)
    assert (done.code, json.loads(done.out)["unopened"]) == (1, 1)
    assert (tmp_path / "encryption_key.previous").exists()


def test_a_rotation_that_had_begun_keeps_its_two_keys(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    old = keys.encryption_key(settings)
    keys.begin_rotation(settings)
    new = keys.encryption_key(settings)
    keys.begin_rotation(settings)
    assert keys.encryption_key(settings) == new
    text = Keyring(old).seal("ABC123", "t", "f")
    assert keys.keyring(settings).open(text, "t", "f") == "ABC123"
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_running_daemon_is_not_rotated_under_its_feet(database: str, tmp_path: Path) -> None:
    async with running_daemon(database, tmp_path):
        done = await rotate(database, tmp_path)
        assert done.code == 1
        assert "stop it first" in done.err
        assert not (tmp_path / "encryption_key").exists()
