"""What root makes in somebody's directory becomes that one's: the service, which isn't root, must get at it again."""

import os
from pathlib import Path


def hand_over(path: Path) -> None:
    """As root, give what lies at `path` to the owner of the directory that it is in. Raises OSError."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
