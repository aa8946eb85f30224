"""The daemon as a process: its signals, the sockets that it is handed, and what the service manager hears of it.

Owns nothing of what runs in it; that is `daemon.py`'s.
"""

import asyncio
import gc
import signal
from collections.abc import Callable

import structlog
import uvloop

from decabilld import logs
from decabilld.cli_options import EXIT_FAULT, EXIT_SETTINGS
from decabilld.control.socket_file import ControlSocketTaken
from decabilld.daemon import Daemon
from decabilld.notify import Notifier
from decabilld.settings import Settings, SettingsError
from decabilld.sites import BadSocket, Sites, handed_over
from decabilld.store.errors import DatabaseError

COLLECT_AFTER = 20_000
"""New objects until the collector looks for cycles, of which we make few. With Python's 700 a list of servers alone
made it look at everything again and again: with 2,000 sockets open that stopped the loop for 100 ms and more."""
_log = structlog.get_logger("process")


def run(settings: Settings, reread: Callable[[], Settings]) -> int:
    """Run until SIGTERM or SIGINT, or until others have taken over every tenant; the exit code.

    `reread` gives the settings anew, for SIGHUP. Raises SettingsError.
    """
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
    return uvloop.run(_run(settings, reread))


async def _run(settings: Settings, reread: Callable[[], Settings]) -> int:
    notifier = Notifier()
    stop = asyncio.Event()
    try:
        daemon = Daemon(settings, sites=Sites(handed_over()))
        _stop_on_signals(daemon, stop)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, daemon, reread, notifier)
        async with notifier.starting(daemon.status):
            await daemon.start()
        # What is loaded stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
    except (DatabaseError, ControlSocketTaken, SettingsError, BadSocket, OSError) as error:
        _log.error("start_failed", reason=str(error))
        return EXIT_SETTINGS if isinstance(error, SettingsError) else EXIT_FAULT
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        return 0

    def beat() -> None:
        notifier.tell(WATCHDOG="1", STATUS=daemon.status())
        if daemon.tenants.all_fenced:
            _log.error("superseded", reason="other processes own every tenant now")
            stop.set()

    daemon.timetable.beat(notifier.every_seconds, beat)
    notifier.tell(READY="1", STATUS=daemon.status())
    logs.announce(greeting(daemon))
    await stop.wait()
    notifier.tell(STOPPING="1", STATUS="stopping")
    await daemon.stop()
    return 0


def _reload(daemon: Daemon, reread: Callable[[], Settings], notifier: Notifier) -> None:
    """Take over what can change live. Settings that can't be used change nothing."""
    if daemon.phase != "running":
        _log.warning("reload_refused", reason=daemon.phase)
        return
    notifier.reloading()
    try:
        daemon.live.take(reread())
    except SettingsError as error:
        _log.error("reload_refused", reason=str(error))
    notifier.tell(READY="1", STATUS=daemon.status())


def _stop_on_signals(daemon: Daemon, stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop`; a start that is under way is broken off."""
    main = asyncio.current_task()
    assert main is not None

    def ask() -> None:
        if not stop.is_set() and daemon.phase != "running":
            main.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ask)


def greeting(daemon: Daemon) -> str:
    """The one line that says where the daemon listens, and how the first admin registers."""
    settings = daemon.settings
    api = f"http://{settings.host}:{daemon.http_port}/api"
    line = f"decabilld listens on {api} (Socket.IO on port {daemon.websocket_port})."
    if not daemon.first_run or settings.authentication != "users" or settings.disable_signup:
        return line
    body = '{"email": "you@example.com", "password": "..."}'
    return f"{line} The first to register is the admin: curl {api}/auth/register --json '{body}'"
