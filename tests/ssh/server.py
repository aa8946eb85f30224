"""A customer's server, as far as SSH goes: asyncssh's own server on loopback, with a command that the test chooses."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncssh

from decabilld.gateways.ssh import KeyPair, new_key_pair

Behaviour = Callable[[asyncssh.SSHServerProcess], Awaitable[None]]


class FakeServer:
    """Knows one user key; remembers what it was asked to run."""

    def __init__(self, host: KeyPair, user: KeyPair) -> None:
        self.host, self.user = host, user
        self.asked: list[str | None] = []
        self.users: list[str] = []
        self.port = 0


@asynccontextmanager
async def running(
    behaviour: Behaviour, *, host: KeyPair | None = None, user: KeyPair | None = None
) -> AsyncIterator[FakeServer]:
    """Without given pairs, with pairs of its own."""
    server = FakeServer(host or new_key_pair(), user or new_key_pair())

    async def answer(process: asyncssh.SSHServerProcess) -> None:
        server.asked.append(process.command)
        server.users.append(process.get_extra_info("username"))
        await behaviour(process)

    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[asyncssh.import_private_key(server.host.private)],
        authorized_client_keys=asyncssh.import_authorized_keys(server.user.public),
        process_factory=answer,
        encoding=None,
    )
    server.port = listener.get_port()
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()
