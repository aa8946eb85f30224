"""Ports of a test's own: below what the kernel gives to others, so that a port stays free while its daemon restarts."""

import os
import random
import socket

FIRST, LAST = 10_240, 32_767
"""Linux gives ports from 32,768 on to whoever asks for any."""
MAX_WORKERS = 16
_SHARE = (LAST - FIRST + 1) // MAX_WORKERS
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MAX_WORKERS
_given = random.randrange(_SHARE)  # two runs on one machine begin elsewhere


def free_port() -> int:
    """One that nobody listens on, and that no other worker of this run is given."""
    global _given
    for _ in range(_SHARE):
        _given = (_given + 1) % _SHARE
        port = FIRST + _worker * _SHARE + _given
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"worker {_worker} has no free port")
