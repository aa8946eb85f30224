"""The env file that an operator begins with: every variable with its meaning and default, none of them set.

Owns the file's form only; what stands in it is what the settings declare.
"""

import dataclasses
import inspect
import textwrap
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from decabilld.settings import Settings, variables

WIDTH = 118
HEAD = """\
Settings of decabilld: NAME=value. What is commented out is the default; take the # away to set it.
A secret (so marked) may lie in a file of its own instead: named by NAME_FILE, or given by systemd's LoadCredential
(/etc/credstore/decabilld.NAME).
Marked `live`: taken over by `systemctl reload decabilld` (SIGHUP); the others want a restart.
"""


def example() -> str:
    """The whole file."""
    declared = {variable["field"]: variable for variable in variables()}
    blocks = [_comment(HEAD)]
    for group in reversed(Settings.__mro__):
        names = [field for field in getattr(group, "__annotations__", {}) if field in declared]
        if not names or not dataclasses.is_dataclass(group):
            continue
        blocks.append(_comment(f"--- {_heading(group)} ---"))
        blocks += [_variable(declared[name]) for name in names]
    return "\n".join(blocks)


def written(default: Any) -> str:
    """A default as one writes it in the file; nothing for one that is no value."""
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case time():
            return default.strftime("%H:%M")
        case ZoneInfo():
            return default.key
        case tuple():
            return ",".join(str(item) for item in default)
        case _:
            return str(default)


def _variable(variable: dict[str, Any]) -> str:
    marks = [word for word, holds in (("secret", variable["secret"]), ("live", variable["live"])) if holds]
    mark = f" ({', '.join(marks)})" if marks else ""
    return f"{_comment(variable['meaning'] + mark)}#{variable['name']}={written(variable['default'])}\n"


def _heading(group: type) -> str:
    """The first sentence of the module that declares these."""
    module = inspect.getmodule(group)
    return " ".join((module.__doc__ or "").split("\n\n")[0].split()).rstrip(".") if module else ""


def _comment(text: str) -> str:
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, WIDTH - 2)]
    return "".join(f"# {line}\n" for line in lines)
