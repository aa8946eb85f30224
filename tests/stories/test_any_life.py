"""Any life at all, lived by a daemon and by the rules of `books_model`: the same positions, invoices and refusals."""

import asyncio
import dataclasses
import itertools
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from decabilld.domain import entities
from tests.harness.daemons import RunningDaemon, StoryClock, running_daemon
from tests.harness.people import Customer, Refused
from tests.stories.books_model import Books, Plan

BEGIN = datetime(2024, 1, 30, 10, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
LIVES = int(os.environ.get("LIVES", "5"))
PLANS = (
    Plan("Month", 999, "month", notice=10),
    Plan("Last", 3100, "month", aligned=31, at_period_end=True),
    Plan("Quarter", 9100, "month", 3, aligned=1, notice=3, at_period_end=True),
    Plan("Advance", 500, "month", advance=True),
    Plan("Stub", 7700, "month", advance=True, aligned=15, category="reduced"),
    Plan("Hours", 70, "hour", 36, category="reduced"),
    Plan("Days", 130, "day", 3, notice=2),
    Plan("Grain", 1, "day", 5),
)
WORK = (("standard", "2.75", "89.9"), ("reduced", "1234.5678", "0.0345"), ("standard", "1", "0.0049"))


class Act(Struct, frozen=True):
    """Something that happens `after_minutes` since the act before, to the one of its kind that `which` chooses."""

    what: str
    after_minutes: int
    which: int


KINDS = (
    *("order", "order", "order", "cancel", "cancel", "resume", "usage", "usage", "late usage", "bill now"),
    *("bill everybody", "bill subscription", "void", "pay", "unpay", "manual", "register", "restart", "reprice"),
)
ACTS = st.lists(
    st.builds(
        Act,
        what=st.sampled_from(KINDS),
        after_minutes=st.one_of(st.just(0), st.integers(1, 3_000), st.integers(1, 60_000)),
        which=st.integers(0, 99),
    ),
    min_size=15,
    max_size=30,
)


class StandingClock:
    """A wall clock that shows what it is set to."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now


class Life:
    """The same acts on a daemon and on a model of its books. `clock`: the daemon lives in real time, asleep between."""

    def __init__(self, tenant: str, start: Callable[[], Awaitable[RunningDaemon]], clock: StandingClock | None) -> None:
        self.tenant, self._start, self._clock = tenant, start, clock
        self.books = Books(BEGIN, BERLIN, sleeps=clock is not None)
        self.customers: list[Customer] = []
        self.subscriptions: list[tuple[int, str]] = []
        """Which customer's, and its id."""
        self.plans: list[str] = []
        self.offers = list(PLANS)
        self.refused: Counter[str] = Counter()
        self._records, self._signed_in = itertools.count(), BEGIN

    async def lives(self, acts: Sequence[Act]) -> None:
        self.daemon = await self._start()
        self.admin = await self.daemon.admin(self.tenant)
        await self._moves(BEGIN)
        for plan in PLANS:
            self.plans.append(
                await self.admin.plan(
                    plan.name, f"{Decimal(plan.price) / 100:f}", plan.interval, billingIntervalValue=plan.count,
                    billInAdvance=plan.advance, noticeDays=plan.notice, cancelAtPeriodEnd=plan.at_period_end,
                    taxCategory=plan.category, billingDayOfMonth=plan.aligned,
                )
            )  # fmt: skip
        await self._register()
        for act in acts:
            await self._moves(self.books.now + timedelta(minutes=act.after_minutes))
            await self._does(act.what, act.which)
        await self._moves(self.books.now + timedelta(days=62))

    async def _moves(self, to: datetime) -> None:
        if self._clock is None:
            await self.admin.move_to(to.isoformat())
        else:
            self._clock.now = to
            await self.daemon.do_due_work(self.tenant)
            if to > self._signed_in + timedelta(days=3):  # tokens last for seven
                self._signed_in = to
                for person in (self.admin, *self.customers):
                    await person.log_in(person.email)
        self.books.move(to)

    async def _restart(self) -> None:
        await self.daemon.stop()
        self.daemon = await self._start()
        self.admin = self.daemon.speaks_to(self.admin)
        self.customers = [self.daemon.speaks_to(customer) for customer in self.customers]

    async def _register(self) -> None:
        self.customers.append(await self.admin.customer(f"customer{len(self.customers)}"))
        self.books.register()

    async def _both(self, what: str, asked: Awaitable[Any], act: Callable[[], None]) -> Any:
        """Both allow it, or both refuse; what the daemon answers."""
        allowed = self.books.allows(act)
        try:
            answer = await asked
        except Refused as refused:
            if refused.status != 400 or allowed:
                raise
            self.refused[what] += 1
            return None
        assert allowed, f"{what} should have been refused"
        return answer

    async def _does(self, what: str, which: int) -> None:
        books, admin, customer = self.books, self.admin, which % len(self.customers)
        if what == "restart":
            await self._restart()
        elif what == "register":
            if len(self.customers) < 4:
                await self._register()
        elif what == "order":
            plan, owner = which % len(PLANS), self.customers[customer]
            asked = owner.orders(self.plans[plan])
            made = await self._both(what, asked, lambda: books.order(books.customers[customer], self.offers[plan]))
            self.subscriptions.append((customer, made))
        elif what in ("bill now", "bill everybody"):
            chosen = range(len(self.customers)) if what == "bill everybody" else [customer]
            await admin.bills_now(None if what == "bill everybody" else self.customers[customer])
            for one in chosen:
                books.bill_now(books.customers[one])
            await self._moves(books.now)  # whose answer comes after the run
        elif what == "reprice":
            place = which % len(PLANS)
            self.offers[place] = dearer = dataclasses.replace(
                self.offers[place], price=self.offers[place].price + which
            )
            await admin.post(f"/service-plans/{self.plans[place]}", {"basePrice": f"{Decimal(dearer.price) / 100:f}"})
        elif what == "manual":
            await self._writes_by_hand(customer, which)
        elif what in ("void", "pay", "unpay"):
            await self._handles_invoice(what, which)
        elif self.subscriptions:
            await self._handles_subscription(what, which)

    async def _handles_subscription(self, what: str, which: int) -> None:
        books, place = self.books, which % len(self.subscriptions)
        (customer, known), modelled = self.subscriptions[place], books.subscriptions[place]
        owner = self.customers[customer]
        if what == "cancel":
            await self._both(what, owner.cancels(known), lambda: books.cancel(modelled))
        elif what == "resume":
            await self._both(what, owner.resumes(known), lambda: books.resume(modelled))
        elif what == "bill subscription":
            asked = self.admin.post(f"/invoices/{known}")
            await self._both(what, asked, lambda: books.bill_subscription(modelled))
        else:
            until = books.now - timedelta(days=40 if what == "late usage" else 0)
            begun = max(until - timedelta(hours=1 + which), BEGIN - timedelta(days=50))
            payload = {"units": which, "unitPrice": "0.335", "n": next(self._records)}
            usage = self.admin.records_usage(known, begun.isoformat(), until.isoformat(), **payload)
            cost = (which * 335 + 5) // 10
            await self._both(what, usage, lambda: books.use(modelled, begun, until, cost))

    async def _writes_by_hand(self, customer: int, which: int) -> None:
        wanted = [WORK[(which + n) % len(WORK)] for n in range(1 + which % 2)]
        lines = [
            {"description": "Work", "taxCategory": category, "quantity": Decimal(many), "unitPriceNet": Decimal(price)}
            for category, many, price in wanted
        ]
        draft = {"userId": self.customers[customer].id, "lineItems": lines}
        made = await self.admin.post("/admin/billing/invoices/manual", draft)
        await self.admin.post(f"/admin/billing/invoices/{made['id']}/issue", {"dueInDays": 1 + which})
        exact = [(category, Decimal(many), Decimal(price)) for category, many, price in wanted]
        self.books.write_by_hand(self.books.customers[customer], exact, 1 + which)

    async def _handles_invoice(self, what: str, which: int) -> None:
        """Numbers say in which order invoices came; within one run that of customers is chance, so words decide."""
        issued = sorted(await self.issued(), key=lambda one: one[0])
        modelled = sorted(self.books.invoices, key=lambda one: repr(self._modelled(one)))
        if not issued:
            return
        (_, invoice_id), model = issued[which % len(issued)], modelled[which % len(issued)]
        admin, books = self.admin, self.books
        asked, act = {
            "void": (admin.voids, books.void),
            "pay": (admin.marks_paid, books.pay),
            "unpay": (admin.marks_unpaid, books.unpay),
        }[what]
        await self._both(what, asked(invoice_id), lambda: act(model))

    async def issued(self) -> list[tuple[str, str]]:
        """Each invoice in words, and its id."""
        users = {customer.id: n for n, customer in enumerate(self.customers)}
        return [
            (
                repr((users[i.user_id], i.issue_date, i.due_date, i.status, i.balance_minor, i.subtotal_net_minor,
                      i.total_gross_minor, sorted((line.tax_category, line.net_minor) for line in i.lines))),
                i.id,
            )
            for i in await self.admin.audit.rows(entities.Invoice, self.tenant)
        ]  # fmt: skip

    def _modelled(self, invoice: Any) -> tuple[Any, ...]:
        status = invoice.status(self.books.today)
        balance = 0 if status in ("paid", "void") else invoice.gross
        return (self.books.customers.index(invoice.customer), invoice.issued, invoice.due, status, balance,
                invoice.net, invoice.gross, sorted(invoice.lines))  # fmt: skip

    async def compare(self) -> None:
        known = {one: n for n, (_, one) in enumerate(self.subscriptions)}
        charged = [
            (known[p.subscription_id], p.period_start, p.period_end, p.net_minor, p.invoice_id is not None)
            for p in await self.admin.audit.rows(entities.Position, self.tenant)
        ]
        owed = [
            (self.books.subscriptions.index(p.subscription), p.start, p.end, p.net, p.invoice is not None)
            for p in self.books.positions
        ]
        assert sorted(charged) == sorted(owed)
        modelled = sorted(repr(self._modelled(invoice)) for invoice in self.books.invoices)
        assert sorted(words for words, _ in await self.issued()) == modelled


@pytest.mark.parametrize("asleep", [False, True], ids=["clock moved", "asleep between"])
def test_any_life_is_kept_by_the_rules(database: str, tmp_path: Path, asleep: bool) -> None:
    lived, refused, kept = itertools.count(), Counter[str](), Counter[str]()

    @settings(
        max_examples=LIVES,
        deadline=None,
        derandomize="LIVES" not in os.environ,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(ACTS)
    def told(acts: list[Act]) -> None:
        print(acts)  # pytest shows the last of them when it fails
        asyncio.run(one_life(f"life{next(lived)}", acts))

    async def one_life(tenant: str, acts: list[Act]) -> None:
        clock = StandingClock() if asleep else StoryClock()
        settings = {"clock": clock, "test_clock": not asleep, "tenants": (tenant,), "billing_timezone": BERLIN}
        async with AsyncExitStack() as daemons:

            async def start() -> RunningDaemon:
                return await daemons.enter_async_context(running_daemon(database, tmp_path, **settings))

            life = Life(tenant, start, clock if isinstance(clock, StandingClock) else None)
            await life.lives(acts)
            await life.compare()
            refused.update(life.refused)
            kept.update(positions=len(life.books.positions), invoices=len(life.books.invoices))

    told()
    assert len(refused) > 2, "of several kinds of acts some are refused, by both"
    assert min(kept["positions"], kept["invoices"]) > LIVES
