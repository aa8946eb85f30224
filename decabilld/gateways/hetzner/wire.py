"""Hetzner Cloud's answers as its API (v1) documents them, as far as we read them, and what they mean to us.

Owns the reading of bodies and errors; asks nothing. Older forms of what has moved are understood as well: a server's
location in its `datacenter`, a type's deprecation beside its locations.
"""

from decimal import Decimal
from typing import Any, TypeVar

from msgspec import Struct

from decabilld.actors.provider import CapacityGone, ProviderAway, ProviderRefused, Server, ServerStatus, ServerType
from decabilld.domain.entities import Id
from decabilld.gateways.rest import ErrorAnswer, NotThere, read_as

LABEL = "decabilld-item"

_STATUSES: dict[str, ServerStatus] = {
    "initializing": "starting",
    "starting": "starting",
    "rebuilding": "starting",
    "running": "running",
    "stopping": "stopping",
    "off": "stopped",
    "deleting": "deleting",
}
_NO_ROOM = ("resource_unavailable", "placement_error")
_LATER = ("rate_limit_exceeded", "locked", "conflict", "maintenance", "timeout", "bad_gateway", "unavailable")
_MAX_MESSAGE = 200
_Answer = TypeVar("_Answer", bound=Struct)


class ProjectFull(CapacityGone):
    """`resource_limit_exceeded`: the project may have no more servers."""


class NameTaken(ProviderRefused):
    """`uniqueness_error`: a name or a key that the project has already."""


class Named(Struct, frozen=True):
    name: str | None = None
    description: str | None = None


class Datacenter(Struct, frozen=True):
    location: Named = Named()


class Address(Struct, frozen=True):
    ip: str | None = None


class PublicNet(Struct, frozen=True):
    ipv4: Address | None = None


class Hardware(Struct, frozen=True):
    name: str | None = None
    cores: int | None = None
    memory: Decimal | None = None
    disk: Decimal | None = None


class HetznerServer(Struct, frozen=True):
    id: int
    name: str
    status: str
    created: str = ""
    labels: dict[str, str] = {}
    public_net: PublicNet | None = None
    private_net: tuple[Address, ...] = ()
    server_type: Hardware | None = None
    location: Named | None = None
    datacenter: Datacenter | None = None
    image: Named | None = None


class Amount(Struct, frozen=True):
    net: Decimal


class LocationPrice(Struct, frozen=True):
    """Net, in EUR."""

    location: str
    price_hourly: Amount
    price_monthly: Amount


class TypeLocation(Struct, frozen=True):
    """Whether a type may be ordered there; an answer of before 2025-09-24 lacks this."""

    name: str
    available: bool = True
    deprecation: Any = None


class HetznerType(Struct, frozen=True):
    """Memory and disk in GB."""

    name: str
    cores: int
    memory: Decimal
    disk: Decimal
    description: str = ""
    architecture: str = ""
    cpu_type: str = ""
    prices: tuple[LocationPrice, ...] = ()
    locations: tuple[TypeLocation, ...] | None = None
    deprecation: Any = None


class Pagination(Struct, frozen=True):
    next_page: int | None = None
    total_entries: int | None = None


class Meta(Struct, frozen=True):
    pagination: Pagination = Pagination()


class Page(Struct, frozen=True, kw_only=True):
    meta: Meta = Meta()


class Servers(Page, frozen=True, kw_only=True):
    servers: tuple[HetznerServer, ...]


class Types(Page, frozen=True, kw_only=True):
    server_types: tuple[HetznerType, ...]


class Key(Struct, frozen=True):
    id: int
    public_key: str = ""


class Keys(Page, frozen=True, kw_only=True):
    ssh_keys: tuple[Key, ...]


class OneServer(Struct, frozen=True):
    server: HetznerServer


class OneKey(Struct, frozen=True):
    ssh_key: Key


def read(body: Any, kind: type[_Answer]) -> _Answer:
    """Raises ProviderAway for an answer that is unlike what is documented."""
    return read_as(kind, body, "Hetzner")


def read_error(answer: ErrorAnswer) -> Exception:
    """By the code in `{"error": {code, message}}`, and by status where a code is new to us."""
    code, message = answer.text("error", "code"), answer.text("error", "message")[:_MAX_MESSAGE]
    said = f"Hetzner: {message or 'no reason given'} ({code or f'status {answer.status}'})"
    if code in _NO_ROOM or (code == "invalid_input" and "unsupported location" in message):
        return CapacityGone(said)
    if code == "resource_limit_exceeded":
        return ProjectFull(said)
    if code == "uniqueness_error":
        return NameTaken(said)
    if code in _LATER or answer.status >= 500 or answer.status in (408, 409, 423, 429):
        return ProviderAway(said)
    return NotThere(said) if answer.status == 404 else ProviderRefused(said)


def server(told: HetznerServer) -> Server:
    hardware = told.server_type or Hardware()
    location = told.location or (told.datacenter or Datacenter()).location
    return Server(
        id=str(told.id),
        item_id=told.labels.get(LABEL),
        name=told.name,
        status=_STATUSES.get(told.status, "unknown"),
        public_ip=told.public_net.ipv4.ip if told.public_net and told.public_net.ipv4 else None,
        private_ip=told.private_net[0].ip if told.private_net else None,
        server_type=hardware.name,
        region=location.name,
        created_at=told.created,
        metadata={
            "provider": "hetzner",
            "providerStatus": told.status,
            "serverType": hardware.name,
            "region": location.name,
            "regionName": location.description,
            "image": told.image and (told.image.name or told.image.description),
            "cores": hardware.cores,
            "memoryMb": None if hardware.memory is None else int(hardware.memory * 1024),
            "diskGb": None if hardware.disk is None else int(hardware.disk),
        },
    )


def server_type(told: HetznerType) -> ServerType:
    """The price is the highest of the places where it may be ordered, so that none is sold below its cost."""
    if told.locations is None:
        deprecated, regions = told.deprecation is not None, tuple(price.location for price in told.prices)
    else:
        current = [place for place in told.locations if place.deprecation is None]
        deprecated = told.deprecation is not None or (bool(told.locations) and not current)
        regions = tuple(place.name for place in current if place.available)
    prices = [price for price in told.prices if price.location in regions] or list(told.prices)
    return ServerType(
        id=told.name,
        name=told.name,
        description=" ".join(part for part in (told.description, told.architecture, told.cpu_type) if part),
        cores=told.cores,
        memory=told.memory,
        disk=told.disk,
        price_monthly=_plain(max((price.price_monthly.net for price in prices), default=None)),
        price_hourly=_plain(max((price.price_hourly.net for price in prices), default=None)),
        deprecated=deprecated,
        regions=regions,
    )


def key_name(item_id: Id) -> str:
    return f"decabilld-{item_id}"


def _plain(number: Decimal | None) -> Decimal | None:
    """Without the zeros that Hetzner writes at the end, nor an exponent in their stead."""
    return None if number is None else Decimal(f"{number.normalize():f}")
