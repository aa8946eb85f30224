"""Renders documents in a few processes beside the loop, so that typesetting never holds up a request.

Owns the processes: starts them when first needed, replaces those that died or grew, kills those that take too long.
What they do is `worker`'s. Processes over pipes rather than a `ProcessPoolExecutor`: one of its workers dying fails
every waiting request, one that hangs can't be ended, and after kill -9 of the parent its workers live on.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from zoneinfo import ZoneInfo

import msgspec

from decabilld.domain.entities import Invoice
from decabilld.gateways.documents import worker
from decabilld.gateways.documents.document import DocumentImpossible, Kind

LINES_MAX = 5_000
"""Of documents that one process makes. The typesetter remembers some 100 KB a line, and gives nothing back."""
_CLOSING_SECONDS = 5.0


class RenderingFailed(Exception):
    """The process died or the time was up; trying again may help."""


class DocumentRenderer:
    """At most `workers` processes; a request gets `timeout_seconds` in all, the waiting for a process included."""

    def __init__(self, zone: ZoneInfo, *, workers: int = 2, timeout_seconds: float = 30.0) -> None:
        self._zone = zone.key
        self._timeout_seconds = timeout_seconds
        self._free = asyncio.Semaphore(workers)
        self._idle: list[Process] = []
        self._all: dict[Process, int] = {}
        """How many lines each has made."""
        self._closed = False

    async def render(self, invoice: Invoice, kind: Kind) -> bytes:
        """The PDF. Raises `DocumentImpossible` (for good) and `RenderingFailed` (for now)."""
        order = worker.frame(worker.Order(invoice, kind, self._zone))
        try:
            async with asyncio.timeout(self._timeout_seconds), self._free:
                answer = await self._ask(order, len(invoice.lines))
        except TimeoutError:
            raise RenderingFailed(f"no document within {self._timeout_seconds:g} s") from None
        if answer.impossible is not None:
            raise DocumentImpossible(answer.impossible)
        return answer.file

    async def close(self) -> None:
        """Ends the processes; documents under way fail."""
        self._closed = True
        for process in self._all:
            _end(process)
        async with asyncio.timeout(_CLOSING_SECONDS):
            await asyncio.gather(*(process.wait() for process in self._all))
        self._all.clear()

    async def _ask(self, order: bytes, lines: int) -> worker.Answer:
        process = await self._take()
        assert process.stdin is not None
        assert process.stdout is not None
        goes_on = False
        try:
            process.stdin.write(order)
            await process.stdin.drain()
            head = await process.stdout.readexactly(worker.HEAD_BYTES)
            body = await process.stdout.readexactly(int.from_bytes(head))
            made = self._all.get(process, LINES_MAX) + lines
            if goes_on := made < LINES_MAX:
                self._all[process] = made
        except (asyncio.IncompleteReadError, ConnectionError) as broken:
            raise RenderingFailed(f"the rendering process {process.pid} died: {broken}") from broken
        finally:
            if goes_on:
                self._idle.append(process)
            else:  # if it is at work still, that is for nobody, and its next answer would be to this order
                _end(process)
                self._all.pop(process, None)
        return msgspec.msgpack.decode(body, type=worker.Answer)

    async def _take(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            self._all.pop(process, None)
        if self._closed:
            raise RenderingFailed("the renderer is closed")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", worker.__name__, str(self._timeout_seconds), stdin=PIPE, stdout=PIPE,
            start_new_session=True,
        )  # fmt: skip
        self._all[process] = 0
        return process


def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
