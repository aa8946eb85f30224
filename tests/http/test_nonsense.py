"""What is no HTTP at all, sent to a site as the daemon opens it."""

import asyncio
import json
import logging

import pytest
from aiohttp import web

from decabilld.sites import Sites

NONSENSE = [
    b"GARBAGE\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9_000 + b"\r\n\r\n",
    b"GET / HTTP/9.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
]
BADLY_PACKED = (
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
)


async def _late(request: web.Request) -> web.Response:
    return web.Response(text="done without its body")


async def test_nonsense_is_refused_in_json_and_is_no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    app = web.Application()
    app.router.add_post("/", _late)
    sites = Sites()
    port = await sites.open("http", app, "127.0.0.1", 0)
    try:
        for sent in NONSENSE:
            head, _, body = (await _answer(port, sent)).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.0 400 "), sent
            assert b"X-Correlation-Id: " in head
            assert json.loads(body)["statusCode"] == 400
        assert b"done without its body" in await _answer(port, BADLY_PACKED)
    finally:
        await sites.close()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def _answer(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    answered = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answered
