"""People who write while their daemon is being killed, and remember every answer they got.

Each asks in turn, never two things at once, and asks again with the same Idempotency-Key until it is answered. So any
refusal is a fault: nobody else touches what is theirs.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import msgspec

from tests.harness.daemons import DaemonProcess

ANSWER_SECONDS = 60.0
SUBSCRIPTIONS_MAX = 6
PASSWORD = "correct horse battery"


@dataclass
class Answered:
    """A keyed request and the answer that was acknowledged."""

    path: str
    body: object
    key: str
    raw: bytes

    @property
    def answer(self) -> Any:
        return msgspec.json.decode(self.raw)


@dataclass
class Tally:
    """How often what came back; `retried` were answered at a later try."""

    answered: int = 0
    retried: int = 0
    unavailable: int = 0
    in_doubt: int = 0
    lost: int = 0


@dataclass
class Person:
    """Somebody with a token, for the daemon wherever it listens now. `dice` decides all they do."""

    process: DaemonProcess
    dice: random.Random
    tally: Tally
    email: str
    token: str = ""
    id: str = ""
    answered: list[Answered] = field(default_factory=list)

    async def log_in(self) -> None:
        login = {"email": self.email, "password": PASSWORD}
        status, raw = await self.ask("POST", "/auth/login", login)
        assert status == 200, raw
        answer = msgspec.json.decode(raw)
        self.token, self.id = answer["access_token"], answer["user"]["id"]

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
        """One try: status and body. Raises aiohttp.ClientError or TimeoutError when the connection is lost."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        content = None if body is None else msgspec.json.encode(body)
        url = self.process.url + path
        async with self.process.http.request(method, url, data=content, headers=sent) as response:
            raw = await response.read()
            if response.status == 503:
                assert "Retry-After" in response.headers, raw
                self.tally.unavailable += 1
                self.tally.in_doubt += b"Outcome unknown" in raw
            return response.status, raw

    async def get(self, path: str) -> Any:
        """Asks until it is answered; a refusal is a fault."""
        return msgspec.json.decode(await self._insist("GET", path))

    async def file(self, path: str) -> bytes:
        return await self._insist("GET", path)

    async def post(self, path: str, body: object = None) -> Any:
        """Asks with one key until it is answered; a refusal is a fault. Remembers the answer."""
        key = str(UUID(int=self.dice.getrandbits(128), version=4))
        raw = await self._insist("POST", path, body, Idempotency_Key=key)
        self.answered.append(Answered(path, body, key, raw))
        return msgspec.json.decode(raw)

    async def _insist(self, method: str, path: str, body: object = None, **headers: str) -> bytes:
        tries = 0
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                tries += 1
                try:
                    status, raw = await self.ask(method, path, body, **headers)
                except (aiohttp.ClientError, TimeoutError):
                    self.tally.lost += 1
                else:
                    if status < 300:
                        self.tally.answered += 1
                        self.tally.retried += tries > 1
                        return raw
                    assert status == 503, f"{method} {path} {body} at try {tries}: {status} {raw!r}"
                await asyncio.sleep(0.02 + self.dice.random() * 0.05)


@dataclass
class Customer(Person):
    """Orders, cancels, uses, moves house; their invoices are paid or voided by the operator, one at a time."""

    operator: "Person | None" = None
    plans: list[str] = field(default_factory=list)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    running: list[str] = field(default_factory=list)
    usage: set[str] = field(default_factory=set)
    """Ids of the records that were acknowledged."""
    closed: dict[str, str] = field(default_factory=dict)
    """Invoice id: `paid` or `void`, as acknowledged."""
    written: int = 0
    house: int = 0
    """The number last acknowledged; those in `doubtful` may have taken effect after it."""
    doubtful: set[int] = field(default_factory=set)

    async def writes(self, until: asyncio.Event) -> None:
        deeds = (
            self.moves_house,
            self.uses,
            self.uses,
            self.orders_or_cancels,
            self.settles_an_invoice,
            self.is_billed,
        )
        weights = (30, 15, 15, 12, 12, 2)
        while not until.is_set():
            (deed,) = self.dice.choices(deeds, weights)
            await deed()
            await asyncio.sleep(self.dice.random() * 0.02)

    async def moves_house(self) -> None:
        """Once, without a key and without trying again: what is refused for sure must never show."""
        self.written += 1
        try:
            status, raw = await self.ask("POST", "/customer-profile", {"addressLine1": f"Weg {self.written}"})
        except (aiohttp.ClientError, TimeoutError):
            self.tally.lost += 1
            self.doubtful.add(self.written)
            return
        if status == 200:
            self.tally.answered += 1
            self.house, self.doubtful = self.written, set()
        else:
            assert status == 503, raw
            if b"Outcome unknown" in raw:
                self.doubtful.add(self.written)

    async def orders_or_cancels(self) -> None:
        if len(self.running) < SUBSCRIPTIONS_MAX:
            ordered = await self.post("/subscriptions", {"planId": self.dice.choice(self.plans)})
            self.running.append(ordered["id"])
        else:
            leaving = self.running.pop(self.dice.randrange(len(self.running)))
            await self.post(f"/subscriptions/{leaving}/cancel", {"reason": "moving on"})

    async def uses(self) -> None:
        if not self.running or self.operator is None:
            return
        self.written += 1
        begin = self.now()
        record: dict[str, Any] = {
            "subscriptionId": self.dice.choice(self.running),
            "periodStart": begin.isoformat(),
            "periodEnd": (begin + timedelta(hours=1)).isoformat(),
            "usagePayload": {"units": self.written, "unitPrice": "0.01"},
        }
        made = await self.operator.post("/usage/record", record)
        self.usage.add(made["id"])

    async def settles_an_invoice(self) -> None:
        if self.operator is None or not (owed := await self.get("/invoices/open-overdue")):
            return
        invoice_id = self.dice.choice(owed)["id"]
        deed, status = self.dice.choice((("mark-paid", "paid"), ("mark-paid", "paid"), ("void", "void")))
        await self.operator.post(f"/admin/billing/invoices/{invoice_id}/{deed}")
        self.closed[invoice_id] = status

    async def is_billed(self) -> None:
        if self.operator is not None:
            await self.operator.post("/admin/billing/bill-now", {"userId": self.id})


@dataclass
class Operator(Person):
    """Lets time pass."""

    clock: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    async def passes_time(self, until: asyncio.Event) -> None:
        while not until.is_set():
            target = self.clock + timedelta(hours=self.dice.randint(1, 40))
            await self.post("/admin/billing/test-clock", {"now": target.isoformat()})
            self.clock = target
            await asyncio.sleep(0.05 + self.dice.random() * 0.15)
