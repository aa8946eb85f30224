"""Commands that look after payments: beside a running daemon, which alone may book them."""

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
    from decabilld.control.payments import Reconciled


@click.command("reconcile-payments")
@env_file_option
@click.option("--tenant", help="Only this tenant's; default: every tenant's.")
@click.option(
    "--older-than", "minutes", type=click.IntRange(0, 525_600), default=60, show_default=True, metavar="MINUTES",
    help="Ask about attempts that have been pending for so long.",
)  # fmt: skip
@json_option
def reconcile_payments(env_file: Path | None, tenant: str | None, minutes: int, *, as_json: bool) -> None:
    """Ask Stripe what became of pending payments, and book what its webhooks didn't tell.

    It is done by the running daemon, which does so every hour by itself, too; nothing is booked twice. Exit 1 if no
    daemon runs, or Stripe doesn't answer.

    \b
    Example:
      decabilld reconcile-payments --older-than 15
    """
    settings = with_settings(env_file)
    done = _run(settings, (tenant,) if tenant else settings.tenants, minutes)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(done), indent=2))
    else:
        for tenant_id, counts in done.items():
            click.echo(f"{tenant_id}: {_sentence(counts)}")
    sys.exit(EXIT_FAULT if any(counts.unanswered for counts in done.values()) else 0)


def _sentence(counts: "Reconciled") -> str:
    told = f"{counts.asked} asked, {counts.booked} booked, {counts.expired} expired, {counts.pending} still pending"
    further = {
        "failed": counts.failed,
        "settled by a webhook meanwhile": counts.known,
        "without an answer from Stripe": counts.unanswered,
    }
    return ", ".join([told, *(f"{count} {what}" for what, count in further.items() if count)])


def _run(settings: Settings, tenant_ids: tuple[str, ...], minutes: int) -> dict[str, "Reconciled"]:
    """What was done for each tenant."""
    from decabilld.control.client import remote_payments

    async def reconcile(path: Path) -> dict[str, "Reconciled"]:
        async with remote_payments(path) as payments:
            return {tenant_id: await payments.reconcile(tenant_id, minutes) for tenant_id in tenant_ids}

    return ask_daemon(settings, "books payments", reconcile)
