"""Traces by OTLP over HTTP: from a request through the turns that decide it to the effects that it has.

Owns which spans there are, and whose children they are: what bears one correlation id is one trace, for as long as
this process remembers it. Sampling, headers and the like the SDK reads from its own variables (`OTEL_TRACES_SAMPLER`,
`OTEL_EXPORTER_OTLP_HEADERS`). Imported only where a collector is configured; needs the extra `otel`.
"""

import asyncio
import contextlib
import threading
import time
from collections import OrderedDict
from importlib.metadata import version

from aiohttp import web
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from decabilld.actors.watch import Attempt, Turn
from decabilld.http.observation import route_of

REMEMBERED_MAX = 10_000
"""Correlation ids; an effect that runs after that many others begins a trace of its own."""
EXPORT_SECONDS = 5.0
CLOSE_SECONDS = 1.0
_incoming = TraceContextTextMapPropagator()


class _Known:
    """What is known of a correlation id: the open span of its request, its first span, the last turn."""

    __slots__ = ("first", "request", "turn")

    def __init__(self, first: Span, *, request: Span | None = None) -> None:
        self.first, self.request, self.turn = first, request, first


class Traces:
    """A watch of requests, turns and effects."""

    def __init__(self, endpoint: str) -> None:
        resource = Resource.create({"service.name": "decabilld", "service.version": version("decabilld")})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("decabilld")
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def came(self, correlation_id: str, traceparent: str | None) -> None:
        context = _incoming.extract({"traceparent": traceparent}) if traceparent else None
        span = self._tracer.start_span("request", context, SpanKind.SERVER)
        self._remember(correlation_id, _Known(span, request=span))

    def answered(self, request: web.Request, status: int, correlation_id: str, seconds: float) -> None:
        known = self._known.get(correlation_id)
        if known is None or known.request is None:
            return
        span, known.request = known.request, None
        route = route_of(request)
        span.update_name(f"{request.method} {route}")
        span.set_attributes(
            {
                "http.request.method": request.method,
                "http.route": route,
                "http.response.status_code": status,
                "decabilld.tenant": request.headers.get("X-Tenant") or "default",
                "decabilld.correlation_id": correlation_id,
            }
        )
        if status >= 500:
            span.set_status(StatusCode.ERROR)
        span.end()

    def turned(self, turn: Turn) -> None:
        began, ended = _nanoseconds(turn.began), _nanoseconds(turn.ended)
        for envelope in turn.envelopes:
            known = self._known.get(envelope.cause)
            span = self._tracer.start_span(
                type(envelope.command).__name__,
                None if known is None else trace.set_span_in_context(known.first),
                attributes={
                    "decabilld.tenant": turn.tenant_id,
                    "decabilld.correlation_id": envelope.cause,
                    "decabilld.turn.commands": len(turn.envelopes),
                    "decabilld.turn.decide_ms": (turn.decided - turn.began) * 1000,
                    "decabilld.turn.commit_ms": (turn.committed - turn.decided) * 1000,
                },
                start_time=began,
            )
            span.end(ended)
            if known is None:
                self._remember(envelope.cause, _Known(span))
            else:
                known.turn = span

    def attempted(self, attempt: Attempt) -> None:
        known = self._known.get(attempt.row.cause)
        span = self._tracer.start_span(
            attempt.row.kind,
            None if known is None else trace.set_span_in_context(known.turn),
            SpanKind.CLIENT,
            attributes={
                "decabilld.tenant": attempt.tenant_id,
                "decabilld.correlation_id": attempt.row.cause,
                "decabilld.effect": attempt.row.id,
                "decabilld.effect.attempt": attempt.row.attempts + 1,
                "decabilld.effect.outcome": attempt.outcome,
            },
            start_time=_nanoseconds(attempt.began),
        )
        if attempt.outcome != "done":
            span.set_status(StatusCode.ERROR)
        span.end(_nanoseconds(attempt.ended))

    async def close(self) -> None:
        """Send what is left. A collector that doesn't answer is not waited for."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(sent.set)

        # Of its own, and not waited for at the end of the process: the exporter may hang on the collector.
        threading.Thread(target=end, name="last traces", daemon=True).start()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await sent.wait()
        except TimeoutError:
            return

    def _remember(self, correlation_id: str, known: _Known) -> None:
        before = self._known.pop(correlation_id, None)
        if before is None and len(self._known) >= REMEMBERED_MAX:
            _, before = self._known.popitem(last=False)
        if before is not None and before.request is not None:
            before.request.end()  # its client has gone, or another bears the same name
        self._known[correlation_id] = known


def _nanoseconds(instant: float) -> int:
    """An instant of `time.perf_counter` since the epoch."""
    return time.time_ns() - int((time.perf_counter() - instant) * 1e9)
