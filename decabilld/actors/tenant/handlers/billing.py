"""Billing runs: customers' open positions become invoices, on their billing day or when an admin says so.

Claiming the positions, drawing the number, the invoice, its journal and the document to make are one decision, hence
one transaction. A customer who can't be invoiced is noted in the run and stops nobody else.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from heapq import nsmallest

from msgspec.structs import replace

from decabilld.actors.tenant.handlers import notices
from decabilld.actors.tenant.handlers.numbers import Numbers
from decabilld.actors.tenant.handlers.users import user_of
from decabilld.actors.tenant.indexes import (
    POSITIONS_OF_USER,
    PROFILE_OF_USER,
    SUBSCRIPTIONS_DUE,
    due_hour,
    subscription_due,
)
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.checkout_amounts import least_invoiced_minor
from decabilld.domain.entities import (
    BillingRun,
    Entity,
    Id,
    Invoice,
    Party,
    Position,
    RunError,
    Subscription,
    Timetable,
    User,
)
from decabilld.domain.invoices import buyer_of, check_issuer, check_profile, draft, issue, issue_year, line_of
from decabilld.domain.money import to_decimal
from decabilld.domain.numbering import invoice_number, invoice_series
from decabilld.domain.periods import at_local, local_date
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Invalid, Refusal
from decabilld.messages.commands import CHANGES_ENOUGH, DoDueWork, StartBillNow
from decabilld.messages.decision import Context, Decision, Effect, Entry

ERRORS_KEPT = 100


def start_bill_now(state: TenantState, command: StartBillNow, context: Context) -> Decision:
    """Queues a run over every customer with something owed, or one; charges that are due come first."""
    if command.only_user_id is not None:
        user_of(state, command.only_user_id)
    run = BillingRun(
        id=context.new_id(),
        status="queued",
        only_user_id=command.only_user_id,
        user_count=len(_customers_with_something(state, command.only_user_id, context)),
        created_at=context.now,
        updated_at=context.now,
    )
    if not run.user_count:
        run = replace(run, status="done")
    entry = Entry(
        kind="billing_run.queued",
        message=f"Billing of {run.user_count} customer(s) asked for",
        entity=run,
        user_id=command.only_user_id,
    )
    then = (DoDueWork(kinds=("charges", "billing")),) if run.live else ()
    return Decision(reply=run, changes=(run,), entries=(entry,), then=then)


def last_billing_date(context: Context) -> date:
    """The last calendar day whose billing hour has come."""
    policy = context.policy
    today = local_date(context.now, policy.zone)
    return today if billing_instant(today, policy) <= context.now else today - timedelta(days=1)


def billing_instant(day: date, policy: BillingPolicy) -> datetime:
    """When the run of a day is due."""
    return at_local(day, policy.billing_run_time, policy.zone)


def start_due_run(state: TenantState, context: Context) -> Decision | None:
    """The run of the billing days that have come since the last one; None if none has, or one is under way."""
    timetable, until = state.timetable, last_billing_date(context)
    if until <= timetable.billing_date_done or any(run.billing_date for run in state.all(BillingRun).values()):
        return None
    run = BillingRun(
        id=context.new_id(),
        status="running",
        billing_date=until,
        billing_days=days_of_month(timetable.billing_date_done, until),
        user_count=0,
        created_at=context.now,
        updated_at=context.now,
    )
    run = replace(run, user_count=len(_eligible(state, run)))
    if not run.user_count:
        return Decision(changes=(replace(timetable, billing_date_done=until),))
    entry = Entry(
        kind="billing_run.started", message=f"Billing of {run.user_count} customer(s), {until.isoformat()}", entity=run
    )
    return Decision(changes=(run,), entries=(entry,))


def days_of_month(after: date, until: date) -> tuple[int, ...]:
    """The days of month, sorted, that fall into (after, until]."""
    days = min((until - after).days, 31)
    return tuple(sorted({(until - timedelta(days=back)).day for back in range(days)}))


def next_customers(state: TenantState, run: BillingRun, limit: int) -> list[Id]:
    """The run's next customers in the order of their ids."""
    return nsmallest(limit, _eligible(state, run))


def continue_run(
    state: TenantState, run: BillingRun, customers: list[Id], faulty: frozenset[Id], context: Context
) -> Decision:
    """Invoice these customers, as many as one commit can take; with none left the run is done. `faulty` ones failed by
    a bug and are only noted."""
    billing = Billing(state, context, run_id=run.id)
    errors: list[RunError] = []
    done: list[Id] = []
    for user_id in customers:
        if billing.change_count >= CHANGES_ENOUGH:
            break
        done.append(user_id)
        try:
            if user_id in faulty:
                raise Invalid("Internal error; the log says more")
            billing.bill_customer(user_id, "billing_run" if run.billing_date else "bill_now")
        except Refusal as refusal:
            errors.append(RunError(user_id=user_id, message=refusal.message))
            billing.note_failure(state, user_id, refusal.message)
    run = replace(
        run,
        status="running" if done else "done",
        cursor=done[-1] if done else run.cursor,
        done=run.done + len(done),
        user_count=max(run.user_count, run.done + len(done)),
        failed=run.failed + len(errors),
        invoices=run.invoices + billing.invoice_count,
        errors=(run.errors + tuple(errors))[:ERRORS_KEPT],
        updated_at=context.now,
    )
    changes: list[Entity] = [run, *billing.changes]
    if not run.live:
        billing.entries.append(_done(run))
        if run.billing_date is not None:
            changes.append(replace(state.timetable, billing_date_done=run.billing_date))
    return Decision(changes=tuple(changes), entries=tuple(billing.entries), effects=tuple(billing.effects))


class Billing:
    """Invoices made within one decision, by a run if it is one that makes them."""

    def __init__(self, state: TenantState, context: Context, *, run_id: Id | None = None) -> None:
        self._state, self._context, self._run_id = state, context, run_id
        self._numbers = Numbers(state)
        self._written: list[Entity] = []
        self.entries: list[Entry] = []
        self.effects: list[Effect] = []
        self.invoice_count = 0

    @property
    def changes(self) -> tuple[Entity, ...]:
        return (*self._numbers.changes, *self._written)

    @property
    def change_count(self) -> int:
        return len(self._written)

    def bill_customer(self, user_id: Id, origin: str) -> None:
        """One invoice per currency of all the customer's open positions; too small a total waits.

        Raises ProfileIncomplete or IssuerIncomplete, with nothing gathered.
        """
        by_currency: dict[str, list[Position]] = {}
        for position in self._state.find(POSITIONS_OF_USER, user_id):
            by_currency.setdefault(position.currency, []).append(position)
        if not by_currency:
            return
        parties = self._parties(user_id)
        for _, positions in sorted(by_currency.items()):
            self._bill(user_id, positions, origin, parties)

    def bill_positions(self, user_id: Id, positions: list[Position], origin: str) -> Invoice | None:
        """One invoice of these positions of one currency, of which there is one; None if its total is too small.

        Raises as `bill_customer`.
        """
        return self._bill(user_id, positions, origin, self._parties(user_id))

    def _parties(self, user_id: Id) -> tuple[Party, Party]:
        """Seller and buyer."""
        seller = check_issuer(self._context.policy)
        return seller, buyer_of(check_profile(self._state.first(PROFILE_OF_USER, user_id)))

    def _bill(
        self, user_id: Id, positions: list[Position], origin: str, parties: tuple[Party, Party]
    ) -> Invoice | None:
        context = self._context
        positions = sorted(positions, key=_place)
        invoice = draft(
            [line_of(position, context.policy) for position in positions],
            invoice_id=context.new_id(),
            user_id=user_id,
            origin=origin,
            currency=positions[0].currency,
            now=context.now,
        )
        if 0 < invoice.total_gross_minor < least_invoiced_minor(invoice.currency, context.policy):
            return None
        seller, buyer = parties
        year = issue_year(context.now, context.policy)
        number = invoice_number(year, self._numbers.draw(invoice_series(year)))
        issued = issue(invoice, number=number, seller=seller, buyer=buyer, now=context.now, policy=context.policy)
        self._gather(issued, positions)
        return issued

    def note_failure(self, state: TenantState, user_id: Id, message: str) -> None:
        user = state.get(User, user_id)
        if user is not None:
            self.entries.append(
                Entry(kind="invoice.not_issued", message=message, entity=user, user_id=user_id, level="warning")
            )

    def _gather(self, invoice: Invoice, positions: Iterable[Position]) -> None:
        now = self._context.now
        self._written.append(invoice)
        self._written += [replace(position, invoice_id=invoice.id, closed_at=now) for position in positions]
        self.entries.append(issued_entry(invoice, self._run_id))
        self.effects.append(notices.invoice_issued(self._state, invoice, self._context))
        self.invoice_count += 1


def issued_entry(invoice: Invoice, run_id: Id | None = None) -> Entry:
    """What the journal says of an invoice at issue: its sums, and the positions that it was made of."""
    return Entry(
        kind="invoice.issued",
        message=f"Invoice {invoice.number} issued over {to_decimal(invoice.total_gross_minor, invoice.currency)} "
        f"{invoice.currency}",
        entity=invoice,
        user_id=invoice.user_id,
        invoice_id=invoice.id,
        data={
            "number": invoice.number,
            "origin": invoice.origin,
            "run_id": run_id,
            "currency": invoice.currency,
            "net_minor": invoice.subtotal_net_minor,
            "tax_minor": invoice.tax_total_minor,
            "gross_minor": invoice.total_gross_minor,
            "tax": [
                {"rate": str(group.tax_rate), "net_minor": group.net_minor, "tax_minor": group.tax_minor}
                for group in invoice.tax_groups
            ],
            "due_date": None if invoice.due_date is None else invoice.due_date.isoformat(),
            "positions": [line.position_id for line in invoice.lines if line.position_id],
        },
    )


def _place(position: Position) -> tuple[datetime, datetime, Id, Id]:
    """Lines are in the order of their periods; what is alike in that, in the order of the orders."""
    return position.period_start, position.created_at, position.subscription_id, position.id


def _done(run: BillingRun) -> Entry:
    return Entry(
        kind="billing_run.done",
        message=f"{run.invoices} invoice(s) issued, {run.failed} customer(s) failed",
        entity=run,
        level="warning" if run.failed else "info",
    )


def _eligible(state: TenantState, run: BillingRun) -> list[Id]:
    """Customers with open positions that the run still has to look at, in no order."""
    after, days = run.cursor or "", run.billing_days
    if run.only_user_id is not None:
        found = [run.only_user_id] if state.count(POSITIONS_OF_USER, run.only_user_id) else []
    else:
        found = list(state.keys(POSITIONS_OF_USER))
    later = [user_id for user_id in found if user_id > after]
    if not days:
        return later
    users = state.all(User)
    return [user_id for user_id in later if users[user_id].billing_day in days]


def _customers_with_something(state: TenantState, only: Id | None, context: Context) -> set[Id]:
    """Customers with open positions or charges that fall due before those are billed."""
    found = set(state.keys(POSITIONS_OF_USER))
    hour = due_hour(context.now)
    for key in state.keys(SUBSCRIPTIONS_DUE):
        if key <= hour:
            found |= {subscription.user_id for subscription in due_subscriptions(state, key, context)}
    return found & {only} if only is not None else found


def due_subscriptions(state: TenantState, hour: int, context: Context) -> list[Subscription]:
    """The subscriptions of one bucket that have a boundary or an end to pass by now."""
    return [
        subscription
        for subscription in state.find(SUBSCRIPTIONS_DUE, hour)
        if (due := subscription_due(subscription)) is not None and due <= context.now
    ]


def open_timetable(state: TenantState, context: Context) -> Timetable:
    """A new tenant's timetable: nothing before today is owed a run."""
    zone = context.policy.zone
    yesterday = local_date(context.now, zone) - timedelta(days=1)
    return Timetable(id=context.new_id(), billing_date_done=yesterday, zone=zone.key)
