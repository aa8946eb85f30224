"""The process that renders: requests on its standard input, answers on its standard output, one after the other.

It ends when its input does, so it never outlives the daemon, however that ends; an alarm ends it when a document takes
too long, and a document that needs too much memory ends it, too. Owns the frames between the two; who starts and
replaces workers is `renderer`.
"""

import os
import resource
import signal
import sys
from typing import BinaryIO
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from decabilld.domain.entities import Invoice
from decabilld.gateways.documents.document import DocumentImpossible, Kind

HEAD_BYTES = 4
_NICENESS = 10
MEMORY_MAX_BYTES = 2 << 30
"""10,000 lines need 1.2 GB. Without a limit one document could take what the daemon needs."""


class Order(Struct, frozen=True):
    invoice: Invoice
    kind: Kind
    zone: str


class Answer(Struct, frozen=True):
    """The file, or why there can't be one."""

    file: bytes = b""
    impossible: str | None = None


def frame(message: Order | Answer) -> bytes:
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(HEAD_BYTES) + body


def _serve(orders: BinaryIO, answers: BinaryIO, limit_seconds: float) -> None:
    from decabilld.gateways.documents import (
        pdf,
    )  # slow to load; the daemon, which imports this module, has no use for it

    read = msgspec.msgpack.Decoder(Order).decode
    while head := orders.read(HEAD_BYTES):
        order = read(orders.read(int.from_bytes(head)))
        signal.setitimer(signal.ITIMER_REAL, limit_seconds)
        try:
            answer = Answer(pdf.render(order.invoice, order.kind, ZoneInfo(order.zone)))
        except DocumentImpossible as reason:
            answer = Answer(impossible=str(reason))
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(frame(answer))
        answers.flush()


def main() -> None:
    os.nice(_NICENESS)  # a request in the daemon goes before a document
    # `setrlimit` is among the calls that the systemd unit forbids, `prlimit64` is not.
    resource.prlimit(0, resource.RLIMIT_DATA, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not get between the frames
    _serve(sys.stdin.buffer, answers, float(sys.argv[1]))


if __name__ == "__main__":
    main()
