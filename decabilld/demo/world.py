"""Who is in the story and what they can do: tenants, customers, their time, and what the journal tells of them."""

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from decabilld.demo.api import PASSWORD, Api, Fault
from decabilld.demo.teller import Teller

RUN_SECONDS = 30.0
MOST_LISTED = 100
CENT = Decimal("0.01")


class Tenant:
    """A seller, through its admin's eyes."""

    def __init__(self, address: str, name: str, teller: Teller) -> None:
        self.name, self.admin = name, Api(address, name)
        self._address, self._teller = address, teller
        self.customers: dict[str, Customer] = {}
        self._told: set[str] = set()
        email = f"admin@{name}.example"
        self.admin.post("/auth/register", {"email": email, "password": PASSWORD})
        self.admin.sign_in(email)

    def open_line(self, key: str, name: str) -> str:
        """A product line for which nothing has to be deployed; its id."""
        return str(self.admin.post("/service-types", {"key": key, "name": name, "provider": "none"})["id"])

    def sell(self, line: str, name: str, base_price: str, interval: str, count: int = 1, **terms: object) -> str:
        """Put a plan into a product line; its id."""
        plan = {
            "serviceTypeId": line,
            "name": name,
            "basePrice": base_price,
            "billingIntervalType": interval,
            "billingIntervalValue": count,
            **terms,
        }
        return str(self.admin.post("/service-plans", plan)["id"])

    def price(self, plan_id: str) -> Decimal:
        """What a customer pays for one interval."""
        offerings = self.admin.get("/public/service-plan-offerings")
        return next(Decimal(one["totalPrice"]) for one in offerings if one["id"] == plan_id)

    def welcome(self, name: str, email: str, **profile: str) -> "Customer":
        """A new customer with a complete profile, signed in."""
        user = self.admin.post("/users", {"email": email, "password": PASSWORD})
        customer = Customer(self, name, user["id"], Api(self._address, self.name))
        customer.api.sign_in(email)
        customer.api.post("/customer-profile", {"email": email, **profile})
        self.customers[customer.user_id] = customer
        return customer

    def walk(self, to: datetime) -> None:
        self.admin.post("/admin/billing/test-clock", {"now": to.isoformat()})

    def invoices(self) -> list[dict[str, Any]]:
        """All of them, the oldest first."""
        page = self.admin.get(f"/admin/billing/invoices?limit={MOST_LISTED}")
        if page["total"] > MOST_LISTED:
            raise Fault(f"{self.name}: {page['total']} invoices where a few were meant to be")
        return page["items"][::-1]  # type: ignore[no-any-return]

    def audit_log(self, invoice_id: str) -> list[dict[str, Any]]:
        """What the journal says of an invoice, the oldest first."""
        page = self.admin.get(f"/admin/billing/invoices/{invoice_id}/audit-logs?limit={MOST_LISTED}")
        return page["items"][::-1]  # type: ignore[no-any-return]

    def news(self) -> list["News"]:
        """What has happened by itself since the last time: invoices issued or overdue, subscriptions ended."""
        found = [news for customer in self.customers.values() for news in customer.endings()]
        return found + [news for invoice in self.invoices() for news in self._news_of(invoice)]

    def bill_now(self, user_id: str | None = None) -> dict[str, Any]:
        """Bill one customer or all, and wait for it: how it went."""
        asked = self.admin.post("/admin/billing/bill-now", {"userId": user_id} if user_id else {})
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            run: dict[str, Any] = self.admin.get(f"/admin/billing/bill-now/{asked['requestId']}")
            if run["status"] == "done":
                return run
            time.sleep(0.02)
        raise Fault(f"{self.name}: bill-now is not done after {RUN_SECONDS:g} s")

    def pay(self, when: datetime, customer: "Customer", reason: str) -> None:
        """The customer's transfer has arrived: mark what they owe paid."""
        for invoice in customer.api.get("/invoices/open-overdue")[::-1]:
            self.admin.post(f"/admin/billing/invoices/{invoice['id']}/mark-paid", {"reason": reason})
            amount = invoice["balance"]
            what = f"pays {amount:,.2f} EUR for {invoice['invoiceNumber']}: {reason}"
            self._teller.event(when, self.name, customer.name, what, kind="paid")

    def _news_of(self, invoice: dict[str, Any]) -> list["News"]:
        customer, number = self.customers[invoice["userId"]], invoice["invoiceNumber"]
        found = []
        for entry in self.audit_log(invoice["id"]):
            if entry["id"] in self._told:
                continue
            self._told.add(entry["id"])
            due = date.fromisoformat(invoice["dueDate"])
            when, facts = instant(entry["createdAt"]), entry["context"]
            if entry["process"] == "invoice.issue":
                lines = len(facts["positions"])
                what = f"gets {number}, {lines} line{'s' * (lines > 1)}, due {day(due)}"
                amounts = tuple(CENT * facts[f"{part}_minor"] for part in ("net", "tax", "gross"))
                found.append(News(when, self.name, customer.name, what, "issued", amounts))
            elif entry["process"] == "invoice.overdue":
                found.append(News(when, self.name, customer.name, f"is late with {number}: overdue", "warning"))
        return found


class Customer:
    """Someone who buys, through their own eyes."""

    def __init__(self, tenant: Tenant, name: str, user_id: str, api: Api) -> None:
        self.tenant, self.name, self.user_id, self.api = tenant, name, user_id, api
        self._running: dict[str, str] = {}

    def order(self, plan_id: str) -> dict[str, Any]:
        subscription: dict[str, Any] = self.api.post("/subscriptions", {"planId": plan_id})
        self._running[subscription["id"]] = subscription["number"]
        return subscription

    def cancel(self, subscription_id: str, reason: str) -> dict[str, Any]:
        cancelled: dict[str, Any] = self.api.post(f"/subscriptions/{subscription_id}/cancel", {"reason": reason})
        return cancelled

    def endings(self) -> list["News"]:
        """Subscriptions that have ended since the last time."""
        found = []
        for subscription_id, number in list(self._running.items()):
            subscription = self.api.get(f"/subscriptions/{subscription_id}")
            if subscription["status"] == "canceled":
                del self._running[subscription_id]
                when = instant(subscription["cancelEffectiveAt"])
                found.append(News(when, self.tenant.name, self.name, f"leaves: {number} has ended", "act"))
        return found


class News:
    """Something that happened by itself, to be told in the order of time."""

    def __init__(
        self, when: datetime, tenant: str, who: str, what: str, kind: str, amounts: tuple[Decimal, ...] = ()
    ) -> None:
        self.when, self.tenant, self.who = when, tenant, who
        self.what, self.kind, self.amounts = what, kind, amounts


def day(when: date) -> str:
    return f"{when:%d %b}"


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
