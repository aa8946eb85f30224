"""Structured logs: one line per event, JSON or coloured text, on standard output.

Owns the form of every line, also of those that libraries, warnings and uncaught failures would write in theirs. Which
events there are is told in docs/logs.md.
"""

import logging
import sys
import threading
import types
from collections.abc import MutableMapping
from typing import Any

import structlog

LIBRARY_EVENT = "library_message"
"""The event of a line that a library wrote: what it says is in `message`, its name in `logger`."""
# Without the values of variables: they are passwords, tokens, and what customers told us.
_tracebacks = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
_log = structlog.get_logger("logs")


def configure(level: str, style: str) -> None:
    """Set up structlog, and let everything else speak through it. `style`: auto, json or text."""
    colours = sys.stdout.isatty()
    text = style == "text" or (style == "auto" and colours)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    tail: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)]
        if text
        else [_tracebacks, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, _of_library],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))
    logging.captureWarnings(True)
    sys.excepthook, threading.excepthook, sys.unraisablehook = _on_crash, _on_thread_crash, _on_unraisable


def announce(text: str) -> None:
    """Say something to whoever started us, whatever the level: a plain line, or as the event `serving`."""
    if isinstance(structlog.get_config()["processors"][-1], structlog.processors.JSONRenderer):
        log = structlog.wrap_logger(
            structlog.PrintLogger(sys.stdout), wrapper_class=structlog.make_filtering_bound_logger(logging.INFO)
        )
        log.info("serving", message=text)
    else:
        print(text, flush=True)  # noqa: T201 (said, not logged)


def _of_library(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {**event, "event": LIBRARY_EVENT, "message": event["event"]}


def _on_crash(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
    _log.critical("crashed", exc_info=(kind, error, trace))


def _on_thread_crash(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread is not None else None
    _log.error("thread_failed", thread=name, exc_info=args.exc_value)


def _on_unraisable(args: "sys.UnraisableHookArgs") -> None:
    _log.error("failure_unheard", where=str(args.err_msg or args.object), exc_info=args.exc_value)
