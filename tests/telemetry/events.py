"""Every event that the code logs, read from the code itself."""

import ast
from pathlib import Path

import decabilld

_LEVEL_OF = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error",
             "critical": "critical"}  # fmt: skip
LEVELS = ("debug", "info", "warning", "error", "critical")


class Event:
    """Levels that it is logged with, and the fields that it has besides those of every line."""

    def __init__(self) -> None:
        self.levels: set[str] = set()
        self.fields: set[str] = set()

    @property
    def row(self) -> tuple[str, str]:
        """As two cells of the page."""
        levels = " or ".join(sorted(self.levels, key=LEVELS.index))
        return levels, ", ".join(sorted(self.fields))


def logged_events() -> dict[str, Event]:
    """By name. Raises AssertionError for a call whose event is no plain text."""
    found: dict[str, Event] = {}
    for path in sorted(Path(decabilld.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            aliases = _aliases(function)
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                if levels := _levels(call.func, aliases):
                    name = call.args[0] if call.args else None
                    assert isinstance(name, ast.Constant), f"{path}:{call.lineno}: the event must be a plain text"
                    event = found.setdefault(str(name.value), Event())
                    event.levels |= {_LEVEL_OF[level] for level in levels}
                    event.fields |= _fields(call, levels)
    return found


def _levels(function: ast.expr, aliases: dict[str, set[str]]) -> set[str]:
    """With which levels a call logs; none if it doesn't."""
    if isinstance(function, ast.Name):
        return aliases.get(function.id, set())
    is_logger = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)
    if is_logger and function.value.id in ("_log", "log") and function.attr in _LEVEL_OF:  # type: ignore[union-attr, attr-defined]
        return {function.attr}  # type: ignore[union-attr, attr-defined]
    return set()


def _aliases(function: ast.AST) -> dict[str, set[str]]:
    """`log = _log.debug if … else _log.warning`."""
    found = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = _levels(node.value.body, {}) | _levels(node.value.orelse, {})
    return found


def _fields(call: ast.Call, levels: set[str]) -> set[str]:
    names = {keyword.arg or "…" for keyword in call.keywords}
    return names - {"exc_info"} | ({"exception"} if "exc_info" in names or "exception" in levels else set())
