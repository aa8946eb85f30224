"""The processes that render: what they make, and what happens when they die, hang or lose their daemon."""

import asyncio
import contextlib
import os
import resource
import signal
import sys
import time

import pytest
from msgspec.structs import replace

from decabilld.gateways.documents import pdf, worker
from decabilld.gateways.documents.document import DocumentImpossible
from decabilld.gateways.documents.renderer import DocumentRenderer, RenderingFailed
from tests.documents.examples import BERLIN, SHAPES, invoice


@pytest.fixture
async def renderer():
    renderer = DocumentRenderer(BERLIN, workers=1, timeout_seconds=20)
    yield renderer
    await renderer.close()


def the_process(renderer: DocumentRenderer) -> int:
    (process,) = renderer._all
    return process.pid


def alive(pid: int) -> bool:
    """Whether it still runs; one that nobody has reaped yet does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> bool:
    for _ in range(200):
        if not alive(pid):
            return True
        await asyncio.sleep(0.02)
    return False


async def test_a_process_makes_the_same_bytes_and_is_kept_for_the_next(renderer):
    first = await renderer.render(SHAPES["umlauts"], "credit_note")
    pid = the_process(renderer)
    assert first == pdf.render(SHAPES["umlauts"], "credit_note", BERLIN)
    assert await renderer.render(SHAPES["umlauts"], "credit_note") == first
    assert the_process(renderer) == pid
    assert os.getpriority(os.PRIO_PROCESS, pid) >= os.getpriority(os.PRIO_PROCESS, 0) + 10 or (
        os.getpriority(os.PRIO_PROCESS, pid) == 19
    )


async def test_a_process_has_a_limit_of_memory(renderer):
    await renderer.render(invoice(), "invoice")
    limits = resource.prlimit(the_process(renderer), resource.RLIMIT_DATA)
    assert limits == (worker.MEMORY_MAX_BYTES, worker.MEMORY_MAX_BYTES)


async def test_a_process_that_has_made_enough_makes_room_for_another(renderer, monkeypatch):
    """The typesetter gives no memory back: three thousand lines cost 300 MB for good."""
    monkeypatch.setattr("decabilld.gateways.documents.renderer.LINES_MAX", 61)
    await renderer.render(SHAPES["sixty lines"], "invoice")
    pid = the_process(renderer)
    assert await renderer.render(invoice(), "invoice") == pdf.render(invoice(), "invoice", BERLIN)
    assert await gone(pid)
    assert len(renderer._all) == 0
    await renderer.render(invoice(), "invoice")
    assert the_process(renderer) != pid


async def test_answers_go_to_those_who_asked():
    examples = [replace(invoice(), number=f"INV-2026-{n:05}") for n in range(30)]
    renderer = DocumentRenderer(BERLIN, workers=2)
    try:
        made = await asyncio.gather(*(renderer.render(example, "invoice") for example in examples))
        assert len(renderer._all) == 2
    finally:
        await renderer.close()
    assert made == [pdf.render(example, "invoice", BERLIN) for example in examples]


async def test_a_document_that_can_t_be_is_refused_and_the_process_goes_on(renderer):
    await renderer.render(invoice(), "invoice")
    pid = the_process(renderer)
    with pytest.raises(DocumentImpossible, match="has no credit note yet"):
        await renderer.render(replace(invoice(), credit_note_number=None), "credit_note")
    assert await renderer.render(invoice(), "invoice")
    assert the_process(renderer) == pid


async def test_a_process_killed_while_idle_is_replaced(renderer):
    expected = await renderer.render(invoice(), "invoice")
    pid = the_process(renderer)
    os.kill(pid, signal.SIGKILL)
    await next(iter(renderer._all)).wait()
    assert await renderer.render(invoice(), "invoice") == expected
    assert the_process(renderer) != pid


async def test_a_process_killed_at_work_fails_its_document_only(renderer):
    expected = await renderer.render(invoice(), "invoice")
    pid = the_process(renderer)
    os.kill(pid, signal.SIGSTOP)
    at_work, waiting = (asyncio.ensure_future(renderer.render(invoice(), "invoice")) for _ in range(2))
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RenderingFailed, match=f"process {pid} died"):
        await at_work
    assert await waiting == expected


async def test_a_process_that_hangs_is_killed_when_the_time_is_up(renderer):
    expected = await renderer.render(invoice(), "invoice")
    pid = the_process(renderer)
    os.kill(pid, signal.SIGSTOP)
    renderer._timeout_seconds = 0.3
    with pytest.raises(RenderingFailed, match=r"no document within 0\.3 s"):
        await renderer.render(invoice(), "invoice")
    assert await gone(pid)
    renderer._timeout_seconds = 20
    assert await renderer.render(invoice(), "invoice") == expected


async def test_who_gives_up_waiting_doesn_t_leave_an_answer_for_the_next(renderer):
    await renderer.render(invoice(), "invoice")
    abandoned = asyncio.ensure_future(renderer.render(SHAPES["sixty lines"], "invoice"))
    await asyncio.sleep(0.01)
    abandoned.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await abandoned
    assert await renderer.render(invoice(), "invoice") == pdf.render(invoice(), "invoice", BERLIN)


async def test_closing_ends_the_processes_and_fails_what_is_under_way():
    renderer = DocumentRenderer(BERLIN, workers=1)
    await renderer.render(invoice(), "invoice")
    pid = the_process(renderer)
    os.kill(pid, signal.SIGSTOP)
    under_way = asyncio.ensure_future(renderer.render(invoice(), "invoice"))
    await asyncio.sleep(0.05)
    await renderer.close()
    assert not alive(pid)
    with pytest.raises(RenderingFailed):
        await under_way
    with pytest.raises(RenderingFailed, match="closed"):
        await renderer.render(invoice(), "invoice")


DAEMON = """
import asyncio
from decabilld.gateways.documents.renderer import DocumentRenderer
from tests.documents.examples import BERLIN, SHAPES
async def main():
    renderer = DocumentRenderer(BERLIN, workers=2)
    work = [asyncio.ensure_future(renderer.render(SHAPES["sixty lines"], "invoice")) for _ in range(400)]
    await work[3]
    print(*(process.pid for process in renderer._all), flush=True)
    await asyncio.gather(*work)
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_kill_9_of_the_daemon_leaves_no_process(loop):
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"{DAEMON}\nimport {loop}; {loop}.run(main())", stdout=asyncio.subprocess.PIPE
    )
    assert daemon.stdout is not None
    pids = [int(pid) for pid in (await asyncio.wait_for(daemon.stdout.readline(), 30)).split()]
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids), "both are at work"
    daemon.kill()
    await daemon.wait()
    assert [pid for pid in pids if not await gone(pid)] == []


async def test_the_daemon_itself_hardly_works_for_it(renderer):
    long = SHAPES["sixty lines"]
    pdf.render(long, "invoice", BERLIN)
    before = time.process_time()
    for n in range(10):
        pdf.render(replace(long, number=f"INV-2026-{n:05}"), "invoice", BERLIN)
    by_itself = time.process_time() - before
    before = time.process_time()
    await asyncio.gather(*(renderer.render(replace(long, number=f"INV-2027-{n:05}"), "invoice") for n in range(10)))
    assert time.process_time() - before < by_itself / 4
