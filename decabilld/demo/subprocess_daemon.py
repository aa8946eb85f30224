"""A daemon as a child process in a directory of its own, gone with all it had when the demo is over."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from decabilld.demo.api import Fault

START_SECONDS = 60.0
STOP_SECONDS = 15.0
COMMAND_SECONDS = 60.0
# The rest of the environment is the operator's: their database and keys are none of the demo's business.
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR")
_COMMAND = (sys.executable, "-P", "-m", "decabilld.cli")
_GREETING = re.compile(r"decabilld listens on http://([^/\s]+)/api")


class RunningDaemon:
    """`address` is host and port of its HTTP API, `environment` what its commands run in."""

    def __init__(self, address: str, environment: Mapping[str, str]) -> None:
        self.address, self.environment = address, environment

    def command(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of one of the daemon's commands, run beside it."""
        done = subprocess.run(  # noqa: S603
            [*_COMMAND, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout.strip()


@contextmanager
def running_daemon(settings: Mapping[str, str]) -> Iterator[RunningDaemon]:
    """Start one on free ports and a database of its own; stop it and remove everything at the end, however it comes.

    Raises Fault with the end of its log when it doesn't start.
    """
    home = Path(tempfile.mkdtemp(prefix="decabilld-demo-"))
    environment = {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "DECABILLD_DATA_DIR": str(home / "var"),
        "HOST": "127.0.0.1",
        "PORT": "0",
        "WEBSOCKET_PORT": "0",
        "LOG_LEVEL": "warning",
        **settings,
    }
    try:
        home.chmod(0o711)  # as root the database runs as another user, who must get through
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                [*_COMMAND, "serve"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is the demo's to handle
            )
        try:
            yield RunningDaemon(_address(process, home / "log"), environment)
        finally:
            _stop(process)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """What the greeting says, once it is there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        said = log.read_text(errors="replace")
        if (greeting := _GREETING.search(said)) is not None:
            return greeting[1]
        if ended:
            raise Fault(f"the daemon did not start:\n{said[-2000:]}")
        time.sleep(0.05)
    raise Fault(f"the daemon is not up after {START_SECONDS:g} s; its log ends:\n{said[-2000:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
