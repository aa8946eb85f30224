"""Tenants that order and end servers at unreliable clouds while their daemon is killed, and what must be true after.

Each tenant is a seed of its own: one customer whose deeds its dice decide. All share a daemon's process and an account
at a provider, so that each kill meets some of them at every step. What is acknowledged is remembered.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import msgspec
import psycopg2
from psycopg2.extensions import parse_dsn
from psycopg2.extras import RealDictCursor

from decabilld.store import books, journal
from decabilld.store.pool import connect
from tests.crash.writers import PASSWORD, Person, Tally
from tests.harness.daemons import DaemonProcess, daemon_process
from tests.harness.people import PROFILE
from tests.providers.fake_api import FakeApi, Fault
from tests.providers.fake_cloudflare import FakeCloudflare
from tests.providers.fake_digitalocean import FakeDigitalOcean
from tests.providers.fake_hetzner import FakeHetzner

FAULTY = 0.12
"""Share of requests that something befalls."""
SETTLE_SECONDS = 300.0
ANSWER_SECONDS = 90.0
OPEN_MAX, ORDERS_MAX = 2, 3
PAUSE_SECONDS_A_BUYER = 0.1
"""The more there are, the longer each pauses: there is always something under way, and always something to come."""
TRIGGER_SECONDS = 2.0
SCHEMA = {
    "type": "object",
    "properties": {"serverType": {"type": "string"}, "location": {"type": "string"}, "service": {"enum": ["manager"]}},
    "required": ["serverType", "location"],
}
BUGS = ("task_failed", "command_failed", "commit_refused", "tenant_crashed", "job_failed", "round_failed")


@dataclass(frozen=True)
class Standing:
    """A server as the provider has it."""

    id: str
    item_id: str
    address: str


class Cloud:
    """A provider on loopback, with the names. `dice` decide what goes wrong while it isn't `calm`."""

    provider: str
    steps: tuple[str, ...]
    """What a kill may follow: the requests of every step."""
    wishes: dict[str, str]

    def __init__(self, fake: FakeApi, dice: random.Random) -> None:
        self.fake, self.names, self.dice = fake, FakeCloudflare(), dice
        self.calm = True
        for api in (self.fake, self.names):
            api._fault_for = self._fault  # type: ignore[method-assign]

    @property
    def variables(self) -> dict[str, str]:
        return {
            "CLOUDFLARE_API_TOKEN": self.names.token,
            "CLOUDFLARE_API_BASE": self.names.base,
            "CLOUDFLARE_ZONE_ID": self.names.zone_id,
            "DNS_BASE_DOMAIN": self.names.domain,
        }

    def sell(self, *, out: bool) -> None:
        raise NotImplementedError

    def standing(self) -> list[Standing]:
        raise NotImplementedError

    def keys(self) -> list[str]:
        """The items whose SSH keys are registered."""
        raise NotImplementedError

    def published(self) -> dict[str, list[str]]:
        """Addresses by item."""
        found: dict[str, list[str]] = {}
        for record in self.names.records.values():
            found.setdefault(record["comment"].removeprefix("decabilld-item="), []).append(record["content"])
        return found

    def count(self, line: str) -> int:
        return self.fake.count(line) + self.names.count(line)

    def _fault(self, line: str) -> Fault:
        if self.calm or self.dice.random() > FAULTY:
            return Fault()
        return self.dice.choice((
            Fault(lost="before"), Fault(lost="after"), Fault(lost="after"), Fault(status=500),
            Fault(status=429, headers={"Retry-After": "1"}), Fault(delay_seconds=self.dice.uniform(0.05, 1.5)),
            Fault(delay_seconds=self.dice.uniform(0.05, 0.3), lost="after"),
        ))  # fmt: skip


class AtHetzner(Cloud):
    provider = "hetzner"
    steps = ("POST /ssh_keys", "POST /servers", "POST /servers", "GET /servers", "POST /zones", "GET /zones",
             "DELETE /zones", "DELETE /servers", "DELETE /ssh_keys")  # fmt: skip
    wishes = {"serverType": "cx23", "location": "fsn1"}

    def __init__(self, dice: random.Random) -> None:
        self.hetzner = FakeHetzner()
        self.hetzner.address_seconds = 0.3
        super().__init__(self.hetzner, dice)

    @property
    def variables(self) -> dict[str, str]:
        own = {"HETZNER_API_TOKEN": self.hetzner.token, "HETZNER_API_BASE": self.hetzner.base}
        return {**super().variables, **own}

    def sell(self, *, out: bool) -> None:
        self.hetzner.sold_out = {("cx23", "fsn1")} if out else set()

    def standing(self) -> list[Standing]:
        return [
            Standing(str(one["id"]), one["labels"]["decabilld-item"], one["ip"])
            for one in self.hetzner.servers.values()
        ]

    def keys(self) -> list[str]:
        return [key["labels"]["decabilld-item"] for key in self.hetzner.ssh_keys.values()]


class AtDigitalOcean(Cloud):
    """Names aren't unique there, tags come late, and a server is listed by its tags only."""

    provider = "digital-ocean"
    steps = ("POST /account/keys", "POST /droplets", "POST /droplets", "GET /droplets", "POST /zones", "GET /zones",
             "DELETE /zones", "DELETE /droplets", "DELETE /account/keys")  # fmt: skip
    wishes = {"serverType": "s-2vcpu-4gb", "location": "fra1"}

    def __init__(self, dice: random.Random) -> None:
        self.ocean = FakeDigitalOcean()
        self.ocean.boot_seconds, self.ocean.tag_seconds = 0.8, 0.4
        self.ocean.key_lists_a_minute = 1_000  # else the test would wait for minutes; the limit has its own tests
        super().__init__(self.ocean, dice)

    @property
    def variables(self) -> dict[str, str]:
        own = {"DIGITALOCEAN_API_TOKEN": self.ocean.token, "DIGITALOCEAN_API_BASE": self.ocean.base}
        return {**super().variables, **own}

    def sell(self, *, out: bool) -> None:
        self.ocean.closed_regions = {"fra1"} if out else set()

    def standing(self) -> list[Standing]:
        return [
            Standing(
                str(one["id"]),
                next(tag for tag in one["tags"] if ":" in tag).partition(":")[2],
                f"203.0.113.{one['id'] % 250}",
            )
            for one in self.ocean.droplets.values()
        ]

    def keys(self) -> list[str]:
        return [key["name"].removeprefix("decabilld-") for key in self.ocean.keys.values()]


@dataclass
class Buyer(Person):
    """A tenant's only user: sells to themselves, orders, ends, cancels and retries what waits."""

    tenant: str = ""
    pause_seconds: float = 0.0
    plans: list[str] = field(default_factory=list)
    ordered: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def settles(self, cloud: Cloud) -> None:
        await self.insists("POST", "/auth/register", {"email": self.email, "password": PASSWORD})
        _, login = await self.insists("POST", "/auth/login", {"email": self.email, "password": PASSWORD})
        self.token = login["access_token"]
        await self.insists("POST", "/customer-profile", {**PROFILE, "email": self.email})
        kind = {"key": "server", "name": "Server", "provider": cloud.provider, "configSchema": SCHEMA}
        _, service = await self.insists("POST", "/service-types", kind)
        for name, advance in (("By the hour", False), ("In advance", True)):
            plan = {
                "name": name, "basePrice": "36000.00", "billingIntervalType": "hour", "billingIntervalValue": 1,
                "billInAdvance": advance, "cancelAtPeriodEnd": False, "serviceTypeId": service["id"],
                "providerConfigDefaults": {**cloud.wishes, "service": "manager", "authenticationMethod": "api-key"},
            }  # fmt: skip
            _, made = await self.insists("POST", "/service-plans", plan)
            self.plans.append(made["id"])

    async def buys(self, until: asyncio.Event) -> None:
        deeds = (self.orders, self.ends, self.gives_up_waiting, self.retries)
        while not until.is_set():
            (deed,) = self.dice.choices(deeds, (6, 4, 1, 1))
            await deed()
            await asyncio.sleep(self.dice.random() * self.pause_seconds)

    async def orders(self) -> None:
        if len(self.ordered) - len(self.ended) >= OPEN_MAX or len(self.ordered) >= ORDERS_MAX:
            return
        wanted = {"planId": self.dice.choice(self.plans), "autoBackorder": self.dice.random() < 0.6}
        status, answer = await self.insists("POST", "/subscriptions", wanted)
        if status == 201:
            self.ordered.append(answer["id"])

    async def ends(self) -> None:
        """In advance it waits for the period's end; refused where it waits for capacity, or has ended by itself."""
        open_ones = [one for one in self.ordered if one not in self.ended]
        if open_ones:
            chosen = self.dice.choice(open_ones)
            status, answer = await self.insists("POST", f"/subscriptions/{chosen}/cancel")
            if status < 300 and answer["status"] == "canceled":
                self.ended.append(chosen)

    async def gives_up_waiting(self) -> None:
        for backorder in await self._waiting():
            await self.insists("POST", f"/backorders/{backorder['id']}/cancel")
            return

    async def retries(self) -> None:
        for backorder in await self._waiting():
            await self.insists("POST", f"/backorders/{backorder['id']}/retry")
            return

    async def ends_all(self) -> None:
        """As far as they end at once; what is paid in advance goes on."""
        for subscription in self.ordered:
            await self.insists("POST", f"/subscriptions/{subscription}/cancel")

    async def insists(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Asks with one key until it is answered, by whatever but 5xx and 429."""
        key = str(UUID(int=self.dice.getrandbits(128), version=4))
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                try:
                    status, raw = await self.ask(method, path, body, X_Tenant=self.tenant, Idempotency_Key=key)
                except (aiohttp.ClientError, TimeoutError):
                    self.tally.lost += 1
                else:
                    if status < 500:
                        self.tally.answered += 1
                        return status, msgspec.json.decode(raw) if raw else None
                    assert status == 503, f"{method} {path} {body}: {status} {raw!r}"
                await asyncio.sleep(0.05 + self.dice.random() * 0.1)

    async def _waiting(self) -> list[Any]:
        _, found = await self.insists("GET", "/backorders?limit=100")
        return [one for one in found if one["status"] in ("pending", "retrying", "failed")]


class ServerTown:
    """The buyers of one test, their daemon and their cloud."""

    def __init__(self, database: str, process: DaemonProcess, cloud: Cloud, buyers: list[Buyer], seed: int) -> None:
        self.process, self.cloud, self.buyers, self.dice = process, cloud, buyers, random.Random(seed)
        self.killed: Counter[str] = Counter()
        self._database = database

    async def storm(self, kills: int) -> None:
        """Everybody buys, capacity comes and goes, requests fail, and the daemon is killed that often."""
        over = asyncio.Event()
        self.cloud.calm = False
        async with asyncio.TaskGroup() as group:
            for buyer in self.buyers:
                group.create_task(buyer.buys(over))
            group.create_task(self._market(over))
            try:
                for _ in range(kills):
                    await self._killed_after(self.dice.choice(self.cloud.steps))
                    await self.process.start()
            finally:
                over.set()
        self.cloud.calm = True
        self.cloud.sell(out=False)

    async def _market(self, until: asyncio.Event) -> None:
        out = False
        while not until.is_set():
            await asyncio.sleep(self.dice.uniform(0.2, 1.0))
            out = not out and self.dice.random() < 0.5
            self.cloud.sell(out=out)

    async def _killed_after(self, line: str) -> None:
        """At once after such a request has reached the cloud, which mostly hasn't acted yet; or a moment later."""
        wanted = self.cloud.count(line) + self.dice.randint(1, 4)
        try:
            async with asyncio.timeout(TRIGGER_SECONDS):
                while self.cloud.count(line) < wanted:  # noqa: ASYNC110 - as quick as can be
                    await asyncio.sleep(0.001)
                self.killed[line] += 1
        except TimeoutError:
            self.killed["any"] += 1
        await asyncio.sleep(self.dice.choice((0.0, 0.0, self.dice.uniform(0, 0.05))))
        await self.process.kill()

    async def settled(self) -> float:
        """The seconds that it took until nothing was left to do."""
        began = asyncio.get_running_loop().time()
        open_ends = """SELECT
            (SELECT count(*) FROM outbox WHERE failed_at IS NULL)
            + (SELECT count(*) FROM subscription_items WHERE step IS NOT NULL)
            + (SELECT count(*) FROM subscription_items WHERE unwanted_since IS NOT NULL AND released_at IS NULL)
            + (SELECT count(*) FROM backorders WHERE status IN ('pending', 'retrying')) AS left"""
        while (left := self._rows(open_ends)[0]["left"]) > 0:
            waited = asyncio.get_running_loop().time() - began
            assert waited < SETTLE_SECONDS, f"{left} things are still to be done: {self._open_items()}"
            await asyncio.sleep(0.25)
        return asyncio.get_running_loop().time() - began

    def _open_items(self) -> list[Any]:
        return self._rows("SELECT kind, attempts, last_error, due_at - now() AS due_in FROM outbox LIMIT 20")

    async def prove(self) -> None:
        """One server for each item that is paid for and none besides; so with keys and names; none billed in vain."""
        subscriptions = {row["id"]: row for row in self._rows("SELECT id::text, status FROM subscriptions")}
        items = self._rows("""SELECT id::text, tenant_id, subscription_id::text, provisioning_status, server_id,
            public_ip, hostname, released_at FROM subscription_items""")
        live = {item["id"]: item for item in items if item["released_at"] is None}
        for item in items:
            paying = subscriptions[item["subscription_id"]]["status"] in ("active", "pending_cancel")
            assert paying == (item["id"] in live), f"{item}: paid for and there, or neither"
        for item in live.values():
            assert item["provisioning_status"] == "active", item
        standing = self.cloud.standing()
        assert sorted(one.item_id for one in standing) == sorted(live), "one server an item, and no other"
        for server in standing:
            assert (server.id, server.address) == (live[server.item_id]["server_id"], live[server.item_id]["public_ip"])
        assert sorted(self.cloud.keys()) == sorted(live)
        assert self.cloud.published() == {item["id"]: [item["public_ip"]] for item in live.values()}
        assert self._rows("SELECT id FROM outbox") == [], "nothing was given up"
        unbegun = self._rows("""SELECT p.id FROM positions p WHERE NOT EXISTS (
            SELECT FROM journal j JOIN subscription_items i ON i.tenant_id = j.tenant_id AND i.id = j.entity_id
            WHERE j.tenant_id = p.tenant_id AND j.kind = 'server.ready' AND i.subscription_id = p.subscription_id)""")
        assert unbegun == [], "nothing is charged whose server never came up"
        for buyer in self.buyers:
            assert set(buyer.ordered) <= set(subscriptions), "what was acknowledged is there"
            assert {subscriptions[one]["status"] for one in buyer.ended} <= {"canceled"}
        await self._sound()
        assert self.cloud.fake.count("") <= 3_600, "a whole hour's worth"
        log = self.process.log.read_text()
        assert [line for line in log.splitlines() if any(f'"{bug}"' in line for bug in BUGS)] == []

    async def _sound(self) -> None:
        connection = await connect(self._database, statement_timeout_ms=60_000)
        try:
            for buyer in self.buyers:
                assert await books.faults(connection, buyer.tenant) == []
                assert (await journal.verify(connection, buyer.tenant)).fault is None
        finally:
            await connection.close()

    def count(self, sql: str) -> int:
        (row,) = self._rows(sql)
        return int(next(iter(row.values())))

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        connection = psycopg2.connect(self._database)
        try:
            cursor = connection.cursor(cursor_factory=RealDictCursor)
            cursor.execute(sql)
            return [dict(row) for row in cursor.fetchall()]
        finally:
            connection.close()


@asynccontextmanager
async def server_town(
    database: str, seed: int, seeds: int, cloud_at: Callable[[random.Random], Cloud]
) -> AsyncIterator[ServerTown]:
    """A town of that many buyers, each a tenant and a seed, with a daemon that runs; a cloud that is calm yet."""
    server = parse_dsn(database)
    cloud = cloud_at(random.Random(seed))
    tenants = [f"t{number:02}" for number in range(seeds)]
    async with AsyncExitStack() as parts:
        await parts.enter_async_context(cloud.fake)
        await parts.enter_async_context(cloud.names)
        process = await parts.enter_async_context(
            daemon_process(
                DB_HOST=server["host"], DB_PORT=server.get("port", "5432"), DB_USERNAME=server["user"],
                DB_DATABASE=server["dbname"], TENANTS=",".join(tenants), TENANTS_ALLOW_DEFAULT="false",
                TEST_CLOCK="false", LOG_LEVEL="warning", MANAGER_IMAGE="registry.example/manager:1",
                BACKORDER_RETRY_INTERVAL_MS="1000", **cloud.variables,
            )
        )  # fmt: skip
        tally = Tally()
        buyers = [
            Buyer(
                process,
                random.Random(f"{seed}/{tenant}"),
                tally,
                f"buyer@{tenant}.example",
                tenant=tenant,
                pause_seconds=PAUSE_SECONDS_A_BUYER * seeds,
            )
            for tenant in tenants
        ]
        for buyer in buyers:
            await buyer.settles(cloud)
        yield ServerTown(database, process, cloud, buyers, seed)
