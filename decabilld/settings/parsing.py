"""What a setting's value may be: from the text of a variable to what it means.

Each parser raises ValueError with the end of the sentence "NAME must be ...". Knows no variable; those are
`settings`'s.
"""

import base64
import contextlib
import re
from collections.abc import Callable
from datetime import time
from decimal import Decimal, InvalidOperation
from email.utils import parseaddr
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from zoneinfo import ZoneInfo

from decabilld.domain.money import check_currency
from decabilld.domain.refusals import Invalid

KEY_BYTES = 32
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def text(value: str) -> str:
    return value


def flag(value: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if value.lower() not in words:
        raise ValueError("true or false")
    return words[value.lower()]


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"\d{1,18}", value) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return parse


def decimal(high: int) -> Callable[[str], Decimal]:
    def parse(value: str) -> Decimal:
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or not 0 <= number <= high:
            raise ValueError(f"a decimal number from 0 to {high}, such as 19 or 8.1")
        return number

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"one of: {', '.join(words)}")
        return value

    return parse


def zone(value: str) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (OSError, ValueError, LookupError):
        raise ValueError("an IANA time zone such as Europe/Berlin") from None


def clock_time(value: str) -> time:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError("a time of day HH:MM")
    return time.fromisoformat(value)


def currency(value: str) -> str:
    try:
        check_currency(value)
    except Invalid:
        raise ValueError("an ISO 4217 currency code such as EUR") from None
    return value


def country(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise ValueError("a two-letter country code such as DE")
    return value.upper()


def tenants(value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    if not names or not all(_TENANT.fullmatch(name) for name in names):
        raise ValueError("names of letters, digits, '.', '_' and '-', separated by commas")
    return names


def smtp_security(value: str) -> str:
    known = {"true": "tls", "false": "auto", "tls": "tls", "starttls": "starttls", "auto": "auto", "none": "none"}
    if value.lower() not in known:
        raise ValueError("tls, starttls, auto or none")
    return known[value.lower()]


def mailbox(value: str) -> str:
    if not value.isprintable() or not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", parseaddr(value)[1]):
        raise ValueError("an address such as billing@example.com or Example <billing@example.com>")
    return value


def namespace(value: str) -> str:
    return "/" + value.strip("/")


def several(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())


def networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(item) for item in several(value))
    except ValueError:
        raise ValueError("addresses or CIDR networks such as 10.0.0.0/8, separated by commas") from None


def origins(value: str) -> tuple[str, ...]:
    origins = several(value)
    if not all(origin == "*" or re.fullmatch(r"https?://[^/\s?#@]+/?", origin) for origin in origins):
        raise ValueError("origins such as https://app.example.org, separated by commas, or *")
    return origins


def address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s?#@/]+[^\s?#]*", value):
        raise ValueError("an address such as https://billing.example.org")
    return value.rstrip("/")


def encryption_key(value: str) -> str:
    key_bytes(value)
    return value


def key_bytes(value: str) -> bytes:
    """What the text of an encryption key stands for."""
    for decode in (bytes.fromhex, partial(base64.b64decode, validate=True)):
        with contextlib.suppress(ValueError):
            if len(key := decode(value)) == KEY_BYTES:
                return key
    raise ValueError(f"{KEY_BYTES} bytes, as 64 hex digits or base64")


def domain(value: str) -> str:
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    if len(value) > 200 or not re.fullmatch(rf"({label}\.)+{label}", value.lower()):
        raise ValueError("a domain such as cloud.example.org")
    return value.lower()
