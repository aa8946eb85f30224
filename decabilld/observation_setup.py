"""Puts together what watches the daemon: readiness always, metrics and traces where the settings want them."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from decabilld.actors.registry import Tenants
from decabilld.actors.watch import Watch
from decabilld.clock import Clock
from decabilld.http.observation import MetricsPage, RequestWatch
from decabilld.readiness import Readiness
from decabilld.settings import Settings, SettingsError
from decabilld.store.backlog import Backlog
from decabilld.tasks import cancelled, spawn

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

    from decabilld.telemetry.metrics import Metrics
    from decabilld.telemetry.traces import Traces
    from decabilld.telemetry.watches import Watcher


class Observation:
    """`watch` and `requests` are told of the work; None where nobody looks, which then costs nothing.

    Raises SettingsError when traces are wanted and what they need isn't installed.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._metrics = _metrics() if settings.otel_enabled else None
        endpoint = settings.otel_exporter_otlp_endpoint
        self._traces = None if endpoint is None else _traces(endpoint)
        watcher = _all([one for one in (self._metrics, self._traces) if one is not None])
        self.watch: Watch | None = watcher
        self.requests: RequestWatch | None = watcher
        self.readiness: Readiness

    def of(self, tenants: Tenants, dsn: str, parts: AsyncExitStack, *, orphans: Callable[[], int]) -> None:
        """Watch these tenants. What is opened for it is closed with `parts`."""
        settings = self._settings
        backlog = Backlog(dsn, lambda: tenants.ids)
        parts.push_async_callback(backlog.close)
        paths = dict.fromkeys((settings.data_path, settings.documents_path))
        self.readiness = Readiness(tenants, backlog.look, list(paths), clock=self._clock)
        if self._traces is not None:
            parts.push_async_callback(self._traces.close)
        if self._metrics is not None:
            self._metrics.add(lambda: self._figures(tenants, orphans))

    def start(self, parts: AsyncExitStack) -> None:
        """Begin to look, now that there is something to see."""
        parts.push_async_callback(cancelled, spawn(self.readiness.run(), name="readiness"))
        if self._metrics is not None:
            parts.push_async_callback(cancelled, spawn(self._metrics.watch_loop(), name="event loop lag"))

    def page(self, sockets: Callable[[], int]) -> MetricsPage | None:
        """None unless there are metrics; `sockets` counts the open ones."""
        metrics, settings = self._metrics, self._settings
        if metrics is None:
            return None
        from decabilld.telemetry.metrics import CONTENT_TYPE
        from decabilld.telemetry.tenants import single

        metrics.add(lambda: [single("decabilld_sockets", "Socket.IO transports that are open.", sockets())])
        user, password = settings.otel_username, settings.otel_password
        return MetricsPage(
            path=settings.otel_metrics_path,
            content_type=CONTENT_TYPE,
            page=metrics.page,
            credentials=None if user is None or password is None else (user, password),
        )

    def _figures(self, tenants: Tenants, orphans: Callable[[], int]) -> "Iterator[GaugeMetricFamily]":
        from decabilld.telemetry.tenants import outbox_metrics, single, tenant_metrics

        yield from tenant_metrics(tenants)
        yield from outbox_metrics(self.readiness.waiting, self._clock())
        yield single("decabilld_provider_orphans", "Servers of ours that nobody pays for.", orphans())
        yield single("decabilld_ready", "1 while /api/ready says so, else 0.", not self.readiness.reasons())


# Imported only where they are wanted: they cost time and memory.


def _metrics() -> "Metrics":
    from decabilld.telemetry.metrics import Metrics

    return Metrics()


def _traces(endpoint: str) -> "Traces":
    try:
        from decabilld.telemetry.traces import Traces
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT needs {missing.name}, which isn't here: pip install 'decabilld[otel]'"
        ) from None
    return Traces(endpoint)


def _all(watchers: "list[Watcher]") -> "Watcher | None":
    if len(watchers) < 2:
        return watchers[0] if watchers else None
    from decabilld.telemetry.watches import Watches

    return Watches(watchers)
