"""Commands that look after servers: beside a running daemon, which alone knows what its tenants pay for."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from decabilld.cli_daemon import ask_daemon
from decabilld.cli_options import EXIT_FAULT, env_file_option, json_option, with_settings
from decabilld.settings import Settings

if TYPE_CHECKING:
    from decabilld.actors.server_comparison import Compared


@click.command("reconcile-servers")
@env_file_option
@click.option("--delete", is_flag=True, help="Delete servers that carry our label and that no item pays for.")
@json_option
def reconcile_servers(env_file: Path | None, *, delete: bool, as_json: bool) -> None:
    """Compare the servers that run with those that are paid for, at every provider.

    It is done by the running daemon, which does so every hour by itself, too. A server that nobody pays for is told in
    the journal; so is one that is paid for and has vanished. Exit 1 if no daemon runs, or a provider doesn't answer.

    \b
    Example:
      decabilld reconcile-servers
    """
    found = _run(with_settings(env_file), delete=delete)
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(one) for one in found], indent=2))
    else:
        for line in (line for one in found for line in _lines(one)):
            click.echo(line)
        if not found:
            click.echo("No provider has a token: there is nothing to compare.")
    sys.exit(EXIT_FAULT if any(one.failure for one in found) else 0)


def _lines(one: "Compared") -> list[str]:
    lines = [f"{one.provider}: {one.servers} servers, {len(one.orphans)} without an item that pays, "
             f"{len(one.vanished)} vanished"]  # fmt: skip
    lines += [
        f"  {orphan.name} ({orphan.server_id}) of item {orphan.label_id}: "
        f"{'deleted' if orphan.deleted else 'nobody pays for it'}"
        for orphan in one.orphans
    ]
    lines += [f"  {gone.hostname} of {gone.tenant_id}, item {gone.item_id}: vanished" for gone in one.vanished]
    if one.left:
        lines.append(f"  {one.left} findings were left for the next time")
    if one.failure:
        lines.append(f"  not complete: {one.failure}")
    return lines


def _run(settings: Settings, *, delete: bool) -> "list[Compared]":
    from decabilld.control.client import remote_servers

    async def compare(path: Path) -> "list[Compared]":
        async with remote_servers(path) as servers:
            return await servers.compare(delete=delete)

    return ask_daemon(settings, "knows what is paid for", compare)
