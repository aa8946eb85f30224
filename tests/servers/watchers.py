"""Those who watch a dashboard: the Python client within the test, and the browser's client as a process of Node."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import socketio

from tests.contract.tools import NODE
from tests.harness.people import Person
from tests.realtime.site import NAMESPACE, Client

HEARD_SECONDS = 20.0


class Watcher:
    """`heard` is what came, in order, acknowledgements as `("ack", …)`."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    def all(self, event: str) -> list[Any]:
        return [said for name, said in self.heard if name == event]

    async def until(self, right: Callable[[], bool]) -> None:
        """Raises AssertionError with what was heard."""
        try:
            async with asyncio.timeout(HEARD_SECONDS):
                while not right():  # noqa: ASYNC110 (a process beside tells it)
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"heard only {self.heard}") from None

    async def hears(self, event: str, times: int = 1) -> Any:
        """What came with it, once it came that often."""
        await self.until(lambda: len(self.all(event)) >= times)
        return self.all(event)[-1]

    async def sees(self, **fields: Any) -> Any:
        """The first server of an update, once it shows these."""
        first: dict[str, Any] = {}

        def right() -> bool:
            first.update(next(iter((self.all("dashboardStatusUpdate") or [{"items": []}])[-1]["items"]), {}))
            return fields.items() <= first.items()

        await self.until(right)
        return first


Watch = Callable[..., Awaitable[Watcher]]
"""`(url, transport, auth, interval_ms)`: a watcher that is told once it connects, and subscribes then."""


@asynccontextmanager
async def python_watchers() -> AsyncIterator[Watch]:
    clients: list[Client] = []

    async def watch(url: str, transport: str, auth: dict[str, str], interval_ms: int) -> Watcher:
        client, watcher = Client(), Watcher()
        client.heard = watcher.heard
        clients.append(client)
        try:
            await client.connect(url, transport, auth=auth)
        except socketio.exceptions.ConnectionError:
            return watcher
        assert client.sio.transport() == transport
        await client.sio.emit(
            "subscribeDashboardStatus",
            {"pollIntervalMs": interval_ms},
            namespace=NAMESPACE,
            callback=lambda *_: watcher.heard.append(("ack", "subscribeDashboardStatus")),
        )
        return watcher

    try:
        yield watch
    finally:
        for client in clients:
            await client.sio.disconnect()


@asynccontextmanager
async def node_watchers() -> AsyncIterator[Watch]:
    processes: list[asyncio.subprocess.Process] = []
    listening: list[asyncio.Task[None]] = []

    async def watch(url: str, transport: str, auth: dict[str, str], interval_ms: int) -> Watcher:
        watcher = Watcher()
        arguments = (url + NAMESPACE, transport, json.dumps(auth), json.dumps({"pollIntervalMs": interval_ms}))
        process = await asyncio.create_subprocess_exec(
            "node", NODE / "dashboard.mjs", *arguments, stdout=asyncio.subprocess.PIPE
        )
        processes.append(process)
        listening.append(asyncio.create_task(_listen(process, watcher, transport)))
        return watcher

    try:
        yield watch
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
        await asyncio.gather(*listening)


async def _listen(process: asyncio.subprocess.Process, watcher: Watcher, transport: str) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        event, said = json.loads(line)
        if event == "connect":
            assert said == transport
        else:
            watcher.heard.append((event, said))


def auth_of(person: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.token}", "tenantId": person.tenant}
