"""The people of a story: an administrator and customers who speak the HTTP API, so that a test reads like prose.

Instants are given as the wall shows them in the billing zone (`2027-02-28 12:00`), or with an offset. Amounts come
back as exact Decimals that compare with strings through `eur`. Whoever wants to see a refusal asks by `refused`.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import msgspec

from decabilld.domain.entities import Position
from tests.harness.audit import Audit

PASSWORD = "correct horse battery"
PROFILE = {
    "firstName": "Anna",
    "lastName": "Muster",
    "addressLine1": "Weg 7",
    "postalCode": "10115",
    "city": "Berlin",
    "country": "DE",
}
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Refused(Exception):
    """The daemon said no."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(f"{status}: {answer}")
        self.status, self.answer = status, answer

    @property
    def message(self) -> str:
        return str(self.answer["message"])


class Person:
    """Somebody with a token. Calls answer the decoded body, or raise Refused."""

    def __init__(self, http: aiohttp.ClientSession, url: str, tenant: str, zone: ZoneInfo, audit: Audit | None) -> None:
        self.http, self.url, self.tenant, self.zone, self._audit = http, url, tenant, zone, audit
        self.token = self.id = self.email = ""

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        sent = {"X-Tenant": self.tenant, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        content = None if body is None else _encode(body)
        async with self.http.request(method, self.url + path, data=content, headers=sent) as response:
            raw = await response.read()
            answer = _decode(raw) if response.content_type == "application/json" and raw else raw
            if response.status >= 400:
                raise Refused(response.status, answer)
            return answer

    async def get(self, path: str) -> Any:
        return await self.call("GET", path)

    async def post(self, path: str, body: object = None, **headers: str) -> Any:
        return await self.call("POST", path, body, **headers)

    async def refused(self, method: str, path: str, body: object = None) -> Refused:
        """The refusal of a call that must not succeed."""
        try:
            answer = await self.call(method, path, body)
        except Refused as refused:
            return refused
        raise AssertionError(f"{method} {path} was answered: {answer}")

    async def log_in(self, email: str) -> None:
        answer = await self.post("/auth/login", {"email": email, "password": PASSWORD})
        self.token, self.id, self.email = answer["access_token"], answer["user"]["id"], email

    def instant(self, wall: str) -> datetime:
        """What the wall shows in the billing zone, as UTC; the first of two where it shows it twice."""
        at = datetime.fromisoformat(wall)
        return (at.replace(tzinfo=self.zone) if at.tzinfo is None else at).astimezone(UTC)

    def wall(self, instant: datetime | str) -> str:
        """An instant as the wall shows it."""
        at = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
        return f"{at.astimezone(self.zone):%Y-%m-%d %H:%M}"

    @property
    def audit(self) -> Audit:
        assert self._audit is not None, "only a daemon within this process is audited"
        return self._audit


class Customer(Person):
    """Somebody who orders."""

    async def fills_in_profile(self, **fields: Any) -> None:
        await self.post("/customer-profile", {**PROFILE, "email": self.email, **fields})

    async def orders(self, plan: str) -> str:
        """The new subscription's id."""
        return str((await self.post("/subscriptions", {"planId": plan}))["id"])

    async def cancels(self, subscription: str, reason: str | None = None) -> Any:
        return await self.post(f"/subscriptions/{subscription}/cancel", {"reason": reason})

    async def resumes(self, subscription: str) -> Any:
        return await self.post(f"/subscriptions/{subscription}/resume")

    async def subscription(self, subscription: str) -> Any:
        return await self.get(f"/subscriptions/{subscription}")

    async def invoices(self, subscription: str) -> list[Any]:
        """Every invoice with a line of it in full, the oldest first."""
        listed = await self.get(f"/invoices/{subscription}")
        return [await self.invoice(one["id"]) for one in reversed(listed)]

    async def invoice(self, invoice_id: str) -> Any:
        return await self.get(f"/invoices/ref/{invoice_id}")

    async def owes(self) -> Any:
        return await self.get("/invoices/summary")

    async def pays(self, invoice_id: str) -> str:
        """The checkout's URL."""
        return str((await self.post(f"/invoices/ref/{invoice_id}/pay"))["checkoutUrl"])

    async def positions(self, subscription: str) -> list[Position]:
        """Its charges as they lie in the database, in the order of their periods."""
        found = await self.audit.rows(Position, self.tenant, "subscription_id = %s", subscription)
        return sorted(found, key=lambda position: (position.period_start, position.created_at, position.id))

    async def charges(self, subscription: str) -> list[tuple[str, str, str]]:
        """Likewise, as (begin, end, net) in words."""
        positions = await self.positions(subscription)
        return [(self.wall(p.period_start), self.wall(p.period_end), cents(p.net_minor)) for p in positions]


class Admin(Customer):
    """The operator; may be a customer as well."""

    @classmethod
    async def registered(
        cls, http: aiohttp.ClientSession, url: str, tenant: str, zone: ZoneInfo, audit: Audit | None = None
    ) -> "Admin":
        admin = cls(http, url, tenant, zone, audit)
        email = f"admin@{tenant}.example"
        await admin.post("/auth/register", {"email": email, "password": PASSWORD})
        await admin.log_in(email)
        return admin

    async def move_to(self, wall: str) -> str:
        """Moves the tenant's time; all that falls due on the way is done."""
        return str((await self.post("/admin/billing/test-clock", {"now": self.instant(wall).isoformat()}))["now"])

    async def customer(self, name: str, *, with_profile: bool = True, **profile: Any) -> Customer:
        """A new customer, registered now: that is the billing day."""
        email = f"{name}@customers.example"
        await self.post("/users", {"email": email, "password": PASSWORD})
        customer = Customer(self.http, self.url, self.tenant, self.zone, self._audit)
        await customer.log_in(email)
        if with_profile:
            await customer.fills_in_profile(**{"firstName": name.capitalize(), **profile})
        return customer

    async def plan(self, name: str = "M", price: str = "10.00", interval: str = "month", **fields: Any) -> str:
        """The new plan's id; unlike the contract's default, cancelling doesn't wait for a period's end."""
        body = {
            "name": name,
            "basePrice": price,
            "billingIntervalType": interval,
            "billingIntervalValue": 1,
            "cancelAtPeriodEnd": False,
            **fields,
        }
        return str((await self.post("/service-plans", body))["id"])

    async def records_usage(self, subscription: str, begin: str, end: str, **payload: Any) -> str:
        body = {
            "subscriptionId": subscription,
            "periodStart": self.instant(begin).isoformat(),
            "periodEnd": self.instant(end).isoformat(),
            "usagePayload": payload,
        }
        return str((await self.post("/usage/record", body))["id"])

    async def bills_now(self, customer: Person | None = None) -> Any:
        return await self.post("/admin/billing/bill-now", {"userId": customer.id} if customer else {})

    async def voids(self, invoice_id: str) -> Any:
        return await self.post(f"/admin/billing/invoices/{invoice_id}/void")

    async def marks_paid(self, invoice_id: str, reason: str | None = None) -> Any:
        return await self.post(f"/admin/billing/invoices/{invoice_id}/mark-paid", {"reason": reason})

    async def marks_unpaid(self, invoice_id: str, reason: str | None = None) -> Any:
        return await self.post(f"/admin/billing/invoices/{invoice_id}/mark-unpaid", {"reason": reason})

    async def all_invoices(self) -> list[Any]:
        """Every invoice of the tenant in full, the oldest first; at most a hundred."""
        listed = (await self.get("/admin/billing/invoices?limit=100"))["items"]
        return [await self.get(f"/admin/billing/invoices/{one['id']}") for one in reversed(listed)]


def cents(minor: int) -> str:
    """Minor units of EUR in words: 1000 is 10.00."""
    return f"{Decimal(minor).scaleb(-2):.2f}"


def lines(invoice: Any) -> list[tuple[str, str]]:
    """An invoice's lines as (description, net)."""
    return [(line["description"], str(line["lineNet"])) for line in invoice["lineItems"]]


def totals(invoice: Any) -> tuple[str, str, str]:
    """Net, tax and gross in words."""
    return str(invoice["subtotalNet"]), str(invoice["taxTotal"]), str(invoice["totalGross"])
