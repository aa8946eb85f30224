"""The command line: starts the daemon, and looks at or checks what it has, also beside a running one."""

import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import click
import structlog

from decabilld import logs
from decabilld.billing_setup import policy_of
from decabilld.cli_database import on_database, tenants_in
from decabilld.cli_options import EXIT_FAULT, EXIT_SETTINGS, env_file_option, json_option, with_settings
from decabilld.settings import SettingsError, load, unknown, variables
from decabilld.settings.example import example


class Commands(click.Group):
    """Those in modules of their own are imported when they are asked for: all together they take half a second."""

    elsewhere: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "create-admin": "cli_accounts",
            "import-users": "cli_accounts",
            "rotate-key": "cli_keys",
            "reconcile-payments": "cli_payments",
            "reconcile-servers": "cli_servers",
            "logs": "cli_logs",
            "backup": "cli_operations",
            "restore": "cli_operations",
            "export-tenant": "cli_operations",
            "import-tenant": "cli_operations",
            "doctor": "cli_doctor",
            "version": "cli_doctor",
        }
    )

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self.elsewhere])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.elsewhere:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(
            import_module(f"decabilld.{self.elsewhere[cmd_name]}"), cmd_name.replace("-", "_")
        )
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="decabilld")
def main() -> None:
    """A billing daemon: subscriptions, invoices and payments, in one process with one PostgreSQL.

    \b
    Example:
      decabilld serve --env-file decabilld.env
    """


@main.command()
@env_file_option
def serve(env_file: Path | None) -> None:
    """Run the daemon in the foreground until SIGTERM or SIGINT.

    \b
    Example:
      PORT=3200 DECABILLD_DATA_DIR=./var decabilld serve
    """
    try:
        settings = load(env_file=env_file)
    except SettingsError as error:
        logs.configure("info", os.environ.get("LOG_FORMAT", "auto"))
        structlog.get_logger("process").error("start_failed", reason=str(error))
        sys.exit(EXIT_SETTINGS)
    logs.configure(settings.log_level, settings.log_format)
    from decabilld.process import run

    sys.exit(run(settings, reread=lambda: load(env_file=env_file)))


@main.command("settings")
@json_option
@click.option("--env", "as_env", is_flag=True, help="As an env file to begin with: config/decabilld.env.example.")
def list_settings(*, as_json: bool, as_env: bool) -> None:
    """List every setting with its meaning and default.

    \b
    Example:
      decabilld settings --env > decabilld.env
    """
    if as_env:
        click.echo(example(), nl=False)
        return
    rows = [{key: str(row[key]) for key in ("name", "meaning", "default")} for row in variables()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        default = "" if row["default"] in ("None", "()") else f" [{row['default']}]"
        click.echo(f"{click.style(row['name'], bold=True)}{default}\n    {row['meaning']}")


@main.command("check-config")
@env_file_option
@json_option
def check_config(env_file: Path | None, *, as_json: bool) -> None:
    """Say whether the settings can be used; exit 2 and name each fault otherwise.

    \b
    Example:
      decabilld check-config --env-file decabilld.env
    """
    settings = with_settings(env_file)
    missing = policy_of(settings).issuer_missing
    others = unknown(env_file) if env_file else {}
    if as_json:
        click.echo(json.dumps({"usable": True, "missingForInvoices": list(missing), "unknown": list(others)}))
        return
    click.echo("The settings can be used.")
    for name, meant in others.items():
        click.echo(f"{name} is no setting of decabilld" + (f": was {meant} meant?" if meant else ""))
    if missing:
        click.echo(f"No invoice can be issued before these are set: {', '.join(missing)}")


@main.command()
@env_file_option
@click.option("--apply/--plan", "apply", default=True, help="Apply what is pending (default), or only say what is.")
@json_option
def migrate(env_file: Path | None, *, apply: bool, as_json: bool) -> None:
    """Bring the database to this version's schema; `serve` does so by itself. Exit 1 if it doesn't fit.

    \b
    Example:
      decabilld migrate --plan
    """
    from decabilld.store import migrations

    names = on_database(with_settings(env_file), migrations.migrate if apply else migrations.pending)
    word = "applied" if apply else "pending"
    if as_json:
        click.echo(json.dumps({word: names}))
    else:
        click.echo("\n".join(f"{word}: {name}" for name in names) or "Nothing to apply.")


@main.command("verify-journal")
@env_file_option
@click.option("--tenant", help="Only this tenant; default: all in the database.")
@json_option
def verify_journal(env_file: Path | None, tenant: str | None, *, as_json: bool) -> None:
    """Check the journal's chain of hashes, beside a running daemon or without one; exit 1 if it is broken.

    \b
    Example:
      decabilld verify-journal --tenant default
    """
    from decabilld.store import journal

    settings = with_settings(env_file)

    async def work(connection: Any) -> list[dict[str, Any]]:
        found = []
        for tenant_id in await tenants_in(connection, settings, tenant):
            result = await journal.verify(connection, tenant_id)
            fault = None if result.fault is None else {"seq": result.fault.seq, "what": result.fault.what}
            found.append({"tenant": tenant_id, "entries": result.rows, "fault": fault})
        return found

    results = on_database(settings, work)
    if as_json:
        click.echo(json.dumps(results, indent=2))
    else:
        for row in results:
            fault = row["fault"]
            verdict = "sound" if fault is None else f"BROKEN at entry {fault['seq']}: {fault['what']}"
            click.echo(f"{row['tenant']}: {row['entries']} entries, {verdict}")
    sys.exit(EXIT_FAULT if any(row["fault"] for row in results) else 0)


@main.command("verify-books")
@env_file_option
@click.option("--tenant", help="Only this tenant; default: all in the database.")
@json_option
def verify_books(env_file: Path | None, tenant: str | None, *, as_json: bool) -> None:
    """Check that sums, positions, numbers, balances and journal agree; exit 1 if not. Safe beside a running daemon.

    \b
    Example:
      decabilld verify-books --tenant default
    """
    from decabilld.store import books

    settings = with_settings(env_file)

    async def work(connection: Any) -> dict[str, list[str]]:
        tenants = await tenants_in(connection, settings, tenant)
        return {tenant_id: await books.faults(connection, tenant_id) for tenant_id in tenants}

    found = on_database(settings, work)
    if as_json:
        click.echo(json.dumps([{"tenant": name, "faults": faults} for name, faults in found.items()], indent=2))
    else:
        for name, faults in found.items():
            click.echo("\n".join(f"{name}: {fault}" for fault in faults) or f"{name}: the books are sound")
    sys.exit(EXIT_FAULT if any(found.values()) else 0)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of YAML.")
def openapi(*, as_json: bool) -> None:
    """Print the OpenAPI document that this version serves.

    \b
    Example:
      decabilld openapi > openapi.yaml
    """
    from decabilld.http.app import all_operations
    from decabilld.http.openapi import as_yaml, openapi_document

    document = openapi_document(all_operations())
    click.echo(json.dumps(document, indent=2) if as_json else as_yaml(document), nl=as_json)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of YAML.")
def asyncapi(*, as_json: bool) -> None:
    """Print the AsyncAPI document of the socket site.

    \b
    Example:
      decabilld asyncapi > asyncapi.yaml
    """
    from decabilld.http.openapi import as_yaml
    from decabilld.realtime.asyncapi import asyncapi_document

    document = asyncapi_document()
    click.echo(json.dumps(document, indent=2) if as_json else as_yaml(document), nl=as_json)


@main.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="./demo-out",
    show_default=True,
    help="Directory that the invoices are left in.",
)
def demo(out: Path) -> None:
    """Show half a year of billing by a daemon of its own: two tenants, three customers, every document.

    \b
    Example:
      decabilld demo --out ./demo-out
    """
    from decabilld.demo.show import show

    sys.exit(show(out))


if __name__ == "__main__":
    main()
