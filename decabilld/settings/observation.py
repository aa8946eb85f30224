"""How the daemon is watched: metrics for Prometheus, traces for a collector."""

from dataclasses import dataclass

from decabilld.settings import parsing
from decabilld.settings.variable import variable


@dataclass(frozen=True, kw_only=True)
class ObservationSettings:
    otel_enabled: bool = variable("OTEL_ENABLED", False, "Whether there are metrics for Prometheus", parsing.flag)
    otel_metrics_path: str = variable(
        "OTEL_METRICS_PATH", "/otel/metrics", "Their path, on the port of the HTTP API", parsing.namespace
    )
    otel_username: str | None = variable(
        "OTEL_USERNAME", None, "User of their Basic authentication; without one they are for everybody, but not in "
        "production",
    )  # fmt: skip
    otel_password: str | None = variable("OTEL_PASSWORD", None, "The user's password", secret=True)
    otel_exporter_otlp_endpoint: str | None = variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT", None, "Collector of traces by OTLP over HTTP, http://localhost:4318 say; needs "
        "`pip install 'decabilld[otel]'`", parsing.address,
    )  # fmt: skip
