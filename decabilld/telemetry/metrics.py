"""What Prometheus is told: the instruments that are written while work is done, and the page that shows all.

Owns names, labels and buckets; a registry of its own, no global one. What is read off the tenants at each scrape is
`tenants.py`'s; who may see the page is the HTTP edge's affair. Labels are bounded: tenants, routes as declared, kinds.
"""

import asyncio
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, GCCollector, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from decabilld.actors.watch import Attempt, Turn
from decabilld.http.observation import method_of, route_of
from decabilld.telemetry.histogram import Histogram, Observe

CONTENT_TYPE = CONTENT_TYPE_LATEST
LAG_SECONDS = 0.25
"""Between two looks at how late the event loop is."""
_REQUESTS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_TURNS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_EFFECTS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0)
_LAGS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Metrics:
    """A watch of requests, turns and effects, and the page."""

    came = None

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        build = Info("decabilld_build", "What runs.", registry=registry)
        build.info({"version": version("decabilld"), "python": platform.python_version()})
        self._requests = self._histogram(
            "decabilld_request_duration_seconds",
            "From a request's head to its answer, by the route as declared.",
            ("method", "route", "status"),
            _REQUESTS,
        )
        self._turns = self._histogram(
            "decabilld_turn_duration_seconds",
            "A turn of a tenant's actor: deciding, committing, publishing.",
            ("tenant_id",),
            _TURNS,
        )
        self._batches = self._histogram("decabilld_turn_commands", "Commands in a turn.", ("tenant_id",), _BATCHES)
        self._commits = self._histogram(
            "decabilld_commit_duration_seconds", "A turn's commit: one round trip, one sync.", ("tenant_id",), _TURNS
        )
        self._attempts = Counter(
            "decabilld_effects",
            "Attempts at effects: done, failed (made again) or given_up.",
            ("tenant_id", "kind", "outcome"),
            registry=registry,
        )
        self._effects = self._histogram(
            "decabilld_effect_duration_seconds", "An attempt at an effect, whatever came of it.", ("kind",), _EFFECTS
        )
        self._lag = self._histogram(
            "decabilld_event_loop_lag_seconds", "How much later than asked the event loop comes round.", (), _LAGS
        )
        self._request_of: dict[tuple[str, object, int], Observe] = {}
        self._of_tenant: dict[str, tuple[Observe, Observe, Observe]] = {}

    def add(self, collect: Callable[[], Iterable[GaugeMetricFamily]]) -> None:
        """Show what `collect` reads at each scrape."""
        self._registry.register(_Collected(collect))

    def page(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)

    def answered(self, request: web.Request, status: int, correlation_id: str, seconds: float) -> None:
        key = request.method, request.match_info.route.resource, status
        observe = self._request_of.get(key)
        if observe is None:
            observe = self._request_of[key] = self._requests.of(method_of(request), route_of(request), str(status))
        observe(seconds)

    def turned(self, turn: Turn) -> None:
        found = self._of_tenant.get(turn.tenant_id)
        if found is None:
            found = self._of_tenant[turn.tenant_id] = (
                self._turns.of(turn.tenant_id),
                self._batches.of(turn.tenant_id),
                self._commits.of(turn.tenant_id),
            )
        turns, batches, commits = found
        turns(turn.ended - turn.began)
        batches(len(turn.envelopes))
        if turn.written:
            commits(turn.committed - turn.decided)

    def attempted(self, attempt: Attempt) -> None:
        self._attempts.labels(attempt.tenant_id, attempt.row.kind, attempt.outcome).inc()
        self._effects.of(attempt.row.kind)(attempt.ended - attempt.began)

    async def watch_loop(self) -> None:
        """Measure the event loop's lag until cancelled."""
        observe = self._lag.of()
        while True:
            wanted = time.perf_counter() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            observe(max(time.perf_counter() - wanted, 0.0))

    def _histogram(self, name: str, meaning: str, labels: Sequence[str], bounds: Sequence[float]) -> Histogram:
        histogram = Histogram(name, meaning, labels, bounds)
        self._registry.register(histogram)
        return histogram


class _Collected(Collector):
    def __init__(self, collect: Callable[[], Iterable[GaugeMetricFamily]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return self._collect()
