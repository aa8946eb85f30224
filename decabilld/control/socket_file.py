"""Where the control socket lies, and who is behind it: the file's mode lets in nobody but the daemon's own user."""

import hashlib
import os
import socket
import stat
from pathlib import Path

SOCKET_PATH_BYTES = 107  # sun_path of unix(7), less the final zero
BACKLOG = 16
_SHORT = "decabilld-control-"


class ControlSocketTaken(Exception):
    """Another daemon answers there, or the place isn't ours."""


def control_path(data_dir: Path) -> Path:
    """`control.sock` in the data directory; a deep one leaves no room for it, then in a short one named after it."""
    home = data_dir.resolve()
    near = home / "control.sock"
    if len(os.fsencode(near)) <= SOCKET_PATH_BYTES:
        return near
    name = _SHORT + hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path("/run" if os.geteuid() == 0 else "/tmp") / name / "control.sock"  # noqa: S108 (checked when opened)


def is_answered(path: Path) -> bool:
    """Whether a daemon listens. Raises ControlSocketTaken for a user whom it doesn't let in."""
    with socket.socket(socket.AF_UNIX) as knock:
        knock.settimeout(5)
        try:
            knock.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except PermissionError:
            raise ControlSocketTaken(f"{path} is for the daemon's own user only; run this as that user") from None
        return True


def opened(path: Path) -> socket.socket:
    """A listening socket at `path`, in place of one that a killed daemon left. Raises ControlSocketTaken, OSError."""
    if path.parent.name.startswith(_SHORT):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.parent.lstat().st_uid != os.geteuid() or path.parent.is_symlink():
            raise ControlSocketTaken(f"{path.parent} is not ours; remove it")
    if path.is_symlink() or (path.exists() and not stat.S_ISSOCK(path.lstat().st_mode)):
        raise ControlSocketTaken(f"{path} is no socket; remove it")
    if is_answered(path):
        raise ControlSocketTaken(f"another decabilld answers at {path}; each needs a DECABILLD_DATA_DIR of its own")
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    try:
        # Linux gives the file the mode of the socket: it is never open to others, not even for a moment.
        os.fchmod(listening.fileno(), 0o600)
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


def closed(path: Path, data_dir: Path) -> None:
    """Leave no name behind; who is connected stays so."""
    path.unlink(missing_ok=True)
    if path.parent != data_dir.resolve():
        path.parent.rmdir()


def checked(path: Path) -> Path:
    """The path, if the socket is our own user's. Raises ControlSocketTaken.

    A password goes through it, and in a shared directory anybody could have been there first.
    """
    if path.lstat().st_uid != os.geteuid() and os.geteuid() != 0:
        raise ControlSocketTaken(f"{path} belongs to another user")
    return path
