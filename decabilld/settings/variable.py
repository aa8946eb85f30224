"""How a setting is declared: the variable it is read from, what it means, what it may be."""

import dataclasses
from collections.abc import Callable
from typing import Any

from decabilld.settings import parsing

HOUR_MS = 3_600_000


def variable(
    name: str,
    default: Any,
    meaning: str,
    parse: Callable[[str], Any] = parsing.text,
    *,
    secret: bool = False,
    live: bool = False,
) -> Any:
    """A field read from the environment variable `name`; a secret one from a file as well.

    One that is `live` can change while the daemon runs.
    """
    return dataclasses.field(
        default=default, metadata={"name": name, "meaning": meaning, "parse": parse, "secret": secret, "live": live}
    )
