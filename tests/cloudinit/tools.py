"""Programs that judge what we write: cloud-init itself, a shell, shellcheck, nginx. Where they come from.

On CI, where we are root, missing ones are installed from Debian, once. Elsewhere their tests are skipped, with words.
"""

import functools
import os
import shutil
import subprocess

import pytest

PACKAGES = {"cloud-init": "cloud-init", "shellcheck": "shellcheck", "nginx": "nginx-light"}
PATH = os.environ["PATH"] + os.pathsep + "/usr/sbin"


def found(name: str) -> str:
    """The program's path; installed if that is possible; else the test is skipped, or fails where CI is set."""
    path = shutil.which(name, path=PATH) or (_install() and shutil.which(name, path=PATH))
    if path:
        return path
    message = f"{name} is not installed (Debian's package {PACKAGES[name]})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@functools.cache
def _install() -> bool:
    if not os.environ.get("CI") or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    lock = ["-q", "-o", "DPkg::Lock::Timeout=60"]
    subprocess.run(["apt-get", *lock, "update"], env=quiet, timeout=120, check=False)
    install = ["apt-get", *lock, "install", "--yes", "--no-install-recommends", *PACKAGES.values()]
    return subprocess.run(install, env=quiet, timeout=300, check=False).returncode == 0
