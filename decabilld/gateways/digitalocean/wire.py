"""DigitalOcean's answers as its API (v2) documents them, as far as we read them, and what they mean to us.

Owns the reading of bodies and errors; asks nothing.
"""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

from msgspec import Struct

from decabilld.actors.provider import CapacityGone, ProviderAway, ProviderRefused, Server, ServerStatus, ServerType
from decabilld.domain.entities import Id
from decabilld.gateways.rest import ErrorAnswer, NotThere, read_as

TAG = "decabilld"
ITEM_TAG = "decabilld-item:"

_STATUSES: dict[str, ServerStatus] = {"new": "starting", "active": "running", "off": "stopped"}
_NO_ROOM = re.compile(
    r"droplet limit|capacity|sold out|\b(size|region)\b.*\b(not available|unavailable|restricted)", re.IGNORECASE
)
_MAX_MESSAGE = 200
_Answer = TypeVar("_Answer", bound=Struct)


class Named(Struct, frozen=True):
    slug: str | None = None
    name: str = ""


class Address(Struct, frozen=True):
    ip_address: str
    type: str


class Networks(Struct, frozen=True):
    v4: tuple[Address, ...] = ()


class Droplet(Struct, frozen=True):
    id: int
    name: str
    status: str
    created_at: str
    memory: int = 0
    vcpus: int = 0
    disk: int = 0
    tags: tuple[str, ...] = ()
    size_slug: str | None = None
    region: Named = Named()
    image: Named | None = None
    networks: Networks = Networks()


class Size(Struct, frozen=True):
    """Memory in MB, disk in GB, prices in USD."""

    slug: str
    memory: int
    vcpus: int
    disk: int
    price_monthly: Decimal
    price_hourly: Decimal
    regions: tuple[str, ...]
    available: bool = True
    description: str = ""


class Region(Struct, frozen=True):
    slug: str
    available: bool


class Key(Struct, frozen=True):
    id: int
    name: str


class Total(Struct, frozen=True):
    total: int = 0


class Links(Struct, frozen=True):
    pages: dict[str, str] = {}


class Page(Struct, frozen=True, kw_only=True):
    meta: Total = Total()
    links: Links = Links()


class Droplets(Page, frozen=True, kw_only=True):
    droplets: tuple[Droplet, ...]


class Sizes(Page, frozen=True, kw_only=True):
    sizes: tuple[Size, ...]


class Regions(Page, frozen=True, kw_only=True):
    regions: tuple[Region, ...]


class Keys(Page, frozen=True, kw_only=True):
    ssh_keys: tuple[Key, ...]


class Account(Struct, frozen=True):
    droplet_limit: int


class OneAccount(Struct, frozen=True):
    account: Account


class OneDroplet(Struct, frozen=True):
    droplet: Droplet


class OneKey(Struct, frozen=True):
    ssh_key: Key


def read(body: Any, kind: type[_Answer]) -> _Answer:
    """Raises ProviderAway for an answer that is unlike what is documented."""
    return read_as(kind, body, "DigitalOcean")


def read_error(answer: ErrorAnswer) -> Exception:
    """By status and by the message in `{id, message}`: a full region and a bad request are both 422."""
    message = answer.text("message")[:_MAX_MESSAGE]
    said = f"DigitalOcean: {message or f'status {answer.status}'}"
    if answer.status >= 500 or answer.status in (408, 409, 423, 429):
        return ProviderAway(said)
    if answer.status == 404:
        return NotThere(said)
    if answer.status == 422 and "pending event" in message:
        return ProviderAway(said)
    if answer.status == 422 and _NO_ROOM.search(message):
        return CapacityGone(said)
    return ProviderRefused(said)


def key_in_use(error: ProviderRefused) -> bool:
    return "already in use" in str(error)


def server(droplet: Droplet) -> Server:
    items = [tag.removeprefix(ITEM_TAG) for tag in droplet.tags if tag.startswith(ITEM_TAG)]
    image = droplet.image and (droplet.image.slug or droplet.image.name)
    return Server(
        id=str(droplet.id),
        item_id=items[0] if items else None,
        name=droplet.name,
        status=_STATUSES.get(droplet.status, "unknown"),
        public_ip=_address(droplet, "public"),
        private_ip=_address(droplet, "private"),
        server_type=droplet.size_slug,
        region=droplet.region.slug,
        created_at=droplet.created_at,
        metadata={
            "provider": "digital-ocean",
            "providerStatus": droplet.status,
            "serverType": droplet.size_slug,
            "region": droplet.region.slug,
            "regionName": droplet.region.name,
            "image": image,
            "cores": droplet.vcpus,
            "memoryMb": droplet.memory,
            "diskGb": droplet.disk,
        },
    )


def item_tag(item_id: Id) -> str:
    return ITEM_TAG + item_id


def server_type(size: Size, open_regions: frozenset[str], eur_per_usd: Decimal | None) -> ServerType:
    """A size as it may be ordered now. DigitalOcean names prices in USD only; without a rate we name none in EUR."""
    return ServerType(
        id=size.slug,
        name=size.slug,
        description=f"{size.description or 'Droplet'}, {size.price_monthly.normalize():f} USD a month",
        cores=size.vcpus,
        memory=_plain(Decimal(size.memory) / 1024),
        disk=Decimal(size.disk),
        price_monthly=_euros(size.price_monthly, eur_per_usd, Decimal("0.0001")),
        price_hourly=_euros(size.price_hourly, eur_per_usd, Decimal("0.000001")),
        regions=tuple(region for region in size.regions if region in open_regions) if size.available else (),
    )


def _euros(usd: Decimal, eur_per_usd: Decimal | None, step: Decimal) -> Decimal | None:
    return None if eur_per_usd is None else (usd * eur_per_usd).quantize(step, ROUND_HALF_UP)


def _plain(number: Decimal) -> Decimal:
    """Without zeros at the end, nor an exponent in their stead."""
    return Decimal(f"{number.normalize():f}")


def _address(droplet: Droplet, kind: str) -> str | None:
    return next((address.ip_address for address in droplet.networks.v4 if address.type == kind), None)
