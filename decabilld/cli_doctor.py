"""Commands that look and change nothing: is all well, and which versions are these."""

import asyncio
import json
import platform
import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import click
import msgspec

from decabilld import logs
from decabilld.billing_setup import policy_of
from decabilld.cli_database import with_database, with_dsn
from decabilld.cli_options import EXIT_FAULT, env_file_option, json_option
from decabilld.doctor.database import database
from decabilld.doctor.finding import Finding, well, wrong
from decabilld.doctor.machine import machine
from decabilld.doctor.outside import outsiders, session
from decabilld.settings import Settings, SettingsError, load, unknown
from decabilld.store.condition import condition
from decabilld.store.embedded import read_dsn
from decabilld.store.errors import DatabaseError
from decabilld.store.migrations import applied, newest
from decabilld.store.pool import Connection


@click.command()
@env_file_option
@json_option
def doctor(env_file: Path | None, *, as_json: bool) -> None:
    """Look at settings, machine, database, mail, Stripe, clouds, DNS and certificates: ok, or what to do.

    Changes nothing and sends no mail; whoever isn't configured isn't asked. Safe beside a running daemon; without one
    its own PostgreSQL is started for a moment. Exit 1 if anything is wrong.

    \b
    Example:
      decabilld doctor --env-file /etc/decabilld/decabilld.env
    """
    logs.configure("error", "text")
    try:
        settings = load(env_file=env_file)
    except SettingsError as error:
        findings = [wrong("settings", fault) for fault in str(error).split("; ")]
    else:
        findings = [*_misspelt(env_file), *asyncio.run(_examined(settings))]
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(findings), indent=2))
    else:
        for one in findings:
            mark = click.style("ok   ", fg="green") if one.ok else click.style("WRONG", fg="red", bold=True)
            click.echo(f"{mark}  {one.check:15} {one.says}")
    sys.exit(0 if all(one.ok for one in findings) else EXIT_FAULT)


async def _examined(settings: Settings) -> list[Finding]:
    async with session() as http:
        near, data, outside = await asyncio.gather(
            machine(settings, http), _database(settings), outsiders(settings, http)
        )
    return [*_settings(settings), *near, *data, *outside]


def _misspelt(env_file: Path | None) -> list[Finding]:
    others = unknown(env_file) if env_file else {}
    return [
        wrong("settings", f"{name} is no setting of decabilld: was {meant} meant?")
        for name, meant in others.items()
        if meant
    ]


def _settings(settings: Settings) -> list[Finding]:
    missing = policy_of(settings).issuer_missing
    findings = [
        wrong("settings", f"no invoice can be issued before these are set: {', '.join(missing)}")
        if missing
        else well("settings", "they can be used")
    ]
    if settings.production and (settings.stripe_secret_key or "").startswith(("sk_test_", "rk_test_")):
        findings.append(wrong("settings", "STRIPE_SECRET_KEY is a test key: in production nobody would really pay"))
    return findings


async def _database(settings: Settings) -> list[Finding]:
    try:
        if settings.external_dsn is None and not (settings.data_path / "postgres").exists():
            return [well("database", "there is none yet; the daemon makes its own at its first start")]
        return await with_database(settings, lambda connection: database(settings, connection))
    except (DatabaseError, OSError) as error:
        return [wrong("database", f"{error}; see DB_HOST and its kin, or DECABILLD_DATA_DIR")]


@click.command()
@env_file_option
@json_option
def version(env_file: Path | None, *, as_json: bool) -> None:
    """Say which versions these are: decabilld, Python, its schema, and the database's if it can be reached now.

    \b
    Example:
      decabilld version --json
    """
    logs.configure("error", "text")
    said: dict[str, Any] = {
        "version": installed("decabilld"),
        "python": platform.python_version(),
        "schema": newest(),
        "database": asyncio.run(_reached(env_file)),
    }
    if as_json:
        click.echo(json.dumps(said, indent=2))
        return
    found = said["database"]
    reached = f"PostgreSQL {found['postgresql']}, schema {found['schema']}" if found else "not reached"
    click.echo(f"decabilld {said['version']}, Python {said['python']}, schema {said['schema']}; database: {reached}")


async def _reached(env_file: Path | None) -> dict[str, str | None] | None:
    """Of the database, if one runs."""

    async def look(connection: Connection) -> dict[str, str | None]:
        has = await applied(connection)
        state = await condition(connection)
        return {"postgresql": state.version_text, "schema": has[max(has)][0] if has else None}

    try:
        settings = load(env_file=env_file)
        dsn = settings.external_dsn or read_dsn(settings.data_path)
        return None if dsn is None else await with_dsn(dsn, look)
    except (SettingsError, DatabaseError, OSError):
        return None
