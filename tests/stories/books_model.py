"""The books by their rules and nothing else: a few lists in memory, written from docs/billing.md, not from the code.

Owns no I/O and imports nothing of the daemon's. Whoever finds a difference between this and the daemon has found a
fault in one of the two.
"""

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

RATES = {"standard": 19, "reduced": 7}
TERM, RUN_TIME, LEAST_GROSS = timedelta(days=14), time(23, 59), 100


class No(Exception):
    """It is against the rules."""


def check(allowed: object) -> None:
    if not allowed:
        raise No


def rounded(amount: Fraction) -> int:
    """Half up; nothing here is below zero."""
    return floor(amount + Fraction(1, 2))


@dataclass(frozen=True)
class Plan:
    name: str
    price: int
    interval: str
    count: int = 1
    advance: bool = False
    aligned: int | None = None
    notice: int = 0
    at_period_end: bool = False
    category: str = "standard"


@dataclass(eq=False)
class Customer:
    billing_day: int


@dataclass(eq=False)
class Position:
    subscription: "Subscription"
    start: datetime
    end: datetime
    net: int
    invoice: "Invoice | None" = None


@dataclass(eq=False)
class Invoice:
    customer: Customer
    issued: date
    due: date
    lines: list[tuple[str, int]]
    """Tax category and net."""
    paid: bool = False
    void: bool = False

    @property
    def taxes(self) -> dict[str, int]:
        nets = {category: sum(net for c, net in self.lines if c == category) for category, _ in self.lines}
        return {category: rounded(Fraction(net * RATES[category], 100)) for category, net in nets.items()}

    @property
    def net(self) -> int:
        return sum(net for _, net in self.lines)

    @property
    def gross(self) -> int:
        return self.net + sum(self.taxes.values())

    def status(self, today: date) -> str:
        if self.void or self.paid:
            return "void" if self.void else "paid"
        return "overdue" if today > self.due else "issued"


@dataclass(eq=False)
class Subscription:
    plan: Plan
    owner: Customer
    anchor: datetime
    zone: ZoneInfo
    k: int = 0
    ends: datetime | None = None
    ended: bool = False
    through: datetime = field(init=False)
    usage: list[tuple[datetime, datetime, datetime, int]] = field(default_factory=list)
    """Begin, end, when it was recorded, and cost."""

    def __post_init__(self) -> None:
        self.through = self.anchor

    @property
    def due(self) -> datetime:
        following = self.boundary(self.k + 1)
        return following if self.ends is None else min(following, self.ends)

    def boundary(self, k: int) -> datetime:
        plan, wall = self.plan, self.anchor.astimezone(self.zone).replace(tzinfo=None)
        if k == 0 and plan.aligned is None:
            return self.anchor
        if plan.interval == "hour":
            return self.anchor + timedelta(hours=k * plan.count)
        if plan.interval == "day":
            return self.instant(wall + timedelta(days=k * plan.count))
        if plan.aligned is None:
            return self.instant(_months_later(wall, k * plan.count, wall.day))
        midnight = datetime.combine(wall, time())
        late = self.instant(_months_later(midnight, 0, plan.aligned)) <= self.anchor
        return self.instant(_months_later(midnight, late + (k - 1) * plan.count, plan.aligned))

    def instant(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=self.zone).astimezone(UTC)

    def share(self, start: datetime, end: datetime) -> int:
        """What a part of the present period costs."""
        whole = self.boundary(self.k + 1) - self.boundary(self.k)
        return rounded(self.plan.price * Fraction((end - start) // _TICK, whole // _TICK))


_TICK = timedelta(microseconds=1)


def _months_later(wall: datetime, months: int, day: int) -> datetime:
    year, month0 = divmod(wall.year * 12 + wall.month - 1 + months, 12)
    return wall.replace(year=year, month=month0 + 1, day=min(day, monthrange(year, month0 + 1)[1]))


class Books:
    """A tenant's. `sleeps`: nobody looks between two moves, so that missed billing days are made up at the second."""

    def __init__(self, begin: datetime, zone: ZoneInfo, *, sleeps: bool) -> None:
        self.now, self.zone, self._sleeps = begin, zone, sleeps
        self.customers: list[Customer] = []
        self.subscriptions: list[Subscription] = []
        self.positions: list[Position] = []
        self.invoices: list[Invoice] = []
        self._billed = self.today - timedelta(days=1)

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    # --- time ---

    def move(self, to: datetime) -> None:
        while not self._sleeps and (due := self._next_due()) <= to:
            self.now = due
            self._work()
        self.now = to
        self._work()

    def _next_due(self) -> datetime:
        return min([self._run_of(self._billed + timedelta(days=1)), *(s.due for s in self._live())])

    def _run_of(self, day: date) -> datetime:
        return datetime.combine(day, RUN_TIME, tzinfo=self.zone).astimezone(UTC)

    def _live(self) -> list[Subscription]:
        return [one for one in self.subscriptions if not one.ended]

    def _work(self) -> None:
        for subscription in self._live():
            while not subscription.ended and subscription.due <= self.now:
                self._pass(subscription, subscription.due)
        days = set()
        while self._run_of(self._billed + timedelta(days=1)) <= self.now:
            self._billed += timedelta(days=1)
            days.add(self._billed.day)
        for customer in self.customers:
            if customer.billing_day in days:
                self._bill(customer, [p for p in self.positions if p.subscription.owner is customer])

    def _pass(self, subscription: Subscription, at: datetime) -> None:
        subscription.ended = at == subscription.ends
        if not subscription.plan.advance:
            self._charge(subscription, at)
        if not subscription.ended:
            subscription.k += 1
            self._in_advance(subscription)

    def _in_advance(self, subscription: Subscription) -> None:
        if subscription.plan.advance:
            start = max(subscription.boundary(subscription.k), subscription.anchor)
            end = subscription.boundary(subscription.k + 1)
            self.positions.append(Position(subscription, start, end, subscription.share(start, end)))

    def _charge(self, subscription: Subscription, end: datetime) -> None:
        start = subscription.through
        if start < end:
            self.positions.append(Position(subscription, start, end, subscription.share(start, end)))
            subscription.through = end
        self._charge_usage(subscription, end)

    def _charge_usage(self, subscription: Subscription, end: datetime) -> None:
        for used in list(subscription.usage):
            begun, until, recorded, cost = used
            if subscription.ended or (begun < end and recorded <= end):
                subscription.usage.remove(used)
                self.positions.append(Position(subscription, begun, until, cost))

    def _bill(self, customer: Customer, positions: list[Position]) -> bool:
        wanted = [p for p in positions if p.invoice is None and p.net]
        made = self._invoice(customer, [(p.subscription.plan.category, p.net) for p in wanted])
        if not wanted or made.gross < LEAST_GROSS:
            return False
        for position in wanted:
            position.invoice = made
        self.invoices.append(made)
        return True

    def _invoice(self, customer: Customer, lines: list[tuple[str, int]], term: timedelta = TERM) -> Invoice:
        return Invoice(customer, self.today, self.today + term, lines)

    # --- what people do; each raises No where it isn't allowed ---

    def register(self) -> None:
        self.customers.append(Customer(min(28, self.today.day)))

    def order(self, customer: Customer, plan: Plan) -> None:
        made = Subscription(plan, customer, self.now, self.zone)
        self.subscriptions.append(made)
        self._in_advance(made)

    def cancel(self, subscription: Subscription) -> None:
        check(subscription.ends is None)
        plan, k = subscription.plan, subscription.k + 1
        wall = self.now.astimezone(self.zone).replace(tzinfo=None) + timedelta(days=plan.notice)
        noticed = subscription.instant(wall) if plan.notice else self.now
        ends = noticed
        if plan.advance:
            ends = subscription.boundary(k)
        elif plan.at_period_end:
            while subscription.boundary(k) < noticed:
                k += 1
            ends = subscription.boundary(k)
        subscription.ends = ends
        if ends == self.now:
            self._pass(subscription, ends)

    def resume(self, subscription: Subscription) -> None:
        check(subscription.ends is not None and not subscription.ended)
        subscription.ends = None

    def use(self, subscription: Subscription, begun: datetime, until: datetime, cost: int) -> None:
        check(not subscription.plan.advance)
        if subscription.ended:
            self.positions.append(Position(subscription, begun, until, cost))
        else:
            subscription.usage.append((begun, until, self.now, cost))

    def bill_now(self, customer: Customer) -> None:
        self._bill(customer, [p for p in self.positions if p.subscription.owner is customer])

    def bill_subscription(self, subscription: Subscription) -> None:
        before = subscription.through, list(subscription.usage), len(self.positions)
        start = subscription.through
        if not subscription.ended and not subscription.plan.advance:
            nothing = start < self.now and not subscription.share(start, self.now)
            (self._charge_usage if nothing else self._charge)(subscription, self.now)
        if not self._bill(subscription.owner, [p for p in self.positions if p.subscription is subscription]):
            subscription.through, subscription.usage = before[:2]
            del self.positions[before[2] :]
            raise No

    def write_by_hand(self, customer: Customer, lines: list[tuple[str, Decimal, Decimal]], days: int) -> None:
        """Lines as category, quantity and price."""
        nets = [(category, rounded(Fraction(quantity) * Fraction(price) * 100)) for category, quantity, price in lines]
        made = self._invoice(customer, nets, timedelta(days=days))
        made.paid = made.gross == 0
        self.invoices.append(made)

    def void(self, invoice: Invoice) -> None:
        check(not invoice.void and not invoice.paid)
        invoice.void = True

    def pay(self, invoice: Invoice) -> None:
        check(not invoice.void and not invoice.paid)
        invoice.paid = True

    def unpay(self, invoice: Invoice) -> None:
        check(invoice.paid and invoice.gross)
        invoice.paid = False

    def allows(self, act: Callable[[], None]) -> bool:
        """Does it, if it is allowed."""
        try:
            act()
        except No:
            return False
        return True
