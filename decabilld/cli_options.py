"""What the commands of the command line share: options, exit codes, and reading the settings."""

import sys
from pathlib import Path

import click

from decabilld.settings import Settings, SettingsError, load

EXIT_FAULT = 1
EXIT_SETTINGS = 2

env_file_option = click.option(
    "--env-file",
    envvar="DECABILLD_ENV_FILE",
    show_envvar=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of NAME=value lines; the environment comes first.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


def with_settings(env_file: Path | None) -> Settings:
    """The settings, or an exit with what is wrong with them."""
    try:
        return load(env_file=env_file)
    except SettingsError as error:
        click.echo(f"decabilld: {error}", err=True)
        sys.exit(EXIT_SETTINGS)
