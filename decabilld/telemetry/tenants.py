"""What is read off the tenants at each scrape: tallies and sizes that the published state keeps anyway.

Owns which figures, and their names; counts nothing itself, asks no database. A tenant that isn't loaded has none.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily

from decabilld.actors.actor import TenantActor
from decabilld.actors.registry import Tenants
from decabilld.actors.tenant.indexes import POSITIONS_OF_USER
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.money import MINOR_DIGITS
from decabilld.store.backlog import Waiting

OPEN_STATUSES = ("issued", "partially_paid", "overdue")


def tenant_metrics(tenants: Tenants) -> Iterator[GaugeMetricFamily]:
    """The state of every tenant that is loaded."""
    down = tenants.not_ready()
    loaded = _gauge("decabilld_tenant_loaded", "1 for a tenant that answers, else 0.", "tenant_id")
    for tenant_id in tenants.ids:
        loaded.add_metric([tenant_id], tenant_id not in down)
    yield loaded
    actors = [tenants.actor(tenant_id) for tenant_id in tenants.ids if tenant_id not in down]
    yield from _books([actor.published() for actor in actors], actors[0].policy.currency if actors else "EUR")
    yield from _work(actors)


def _books(states: Sequence[TenantState], currency: str) -> Iterator[GaugeMetricFamily]:
    opened = _gauge("decabill_invoices_open", "Issued invoices of which something is owed.", "tenant_id", "status")
    overdue = _gauge("decabill_invoices_overdue", "Invoices whose due date has passed unpaid.", "tenant_id")
    owed = _gauge(
        "decabill_invoices_open_amount", "What is owed on open invoices, gross, in units.", "tenant_id", "currency"
    )
    unbilled = _gauge(
        "decabill_open_positions_unbilled_amount", "Open positions, net, in units.", "tenant_id", "currency"
    )
    users = _gauge("decabill_open_positions_unbilled_users", "Customers with an open position.", "tenant_id")
    subscriptions = _gauge("decabill_subscriptions_active", "Active subscriptions, also those that end.", "tenant_id")
    for state in states:
        tenant_id = state.tenant_id
        for status in OPEN_STATUSES:
            opened.add_metric([tenant_id, status], state.tally(f"invoices_open:{status}"))
        overdue.add_metric([tenant_id], state.tally("invoices_open:overdue"))
        for family, prefix in ((owed, "open_minor:"), (unbilled, "unbilled_minor:")):
            for code in sorted({currency} | _currencies(state, prefix)):
                family.add_metric([tenant_id, code], _units(state.tally(prefix + code), code))
        users.add_metric([tenant_id], state.keys_count(POSITIONS_OF_USER))
        subscriptions.add_metric([tenant_id], state.tally("subscriptions_active"))
    yield from (opened, overdue, owed, unbilled, users, subscriptions)


def _work(actors: Sequence[TenantActor]) -> Iterator[GaugeMetricFamily]:
    lag = _gauge("decabilld_billing_lag_seconds", "How long the oldest due work waits.", "tenant_id")
    depth = _gauge("decabilld_mailbox_depth", "Commands that wait for a turn.", "tenant_id")
    height = _gauge("decabilld_journal_height", "Number of the journal's last entry.", "tenant_id")
    for actor in actors:
        lag.add_metric([actor.tenant_id], max(actor.late_by().total_seconds(), 0.0))
        depth.add_metric([actor.tenant_id], actor.mailbox_depth)
        height.add_metric([actor.tenant_id], actor.journal_seq)
    yield from (lag, depth, height)


def outbox_metrics(waiting: Iterable[Waiting], now: datetime) -> Iterator[GaugeMetricFamily]:
    """What waits in the outbox, as last looked at."""
    labels = ("tenant_id", "kind")
    depth = _gauge("decabilld_outbox_depth", "Effects that aren't done.", *labels)
    given_up = _gauge("decabilld_outbox_given_up", "Effects that were given up, and are kept.", *labels)
    age = _gauge("decabilld_outbox_oldest_seconds", "Since the oldest effect that isn't done was wanted.", *labels)
    late = _gauge("decabilld_outbox_late_seconds", "How long the longest due effect waits to be tried.", *labels)
    for kind in waiting:
        key = [kind.tenant_id, kind.kind]
        depth.add_metric(key, kind.open)
        given_up.add_metric(key, kind.given_up)
        age.add_metric(key, _since(kind.oldest_created_at, now))
        late.add_metric(key, _since(kind.first_due_at, now))
    yield from (depth, given_up, age, late)


def single(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)


def _gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, labels=labels)


def _currencies(state: TenantState, prefix: str) -> set[str]:
    return {name.removeprefix(prefix) for name in state.tallies if name.startswith(prefix)}


def _units(minor: int, currency: str) -> float:
    """Prometheus knows floats only: the one nearest to the amount, which is written with the very same digits."""
    return float(minor / 10 ** MINOR_DIGITS.get(currency, 2))


def _since(instant: datetime | None, now: datetime) -> float:
    return 0.0 if instant is None else max((now - instant).total_seconds(), 0.0)
