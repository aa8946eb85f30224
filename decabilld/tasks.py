"""The only `create_task`: tasks are kept alive, named, and none of them fails unheard."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

T = TypeVar("T")
AGAIN_SECONDS = 0.5
_log = structlog.get_logger("tasks")
_running: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
    """Run `work` beside; a failure that nobody awaits is logged as `task_failed`."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_finished)
    return task


async def to_the_end(work: Coroutine[Any, Any, T], *, name: str) -> T:
    """The result of `work`, which goes on to its end even when whoever awaits it is cancelled."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_running.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_finished)  # from now on nobody else hears of a failure
        raise


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel them, and wait until they have ended.

    They are cancelled again and again, since one cancel may be lost: Python 3.11's `asyncio.wait_for`, which libraries
    use, swallows one that comes together with its result.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=AGAIN_SECONDS)


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("task_failed", task=task.get_name(), exc_info=error)
