"""The nightly update against a real SSH server."""

import asyncio
import socket
import subprocess

import asyncssh
import pytest

from decabilld.gateways import cloudinit
from decabilld.gateways.ssh import ServerAway, ServerRefused, new_key_pair, update, update_stack
from tests.ssh.server import FakeServer, running


async def goes_well(process: asyncssh.SSHServerProcess) -> None:
    process.stdout.write(b"controller  Started\n")
    process.stderr.write(b"one warning\n")
    process.exit(0)


async def fails(process: asyncssh.SSHServerProcess) -> None:
    process.stderr.write(b"manifest unknown\n")
    process.exit(17)


async def hangs(process: asyncssh.SSHServerProcess) -> None:
    process.stdout.write(b"pulling\n")
    await asyncio.sleep(60)


async def hangs_up(process: asyncssh.SSHServerProcess) -> None:
    process.get_extra_info("connection").abort()


async def dies(process: asyncssh.SSHServerProcess) -> None:
    process.exit_with_signal("KILL")


async def chatters(process: asyncssh.SSHServerProcess) -> None:
    for _ in range(400):
        process.stdout.write(b"x" * 32_768)
        await process.stdout.drain()
    process.stdout.write("… done\n".encode())
    process.exit(0)


async def update_of(server: FakeServer, **changed: object) -> str:
    given = {"private_key": server.user.private, "host_public_key": server.host.public, "service": "controller"}
    return await update_stack("127.0.0.1", server.port, **{**given, **changed})  # type: ignore[arg-type]


async def test_the_stack_is_brought_up_to_date_as_root() -> None:
    async with running(goes_well) as server:
        output = await update_of(server)
    assert sorted(output.splitlines()) == ["controller  Started", "one warning"]
    assert server.users == ["root"]
    [command] = server.asked
    assert command is not None
    assert command.startswith("cd /opt/decabill/controller && timeout ")
    assert "docker compose --ansi never up --detach --pull always" in command


async def test_a_server_with_another_host_key_is_told_nothing() -> None:
    async with running(goes_well) as server:
        with pytest.raises(ServerRefused, match="another host key"):
            await update_of(server, host_public_key=new_key_pair().public)
    assert server.asked == []


async def test_a_key_that_the_server_does_not_know_is_refused() -> None:
    async with running(goes_well) as server:
        with pytest.raises(ServerRefused, match="does not accept"):
            await update_of(server, private_key=new_key_pair().private)
    assert server.asked == []


async def test_a_command_that_fails_tells_its_status_and_its_last_words() -> None:
    async with running(fails) as server:
        with pytest.raises(ServerRefused, match="ended with 17") as refused:
            await update_of(server)
    assert refused.value.output == "manifest unknown\n"


async def test_a_command_that_was_killed_has_failed() -> None:
    async with running(dies) as server:
        with pytest.raises(ServerRefused, match="ended with -1"):
            await update_of(server)


async def test_a_command_that_hangs_is_left_in_time() -> None:
    async with running(hangs) as server, asyncio.timeout(10):
        with pytest.raises(ServerAway, match=r"not done after 0\.5 s"):
            await update_of(server, run_seconds=0.5)


async def test_a_connection_that_breaks_is_a_server_gone() -> None:
    async with running(hangs_up) as server:
        with pytest.raises(ServerAway, match="went away"):
            await update_of(server)


async def test_of_a_huge_output_the_end_is_kept() -> None:
    async with running(chatters) as server, asyncio.timeout(60):
        output = await update_of(server)
    assert output.endswith("x… done\n")
    assert len(output.encode()) == update.LONGEST_OUTPUT


async def test_nobody_there_and_somebody_silent_are_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update, "CONNECT_SECONDS", 0.5)
    pair = new_key_pair()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ServerAway, match="can't be reached"):
            await update_stack("127.0.0.1", unused.getsockname()[1], pair.private, pair.public, "manager")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with asyncio.timeout(5):
            with pytest.raises(ServerAway, match="can't be reached"):
                await update_stack("127.0.0.1", silent.getsockname()[1], pair.private, pair.public, "manager")


async def test_only_services_of_ours_are_updated() -> None:
    with pytest.raises(ValueError, match="controller, manager"):
        await update_stack("127.0.0.1", 1, "", "", "x; rm -rf /")


def test_the_command_is_one_that_a_shell_reads_and_goes_where_the_stack_is() -> None:
    subprocess.run(["bash", "-n", "-c", update.update_command("manager")], check=True, timeout=10)
    assert update.STACKS_DIRECTORY == cloudinit.STACKS_DIRECTORY
