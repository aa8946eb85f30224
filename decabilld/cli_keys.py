"""The command that changes the encryption key of a stopped daemon; see docs/secrets.md."""

import asyncio
import json
import sys
from pathlib import Path

import click
import msgspec

from decabilld import keys, logs
from decabilld.cli_options import EXIT_FAULT, EXIT_SETTINGS, env_file_option, json_option, with_settings
from decabilld.control.socket_file import ControlSocketTaken, control_path, is_answered
from decabilld.offline import stopped_database
from decabilld.settings import Settings, SettingsError
from decabilld.store.errors import DatabaseError, PostgresFailed
from decabilld.store.pool import connect
from decabilld.store.sealed import Resealed, reseal


@click.command("rotate-key")
@env_file_option
@json_option
def rotate_key(env_file: Path | None, *, as_json: bool) -> None:
    """Seal every secret in the database under a new key. Stop the daemon first.

    With ENCRYPTION_KEY set, that is the new key and ENCRYPTION_KEY_PREVIOUS the old one. Without, the key that is kept
    in the data directory is replaced by a fresh one. Interrupted, run it again. Exit 1 if a secret couldn't be opened;
    then keep the old key.

    \b
    Example:
      ENCRYPTION_KEY=$NEW ENCRYPTION_KEY_PREVIOUS=$OLD decabilld rotate-key
    """
    settings = with_settings(env_file)
    if settings.encryption_key is not None and settings.encryption_key_previous is None:
        click.echo(
            "decabilld: ENCRYPTION_KEY_PREVIOUS must be set to the key so far, ENCRYPTION_KEY to the new", err=True
        )
        sys.exit(EXIT_SETTINGS)
    logs.configure("error", "text")
    try:
        if is_answered(control_path(settings.data_path)):
            raise PostgresFailed("the daemon runs and goes on to seal under its key; stop it first")
        done = asyncio.run(_rotate(settings, shown=not as_json and sys.stderr.isatty()))
    except (SettingsError, ControlSocketTaken, DatabaseError, OSError) as error:
        click.echo(f"decabilld: {error}", err=True)
        sys.exit(EXIT_FAULT)
    if as_json:
        click.echo(json.dumps({**msgspec.to_builtins(done), "keyId": keys.keyring(settings).key_id}))
    else:
        click.echo(
            f"{done.resealed} sealed anew, {done.current} under the new key already, {done.unopened} not opened."
        )
    sys.exit(EXIT_FAULT if done.unopened else 0)


async def _rotate(settings: Settings, *, shown: bool) -> Resealed:
    home = settings.data_path
    if settings.external_dsn is None and not (home / "postgres").exists():
        raise PostgresFailed(f"there is no database in {home}; DECABILLD_DATA_DIR or DB_HOST says where it is")
    async with stopped_database(settings) as dsn:
        if settings.encryption_key is None:
            keys.begin_rotation(settings)
        done = Resealed()
        connection = await connect(dsn, statement_timeout_ms=60_000)
        try:
            async for done in reseal(connection, keys.keyring(settings)):
                if shown:
                    click.echo(f"\r{done.resealed} sealed anew", err=True, nl=False)
        finally:
            await connection.close()
        if shown and done != Resealed():
            click.echo(err=True)
        if settings.encryption_key is None and not done.unopened:
            keys.end_rotation(settings)
        return done
