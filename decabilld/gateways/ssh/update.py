"""The nightly update of a server's stack: new images, new containers.

Owns the one command that we ever run on a customer's server, and who we take for that server: nothing is sent to one
whose host key isn't the item's own.
"""

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncssh

from decabilld.domain.provisioning import SERVICES

STACKS_DIRECTORY = "/opt/decabill"
CONNECT_SECONDS = 20
RUN_SECONDS = 15 * 60
CLOSE_SECONDS = 5
LONGEST_OUTPUT = 4096
_READ_AT_ONCE = 32 * 1024


class ServerAway(Exception):
    """It can't be reached, went away meanwhile or took too long: later it may work."""


class ServerRefused(Exception):
    """It isn't the server that we know, doesn't know our key, or the command failed. `output` is the command's end."""

    def __init__(self, reason: str, output: str = "") -> None:
        super().__init__(reason)
        self.output = output


async def update_stack(
    address: str, port: int, private_key: str, host_public_key: str, service: str, *, run_seconds: float = RUN_SECONDS
) -> str:
    """Brings the service's containers up to date. The last `LONGEST_OUTPUT` bytes of what the command printed.

    `private_key` is OpenSSH's PEM text, `host_public_key` its one-line form. Ends within `CONNECT_SECONDS` and
    `run_seconds`. Raises ServerAway, ServerRefused.
    """
    command = update_command(service, run_seconds)
    async with _connection(address, port, private_key, host_public_key) as connection:
        try:
            async with asyncio.timeout(run_seconds):
                status, output = await _run(connection, command)
        except TimeoutError:
            raise ServerAway(f"{address} was not done after {run_seconds:g} s") from None
    if status != 0:
        raise ServerRefused(f"The update of {service} ended with {'no status' if status is None else status}", output)
    return output


def update_command(service: str, run_seconds: float = RUN_SECONDS) -> str:
    """One line for the server's shell. It ends by itself, a little before we hang up, and leaves no old images."""
    if service not in SERVICES:
        raise ValueError(f"service must be one of {', '.join(SERVICES)}")
    limit = "timeout --kill-after=10"
    up = "docker compose --ansi never up --detach --pull always --quiet-pull --remove-orphans"
    directory, seconds = shlex.quote(f"{STACKS_DIRECTORY}/{service}"), max(20, int(run_seconds))
    return f"cd {directory} && {limit} {seconds * 9 // 10} {up} && {limit} {seconds // 20} docker image prune --force"


@asynccontextmanager
async def _connection(
    address: str, port: int, private_key: str, host_public_key: str
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    try:
        connection = await asyncssh.connect(
            address,
            port,
            username="root",
            client_keys=[asyncssh.import_private_key(private_key)],
            known_hosts=([asyncssh.import_public_key(host_public_key)], [], []),
            server_host_key_algs=["ssh-ed25519"],
            preferred_auth="publickey",
            agent_path=None,
            config=None,
            connect_timeout=CONNECT_SECONDS,
            login_timeout=CONNECT_SECONDS,
            keepalive_interval=30,
            keepalive_count_max=4,
        )
    except asyncssh.HostKeyNotVerifiable:
        raise ServerRefused(f"{address} shows another host key than its own") from None
    except asyncssh.PermissionDenied:
        raise ServerRefused(f"{address} does not accept the item's key") from None
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise ServerAway(f"{address} can't be reached: {str(error) or type(error).__name__}") from None
    try:
        yield connection
    finally:
        connection.abort()
        with suppress(TimeoutError, OSError, asyncssh.Error):
            async with asyncio.timeout(CLOSE_SECONDS):
                await connection.wait_closed()


async def _run(connection: asyncssh.SSHClientConnection, command: str) -> tuple[int | None, str]:
    """The exit status and the end of the output. However much is printed, little is kept."""
    try:
        process = await connection.create_process(command, encoding=None, stderr=asyncssh.STDOUT)
        tail = b""
        while piece := await process.stdout.read(_READ_AT_ONCE):
            tail = (tail + piece)[-LONGEST_OUTPUT:]
        await process.wait_closed()
    except (OSError, asyncssh.Error) as error:
        raise ServerAway(f"The server went away during the update: {str(error) or type(error).__name__}") from None
    return process.exit_status, tail.decode(errors="replace")
