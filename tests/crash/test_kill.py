"""kill -9 under writes, of the daemon and of its PostgreSQL: what was acknowledged is there, nothing is there twice."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from decabilld.store import books, journal
from decabilld.store.embedded import read_dsn
from decabilld.store.pool import connect
from tests.crash.writers import PASSWORD, Customer, Operator, Tally
from tests.harness.daemons import DaemonProcess, daemon_process
from tests.harness.documents import file_faults
from tests.harness.people import PROFILE

OFTEN = [3, pytest.param(20, marks=pytest.mark.heavy)]
CUSTOMERS = 5
QUIET_SECONDS = 60.0
START_SECONDS = 60.0
RESTARTED_EVERY = 5
READ_THROUGH = 20
ERRORS_MEANT = ("postgres_died", "postgres_not_started")


class Town:
    """The people of one test, and what is found of their deeds."""

    def __init__(self, process: DaemonProcess, seed: int) -> None:
        self.process, self.dice, self.tally = process, random.Random(seed), Tally()
        self.operator = Operator(process, random.Random(seed + 1), self.tally, "operator@town.example")
        self.customers: list[Customer] = []
        self._seed = seed

    async def settle(self) -> None:
        operator = self.operator
        await operator.ask("POST", "/auth/register", {"email": operator.email, "password": PASSWORD})
        await operator.log_in()
        operator.clock = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        await operator.post("/admin/billing/test-clock", {"now": operator.clock.isoformat()})
        plans = []
        for number, (interval, count) in enumerate((("day", 1), ("day", 7), ("month", 1))):
            plan = {"name": f"Plan {number}", "billingIntervalType": interval, "billingIntervalValue": count,
                    "basePrice": f"{3 + number}.9900", "cancelAtPeriodEnd": number == 1}  # fmt: skip
            plans.append((await operator.post("/service-plans", plan))["id"])
        for number in range(CUSTOMERS):
            dice = random.Random(self._seed + 10 + number)
            customer = Customer(self.process, dice, self.tally, f"customer{number}@town.example")
            customer.operator, customer.plans, customer.now = operator, plans, lambda: operator.clock
            await operator.post("/users", {"email": customer.email, "password": PASSWORD})
            await customer.log_in()
            await customer.post("/customer-profile", {**PROFILE, "email": customer.email, "addressLine1": "Weg 0"})
            self.customers.append(customer)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Everybody writes within the block; whoever fails ends it."""
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as writers:
            writers.create_task(self.operator.passes_time(enough))
            for customer in self.customers:
                writers.create_task(customer.writes(enough))
            try:
                yield
            finally:
                enough.set()

    def backends(self) -> list[int]:
        """The processes that serve the daemon's connections."""
        sql = "SELECT coalesce(array_agg(pid), '{}') FROM pg_stat_activity WHERE application_name = 'decabilld'"
        return list(self._value(sql))

    async def database_back(self) -> None:
        """PostgreSQL ends all sessions when one of its processes was killed, and recovers by itself."""
        async with asyncio.timeout(START_SECONDS):
            served = False
            while not served:
                await asyncio.sleep(0.05)
                with suppress(psycopg2.OperationalError):
                    served = bool(self.backends())

    # --- the proof ---

    async def prove(self) -> None:
        await self._quiet()
        await self._acknowledged()
        await self._replayed()
        await self._sound()
        self._documents(await self._issued())
        await self._nothing_more()
        self._no_error_logged()

    async def _quiet(self) -> None:
        """Every effect is delivered in time and none was given up."""
        async with asyncio.timeout(QUIET_SECONDS):
            while self._value("SELECT count(*) FROM outbox WHERE failed_at IS NULL"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert self._value("SELECT count(*) FROM outbox") == 0

    async def _acknowledged(self) -> None:
        operator = self.operator
        clock = await operator.get("/admin/billing/test-clock")
        assert datetime.fromisoformat(clock["now"]) == operator.clock
        for customer in self.customers:
            profile = await customer.get("/customer-profile")
            house = int(profile["addressLine1"].removeprefix("Weg "))
            assert house == customer.house or house in customer.doubtful
            subscriptions = {one["id"]: one for one in await customer.get("/subscriptions?limit=1000")}
            ordered = {done.answer["id"]: done.answer for done in customer.answered if done.path == "/subscriptions"}
            assert subscriptions.keys() == ordered.keys(), "each order is one subscription"
            for subscription_id, answer in ordered.items():
                assert same(answer, subscriptions[subscription_id], "number", "planId", "createdAt")
            for done in customer.answered:
                if done.path.endswith("/cancel"):
                    assert same(done.answer, subscriptions[done.answer["id"]], "cancelRequestedAt", "cancelEffectiveAt")
            for invoice_id, status in customer.closed.items():
                assert (await customer.get(f"/invoices/ref/{invoice_id}"))["status"] == status
            sql = "SELECT array_agg(id::text) FROM usage_records WHERE subscription_id = ANY(%s::uuid[])"
            assert sorted(self._value(sql, list(subscriptions)) or ()) == sorted(customer.usage), "each is there, once"
        runs = [done.answer["requestId"] for done in operator.answered if done.path.endswith("/bill-now")]
        assert (
            len(set(runs)) == len(runs) == self._value("SELECT count(*) FROM billing_runs WHERE billing_date IS NULL")
        )
        async with asyncio.timeout(QUIET_SECONDS):
            for run in runs:
                while (await operator.get(f"/admin/billing/bill-now/{run}"))["status"] != "done":  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    async def _replayed(self) -> None:
        """A key that was answered is answered the same, and does nothing more."""
        before = self._value("SELECT seq FROM tenant_heads WHERE tenant_id = 'default'")
        for person in (self.operator, *self.customers):
            for done in self.dice.sample(person.answered, min(20, len(person.answered))):
                _, raw = await person.ask("POST", done.path, done.body, Idempotency_Key=done.key)
                assert raw == done.raw
        assert self._value("SELECT seq FROM tenant_heads WHERE tenant_id = 'default'") == before

    async def _sound(self) -> None:
        connection = await connect(self._dsn, statement_timeout_ms=60_000)
        try:
            assert await books.faults(connection, "default") == []
            assert (await journal.verify(connection, "default")).fault is None
        finally:
            await connection.close()

    async def _issued(self) -> list[Any]:
        """Every invoice, as the operator sees it."""
        found: list[Any] = []
        while True:
            page = await self.operator.get(f"/admin/billing/invoices?limit=100&offset={len(found)}")
            found += page["items"]
            if len(found) >= page["total"]:
                return found

    def _documents(self, issued: list[Any]) -> None:
        numbers = [invoice["invoiceNumber"] for invoice in issued]
        credit_notes = [invoice["voidDocumentNumber"] for invoice in issued if invoice["status"] == "void"]
        kept = {path.stem: path for path in (self.process.data_dir / "documents").rglob("*.pdf")}
        assert sorted(kept) == sorted(numbers + credit_notes)
        for path in kept.values():
            assert path.read_bytes().rstrip().endswith(b"%%EOF"), f"{path} is cut off"
        for path in self.dice.sample(sorted(kept.values()), min(READ_THROUGH, len(kept))):
            assert file_faults(path.read_bytes()) == [], path

    async def _nothing_more(self) -> None:
        """Once all is billed, neither time nor an admin finds anything more, nor does a daemon that starts anew."""
        counts = "SELECT ARRAY[(SELECT count(*) FROM positions), (SELECT count(*) FROM invoices)]"
        at = {"now": self.operator.clock.isoformat()}
        before = self._value(counts)
        await self.operator.post("/admin/billing/test-clock", at)
        assert self._value(counts) == before
        summary = await self.operator.get("/admin/billing/summary")
        await self.process.stop()
        began = time.monotonic()
        await self.process.start()
        assert time.monotonic() - began < START_SECONDS
        await self.operator.post("/admin/billing/test-clock", at)
        assert await self.operator.get("/admin/billing/summary") == summary
        assert self._value(counts) == before

    def _no_error_logged(self) -> None:
        lines = [line for line in self.process.log.read_text().splitlines() if line.startswith("{")]
        errors = [line for line in lines if '"level": "error"' in line]
        assert [line for line in errors if not any(meant in line for meant in ERRORS_MEANT)] == []

    @property
    def _dsn(self) -> str:
        dsn = read_dsn(self.process.data_dir)
        assert dsn is not None, "it runs"
        return dsn

    def _value(self, sql: str, *params: object) -> Any:
        connection = psycopg2.connect(self._dsn)
        try:
            cursor = connection.cursor()
            cursor.execute(sql, params)
            ((value,),) = cursor.fetchall()
            return value
        finally:
            connection.close()


def same(one: dict[str, Any], other: dict[str, Any], *names: str) -> bool:
    return [one[name] for name in names] == [other[name] for name in names]


@pytest.mark.parametrize("times", OFTEN)
async def test_killed_daemon(times: int) -> None:
    async with under_fire() as town:
        for _ in range(times):
            await asyncio.sleep(town.dice.uniform(0.05, 0.8))
            await town.process.kill()
            began = time.monotonic()
            await town.process.start()
            print(f"{time.monotonic() - began:.2f}", end=" ")
            assert time.monotonic() - began < START_SECONDS


@pytest.mark.heavy
async def test_killed_database() -> None:
    async with under_fire() as town:
        for number in range(1, 21):
            await asyncio.sleep(town.dice.uniform(0.05, 0.8))
            began = time.monotonic()
            await kill_database(town.process)
            print(f"{time.monotonic() - began:.2f}", end=" ")
            # Its pauses grow with each death; and a stop under writes is worth a look, too.
            if not number % RESTARTED_EVERY:
                await town.process.stop()
                await town.process.start()


@pytest.mark.heavy
async def test_killed_backend() -> None:
    async with under_fire() as town:
        for _ in range(2):
            await asyncio.sleep(town.dice.uniform(0.3, 0.8))
            os.kill(town.dice.choice(town.backends()), signal.SIGKILL)
            await town.database_back()
            await town.process.until_ready()


async def kill_database(process: DaemonProcess) -> None:
    """Returns when another one serves the daemon."""
    killed = process.postgres_pid
    os.kill(killed, signal.SIGKILL)
    async with asyncio.timeout(START_SECONDS):
        while postgres_pid(process) in (None, killed):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await process.until_ready()


def postgres_pid(process: DaemonProcess) -> int | None:
    """None while there is none."""
    try:
        return process.postgres_pid
    except (OSError, ValueError, IndexError):
        return None


@asynccontextmanager
async def under_fire() -> AsyncIterator[Town]:
    """A town that writes within the block, and whose books are proven after it."""
    seed = int(os.environ.get("CRASH_SEED") or time.time_ns() % 1_000_000)
    print(f"CRASH_SEED={seed}")
    async with daemon_process(LOG_LEVEL="warning") as process:
        town = Town(process, seed)
        await town.settle()
        async with town.writing():
            yield town
            await asyncio.sleep(0.5)
        print(town.tally)
        await town.prove()
