"""Commands that take the daemon's books to a file and back: backup, restore, and the same for one tenant."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from decabilld import keys, logs
from decabilld.backup.container import Damaged, Told, Writer
from decabilld.backup.making import UnknownTenant, make, total
from decabilld.backup.manifest import Manifest
from decabilld.backup.restoring import Archive, Unfit, Unsound
from decabilld.backup.restoring import import_tenant as put_tenant
from decabilld.backup.restoring import restore as put_all
from decabilld.backup.target import empty_database, left_empty
from decabilld.backup.whole_file import Taken, whole_file
from decabilld.cli_database import with_database, with_dsn
from decabilld.cli_options import EXIT_FAULT, env_file_option, json_option, with_settings
from decabilld.gateways.documents.storage import DocumentFiles
from decabilld.settings import Settings, SettingsError
from decabilld.store.errors import DatabaseError
from decabilld.store.pool import Connection
from decabilld.store.refill import NotEmpty

T = TypeVar("T")
file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
without_key_option = click.option(
    "--without-key", is_flag=True, help="Go on although the key is missing: what is sealed stays sealed."
)


@click.command()
@env_file_option
@file_argument
@json_option
def backup(env_file: Path | None, file: Path, *, as_json: bool) -> None:
    """Write everything into FILE: all tenants' rows as of one instant, and their documents.

    Safe beside a running daemon, which goes on as ever. FILE must not exist; it appears when it is whole. Settings and
    keys are not in it: keep ENCRYPTION_KEY elsewhere. Exit 1 if no backup was made.

    \b
    Example:
      decabilld backup /srv/backup/decabilld-$(date +%F).tar
    """
    _written(with_settings(env_file), file, None, as_json=as_json)


@click.command("export-tenant")
@env_file_option
@click.argument("tenant")
@file_argument
@json_option
def export_tenant(env_file: Path | None, tenant: str, file: Path, *, as_json: bool) -> None:
    """Write one tenant into FILE, for `import-tenant` elsewhere. As safe as `backup`; the tenant stays where it is.

    Exit 1 if there is no such tenant or no file was made.

    \b
    Example:
      decabilld export-tenant acme acme.tar
    """
    _written(with_settings(env_file), file, tenant, as_json=as_json)


@click.command()
@env_file_option
@file_argument
@click.option("--verify", is_flag=True, help="Restore only what is sound: journal, numbers, sums, row by row.")
@without_key_option
@json_option
def restore(env_file: Path | None, file: Path, *, verify: bool, without_key: bool, as_json: bool) -> None:
    """Fill an empty DECABILLD_DATA_DIR (or an empty DB_DATABASE) from a backup; stop the daemon first.

    Anything but an empty place is refused. The file's checksum is always verified before anything is touched. All of
    it is restored or nothing, and damage is named: the part of the file, the journal's entry, the invoice. Exit 1.

    \b
    Example:
      DECABILLD_DATA_DIR=/srv/drill decabilld restore backup.tar --verify
    """
    settings = with_settings(env_file)

    async def work(archive: Archive, told: Told) -> None:
        documents = settings.documents_path
        async with empty_database(settings) as dsn:
            with left_empty(documents):
                await with_dsn(dsn, lambda it: put_all(it, archive, DocumentFiles(documents), told, verify=verify))

    _read(settings, file, work, verified=verify, without_key=without_key, as_json=as_json)


@click.command("import-tenant")
@env_file_option
@file_argument
@without_key_option
@json_option
def import_tenant(env_file: Path | None, file: Path, *, without_key: bool, as_json: bool) -> None:
    """Add the tenant in FILE to this database, beside a running daemon or without one; it is always verified first.

    A tenant of whom there is any row or document is refused. Afterwards name it in TENANTS and restart the daemon.
    What is sealed stays so: give the key of where it comes from as ENCRYPTION_KEY_PREVIOUS, then `decabilld
    rotate-key`. Exit 1 if nothing was imported.

    \b
    Example:
      decabilld import-tenant acme.tar
    """
    settings = with_settings(env_file)

    async def work(archive: Archive, told: Told) -> None:
        documents = DocumentFiles(settings.documents_path)
        with left_empty(documents.directory_of(archive.manifest.tenant or "")):
            await with_database(settings, lambda it: put_tenant(it, archive, documents, told))

    _read(settings, file, work, verified=True, without_key=without_key, as_json=as_json)


def _written(settings: Settings, file: Path, tenant_id: str | None, *, as_json: bool) -> None:
    async def work(connection: Connection) -> tuple[Manifest, str]:
        rows = await total(connection, tenant_id)
        with whole_file(file) as part, _progress("Writing", rows, shown=not as_json) as told:
            writer = Writer(part)
            made = await make(connection, writer, DocumentFiles(settings.documents_path), told, tenant_id)
            return made, writer.sha256

    manifest, sha256 = _done(lambda: with_database(settings, work), as_json=as_json)
    _say(manifest, sha256, file, "written to", as_json=as_json)


def _read(
    settings: Settings,
    file: Path,
    work: Callable[[Archive, Told], Awaitable[None]],
    *,
    verified: bool,
    without_key: bool,
    as_json: bool,
) -> None:
    async def run() -> Archive:
        size = file.stat().st_size  # noqa: ASYNC240 - nothing else runs on this loop
        with _progress("Checking", size, shown=not as_json) as told:
            archive = Archive.opened(file, told)
        _check_keys(settings, archive.manifest, without_key=without_key)
        steps = archive.manifest.rows * (2 if verified else 1)
        with _progress("Restoring", steps, shown=not as_json) as told:
            await work(archive, told)
        return archive

    archive = _done(run, as_json=as_json)
    verb = "restored and verified from" if verified else "restored from"
    _say(archive.manifest, archive.sha256, file, verb, as_json=as_json)


def _check_keys(settings: Settings, manifest: Manifest, *, without_key: bool) -> None:
    missing = ", ".join(sorted(set(manifest.sealed_under) - keys.key_ids(settings)))
    if not missing:
        return
    if not without_key:
        raise Unfit(
            f"secrets in it are sealed under key {missing}, which is not here: set ENCRYPTION_KEY (or copy the file "
            f"{keys.KEPT_KEY} into the data directory); --without-key goes on without them"
        )
    click.echo(f"decabilld: secrets sealed under key {missing} can't be opened", err=True)


def _done(run: Callable[[], Awaitable[T]], *, as_json: bool) -> T:
    """The result of `run`, or an exit that says what is wrong."""

    async def awaited() -> T:
        return await run()

    logs.configure("error", "text")
    try:
        return asyncio.run(awaited())
    except Unsound as unsound:
        faults = unsound.faults
    except Damaged as damaged:
        faults = [f"the file is damaged: {damaged}"]
    except (DatabaseError, NotEmpty, Unfit, UnknownTenant, Taken, SettingsError, OSError) as error:
        faults = [str(error)]
    if as_json:
        click.echo(json.dumps({"faults": faults}, indent=2))
    else:
        click.echo("\n".join(f"decabilld: {fault}" for fault in faults), err=True)
    sys.exit(EXIT_FAULT)


def _say(manifest: Manifest, sha256: str, file: Path, verb: str, *, as_json: bool) -> None:
    done: dict[str, Any] = {
        "file": str(file),
        "bytes": file.stat().st_size,
        "sha256": sha256,
        "madeAt": manifest.made_at.isoformat(),
        "tenants": manifest.tenants,
        "rows": manifest.rows,
        "documents": manifest.documents,
        "documentsMissing": manifest.documents_missing,
        "sealedUnder": list(manifest.sealed_under),
        "faults": [],
    }
    if as_json:
        click.echo(json.dumps(done, indent=2))
        return
    tenants = ", ".join(manifest.tenants) or "no tenant"
    click.echo(
        f"{manifest.rows:,} rows and {manifest.documents:,} documents of {tenants} {verb} {file} "
        f"({done['bytes']:,} bytes, SHA-256 {sha256})."
    )
    if manifest.documents_missing:
        click.echo(f"{manifest.documents_missing:,} documents were not on the disk; they are made when asked for.")


@contextlib.contextmanager
def _progress(label: str, length: int, *, shown: bool) -> Iterator[Told]:
    """Shown where somebody watches."""
    if not (shown and sys.stderr.isatty()):
        yield lambda _: None
        return
    with click.progressbar(length=length, label=f"{label:9}", show_eta=False, file=sys.stderr) as bar:
        yield bar.update
