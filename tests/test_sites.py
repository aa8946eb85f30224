"""What becomes of connections when the daemon's sites are shut."""

import asyncio

import pytest
from aiohttp import web

from decabilld import sites
from decabilld.sites import Sites

REQUEST = b"GET /%s HTTP/1.1\r\nHost: here\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def test_an_idle_connection_ends_at_once_and_a_busy_one_when_it_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sites, "DRAIN_SECONDS", 3_600)  # whoever waited for it would fail by our own time-out
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def at_once(_: web.Request) -> web.Response:
        return web.Response(text="idle from now on")

    async def late(_: web.Request) -> web.Response:
        begun.set()
        await go_on.wait()
        return web.Response(text="worth waiting for")

    app = web.Application()
    app.router.add_get("/at-once", at_once)
    app.router.add_get("/late", late)
    served = Sites()
    port = await served.open("http", app, "127.0.0.1", 0)
    async with asyncio.timeout(30):
        untouched, idle, busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        idle[1].write(REQUEST % b"at-once")
        assert b"idle from now on" in await idle[0].readuntil(b"now on")
        busy[1].write(REQUEST % b"late")
        await begun.wait()
        shutting = asyncio.create_task(served.shut())
        assert await untouched[0].read() == await idle[0].read() == b""
        assert not shutting.done()
        go_on.set()
        answer = await busy[0].read()
        assert b"Connection: close" in answer
        assert answer.endswith(b"worth waiting for")
        await shutting
    await served.close()
    for connection in (untouched, idle, busy):
        connection[1].close()
