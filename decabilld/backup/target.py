"""Empty places that a restore may fill, and that are left as they were found when it fails."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from decabilld.keys import KEPT_KEY, KEPT_PREVIOUS_KEY
from decabilld.ownership import make_home
from decabilld.settings import Settings
from decabilld.store.embedded import EmbeddedPostgres
from decabilld.store.errors import HomeInUse
from decabilld.store.refill import NotEmpty

CONNECTIONS = 10
_MAY_BE_THERE = frozenset({KEPT_KEY, KEPT_PREVIOUS_KEY, "jwt_secret", "lost+found"})
"""An operator brings the keys first: a backup doesn't hold them."""


@asynccontextmanager
async def empty_database(settings: Settings) -> AsyncIterator[str]:
    """DSN of the operator's database, or of one of our own made in an empty data directory.

    Raises NotEmpty (of the operator's it isn't known here), PostgresFailed, OSError.
    """
    if settings.external_dsn is not None:
        yield settings.external_dsn
        return
    home = settings.data_path
    with left_empty(home, may_be_there=_MAY_BE_THERE, unless=HomeInUse):
        make_home(home)
        postgres = EmbeddedPostgres(home, max_connections=CONNECTIONS)
        await postgres.start()
        try:
            yield postgres.dsn
        finally:
            await postgres.stop()


@contextmanager
def left_empty(
    directory: Path,
    *,
    may_be_there: frozenset[str] = frozenset(),
    unless: type[BaseException] | tuple[()] = (),
) -> Iterator[None]:
    """Fill the directory in the block: if it raises, all but `may_be_there` is removed again.

    Raises NotEmpty, OSError. `unless` is what says that somebody else fills it.
    """
    existed = directory.exists()
    found = sorted(entry.name for entry in directory.iterdir() if entry.name not in may_be_there) if existed else []
    if found:
        raise NotEmpty(f"{directory} is not empty: it holds {', '.join(found[:5])}")
    try:
        yield
    except unless:
        raise
    except BaseException:
        for entry in directory.iterdir() if directory.exists() else ():
            if entry.name in may_be_there:
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        if not existed and directory.exists():
            directory.rmdir()
        raise
