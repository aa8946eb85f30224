"""Country codes, ISO 3166-1 and XK, and the English names that a letter's address is closed with.

The table is tzdata's copy of ISO 3166, in the public domain.
"""

from importlib import resources


def _read() -> dict[str, str]:
    table = resources.files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    return dict(line.split("\t", 1) for line in table.splitlines() if not line.startswith("#"))


NAMES = _read() | {"GB": "United Kingdom", "XK": "Kosovo"}
"""By upper-case alpha-2 code."""
