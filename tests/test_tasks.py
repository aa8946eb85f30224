"""Tasks that run beside, and how they end."""

import asyncio

from decabilld.tasks import cancelled, spawn


async def test_a_task_that_loses_a_cancel_ends_all_the_same() -> None:
    """As what Python 3.11's wait_for does with a cancel that comes together with its result."""
    turns = 0

    async def loses_two() -> None:
        nonlocal turns
        while True:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                turns += 1
                if turns > 2:
                    raise

    async def ends_by_itself() -> None:
        await asyncio.sleep(0)

    tasks = [spawn(loses_two(), name="loses two"), spawn(ends_by_itself(), name="ends by itself")]
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await cancelled(*tasks)
    assert (turns, [task.cancelled() for task in tasks]) == (3, [True, True])
