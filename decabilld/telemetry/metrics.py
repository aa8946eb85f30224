"""What Prometheus is told: the instruments that are written while work is done, and the page that shows all.

Owns names, labels and buckets; a registry of its own, no global one. What is read off the tenants at each scrape is
`tenants.py`'s; who may see the page is the HTTP edge's affair. Labels are bounded: tenants, routes as declared, kinds.
"""

import asyncio
import platform
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from decabilld.actors.watch import Attempt, Turn

CONTENT_TYPE = CONTENT_TYPE_LATEST
LAG_SECONDS = 0.25
"""Between two looks at how late the event loop is."""
_REQUESTS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_TURNS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_EFFECTS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0)
_LAGS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Metrics:
    """A `Watch` of the actors', and what the edges and the page need."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        build = Info("decabilld_build", "What runs.", registry=registry)
        build.info({"version": version("decabilld"), "python": platform.python_version()})
        self._requests = Histogram(
            "decabilld_request_duration_seconds",
            "From a request's head to its answer, by the route as declared.",
            ("method", "route", "status"),
            buckets=_REQUESTS,
            registry=registry,
        )
        self._turns = Histogram(
            "decabilld_turn_duration_seconds",
            "A turn of a tenant's actor: deciding, committing, publishing.",
            ("tenant_id",),
            buckets=_TURNS,
            registry=registry,
        )
        self._batches = Histogram(
            "decabilld_turn_commands", "Commands in a turn.", ("tenant_id",), buckets=_BATCHES, registry=registry
        )
        self._commits = Histogram(
            "decabilld_commit_duration_seconds",
            "The commit of a turn: one round trip, one sync.",
            ("tenant_id",),
            buckets=_TURNS,
            registry=registry,
        )
        self._attempts = Counter(
            "decabilld_effects",
            "Attempts at effects: done, failed (made again) or given_up.",
            ("tenant_id", "kind", "outcome"),
            registry=registry,
        )
        self._effects = Histogram(
            "decabilld_effect_duration_seconds",
            "An attempt at an effect, whatever came of it.",
            ("kind",),
            buckets=_EFFECTS,
            registry=registry,
        )
        self._lag = Histogram(
            "decabilld_event_loop_lag_seconds",
            "How much later than asked the event loop comes round.",
            buckets=_LAGS,
            registry=registry,
        )
        self._request_of: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._of_tenant: dict[str, tuple[Histogram, Histogram, Histogram]] = {}

    def add(self, collect: Callable[[], Iterable[GaugeMetricFamily]]) -> None:
        """Show what `collect` reads at each scrape."""
        self._registry.register(_Collected(collect))

    def page(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)

    def requested(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is the path as declared, `unmatched` for any other."""
        observe = self._request_of.get((method, route, status))
        if observe is None:  # looked up by labels it would cost more than all the rest
            observe = self._requests.labels(method, route, str(status)).observe
            self._request_of[method, route, status] = observe
        observe(seconds)

    def turned(self, turn: Turn) -> None:
        found = self._of_tenant.get(turn.tenant_id)
        if found is None:
            found = self._of_tenant[turn.tenant_id] = (
                self._turns.labels(turn.tenant_id),
                self._batches.labels(turn.tenant_id),
                self._commits.labels(turn.tenant_id),
            )
        turns, batches, commits = found
        turns.observe(turn.ended - turn.began)
        batches.observe(len(turn.envelopes))
        if turn.written:
            commits.observe(turn.committed - turn.decided)

    def attempted(self, attempt: Attempt) -> None:
        self._attempts.labels(attempt.tenant_id, attempt.row.kind, attempt.outcome).inc()
        self._effects.labels(attempt.row.kind).observe(attempt.ended - attempt.began)

    async def watch_loop(self) -> None:
        """Measure the event loop's lag until cancelled."""
        while True:
            wanted = time.perf_counter() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            self._lag.observe(max(time.perf_counter() - wanted, 0.0))


class _Collected(Collector):
    def __init__(self, collect: Callable[[], Iterable[GaugeMetricFamily]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return self._collect()
