"""Mail of a billing day: 1,000 customers billed at once, their PDFs made and mailed, while others read.

Owns the mail server that takes them, in a process of its own: `python -m bench.mails` prints its port, then the
number of mails taken at each line that it reads.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from bench.billing import bill_now, percentile, readers, value_of
from bench.client import Client
from bench.daemon import daemon, stopped, token
from bench.results import Result
from bench.world import PERIOD_END, create

CUSTOMERS = 1_000
ISSUED_SECONDS, MAILED_SECONDS, READ_P99_MS = 2.0, 60.0, 100.0
GIVE_UP_SECONDS = 300.0
START_SECONDS = 20.0
_PDF = b"Content-Type: application/pdf"
_OPEN = "SELECT count(*) FROM outbox"


class Office:
    """The mail server's process; `count` asks it how many invoices it has taken."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process, self.port = process, port

    async def count(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        return int(await asyncio.wait_for(self._process.stdout.readline(), START_SECONDS))


async def measure_mails(data_dir: Path) -> list[Result]:
    world = await create(data_dir, customers=CUSTOMERS)
    async with _office() as office:
        mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(office.port), "SMTP_SECURE": "none"}
        async with daemon(data_dir, mail) as running:
            client, admin = await Client.open(running.port), token(world.admin)
            await client.json("POST", "/api/admin/billing/test-clock", admin, {"now": PERIOD_END.isoformat()})
            async with readers(running, world) as latencies:
                begin = time.monotonic()
                issued = await bill_now(client, admin)
                while await value_of(running.dsn, _OPEN):
                    if time.monotonic() - begin > GIVE_UP_SECONDS:
                        raise RuntimeError(f"mails are not sent; see {data_dir / 'daemon.log'}")
                    await asyncio.sleep(0.25)
                mailed = time.monotonic() - begin
            await client.close()
            taken = await office.count()
            if taken != CUSTOMERS:
                raise RuntimeError(f"{taken} invoices were mailed to {CUSTOMERS:,} customers")
    p99 = percentile(latencies, 99)
    return [
        Result(name=f"issue of {CUSTOMERS:,} invoices, mail on", value=issued, unit="s",
               target=f"< {ISSUED_SECONDS:g} s", ok=issued < ISSUED_SECONDS),
        Result(name="their PDFs made and mailed", value=mailed, unit="s", target=f"< {MAILED_SECONDS:g} s",
               ok=mailed < MAILED_SECONDS, note=f"{CUSTOMERS / mailed:.0f}/s"),
        Result(name="p99 of GETs meanwhile", value=p99, unit="ms", p50_ms=percentile(latencies, 50), p99_ms=p99,
               target=f"< {READ_P99_MS:g} ms", ok=p99 < READ_P99_MS,
               note=f"{len(latencies)} reads, worst {max(latencies):.0f} ms"),
    ]  # fmt: skip


@asynccontextmanager
async def _office() -> AsyncIterator[Office]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, stdin=-1, stdout=-1)
    assert process.stdout is not None
    try:
        yield Office(process, int(await asyncio.wait_for(process.stdout.readline(), START_SECONDS)))
    finally:
        await stopped(process)


class _Taken:
    invoices = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        content = envelope.content
        self.invoices += isinstance(content, bytes) and _PDF in content
        return "250 OK"


async def _serve() -> None:
    loop, taken = asyncio.get_running_loop(), _Taken()
    server = await loop.create_server(
        lambda: SMTP(taken, hostname="bench.test", enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(taken.invoices, flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
