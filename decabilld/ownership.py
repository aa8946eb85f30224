"""The data directory and whose it is: what root makes in another's becomes that one's.

The service, which isn't root, must get at it again.
"""

import os
from pathlib import Path


def make_home(directory: Path) -> None:
    """The data directory, if it isn't there. Raises OSError that names the setting.

    Others may pass, not look: as root, the database's unprivileged user must reach its own part of it.
    """
    try:
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"DECABILLD_DATA_DIR={directory} can't be made a directory: {error.strerror}") from None


def hand_over(path: Path) -> None:
    """As root, give what lies at `path` to the owner of the directory that it is in. Raises OSError."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
