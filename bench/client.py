"""A plain HTTP/1.1 client on a kept-alive connection: it probes latency, and makes load where there is no wrk."""

import asyncio
import json
import time
from typing import Any, Self

ANSWER_SECONDS = 120.0


class Client:
    """One connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=4 * 1024 * 1024))

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        self._writer.write(request)
        async with asyncio.timeout(ANSWER_SECONDS):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return int(head[9:12]), await self._reader.readexactly(length)

    async def json(self, method: str, path: str, token: str, body: object = None) -> Any:
        """The decoded answer. Raises RuntimeError for a status over 299."""
        sent = "" if body is None else json.dumps(body)
        status, answer = await self.send(request(method, path, token, sent))
        if status > 299:
            raise RuntimeError(f"{method} {path}: {status} {answer.decode(errors='replace')[:500]}")
        return json.loads(answer)

    async def timed_ms(self, request: bytes) -> float:
        """How long the answer took, in milliseconds. Raises RuntimeError for a status over 299."""
        before = time.perf_counter()
        status, _ = await self.send(request)
        if status > 299:
            raise RuntimeError(f"status {status}")
        return (time.perf_counter() - before) * 1000

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


def request(method: str, path: str, token: str, body: str = "") -> bytes:
    """The bytes of a request."""
    sent = body.encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    )
    return head.encode() + sent
