"""Traces as a collector receives them: what bears one correlation id is one tree, from the request to its effects."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.harness.daemons import running_daemon

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
from decabilld.cli import main
main(["serve"])
"""


class Receiver:
    """A collector of traces: OTLP over HTTP on loopback. It doesn't answer while `deaf`."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.deaf = False
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        while self.deaf:  # noqa: ASYNC110 - as a hung one would
            await asyncio.sleep(0.1)
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for resource in sent.resource_spans:
            assert {"service.name": "decabilld"}.items() <= _attributes(resource.resource).items()
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str, correlation_id: str) -> Span:
        (found,) = [
            span
            for span in self.spans
            if span.name == name and _attributes(span)["decabilld.correlation_id"] == correlation_id
        ]
        return found


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/traces", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield receiver
    receiver.deaf = False
    await runner.cleanup()


@pytest.fixture(autouse=True)
def plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine's collector wants; and the exporter compresses nothing."""
    for name in ("OTEL_TRACES_SAMPLER", "OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_COMPRESSION"):
        monkeypatch.delenv(name, raising=False)


async def test_an_invoice_is_one_trace_from_the_request_to_its_document(database: str, tmp_path: Path) -> None:
    async with receiving() as receiver:
        async with running_daemon(database, tmp_path, otel_exporter_otlp_endpoint=receiver.url) as daemon:
            admin = await daemon.admin()
            await admin.move_to("2024-01-01 00:00")
            anna = await admin.customer("anna")
            await anna.orders(await admin.plan())
            await admin.move_to("2024-02-01 00:00")
            await admin.post(
                "/admin/billing/bill-now", {"userId": anna.id}, X_Correlation_Id="bill", traceparent=PARENT
            )
        request = receiver.named("POST /api/admin/billing/bill-now", "bill")
        assert (request.trace_id.hex(), request.parent_span_id.hex()) == tuple(PARENT.split("-")[1:3])
        assert _attributes(request)["http.response.status_code"] == 200
        turns = [span for span in receiver.spans if span.name in ("StartBillNow", "DoDueWork", "ConfirmEffectDone")]
        turns = [span for span in turns if _attributes(span)["decabilld.correlation_id"] == "bill"]
        assert {span.parent_span_id for span in turns} == {request.span_id}
        document = receiver.named("RenderDocument", "bill")
        assert document.parent_span_id in {span.span_id for span in turns}
        assert _attributes(document)["decabilld.effect.outcome"] == "done"
        everything = [request, document, *turns]
        assert {span.trace_id for span in everything} == {request.trace_id}
        assert all(0 < span.end_time_unix_nano - span.start_time_unix_nano < 60e9 for span in everything)
        assert all(abs(span.start_time_unix_nano - time.time_ns()) < 120e9 for span in everything)


async def test_a_collector_that_does_not_answer_delays_nothing(database: str, tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.deaf = True
        async with running_daemon(database, tmp_path, otel_exporter_otlp_endpoint=receiver.url) as daemon:
            admin = await daemon.admin()
            began = time.monotonic()
            await admin.plan()
            assert time.monotonic() - began < 4
            began = time.monotonic()
            await daemon.stop()
            assert time.monotonic() - began < 20


def test_without_the_extra_it_is_said_what_lacks(tmp_path: Path) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318",
        "DECABILLD_DATA_DIR": str(tmp_path / "data"),
        "PATH": "",
    }
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "pip install 'decabilld[otel]'" in ended.stdout
    assert not (tmp_path / "data").exists()


def test_nobody_who_does_not_want_traces_loads_their_library() -> None:
    code = "import decabilld.daemon, sys; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def _attributes(of: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in of.attributes}
