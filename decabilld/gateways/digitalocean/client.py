"""Servers at DigitalOcean: one account, reached with one token.

Owns which requests are made, in which order, and how often at most. What the answers mean is `wire.py`'s, tries and
time-outs are `rest.py`'s, how many requests an hour is `budget.py`'s.
Source: docs.digitalocean.com/reference/api, version 2.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

from decabilld.actors.provider import (
    Power,
    ProviderAway,
    ProviderRefused,
    Server,
    ServerOrder,
    ServerType,
)
from decabilld.domain.entities import Id
from decabilld.gateways.budget import RequestBudget
from decabilld.gateways.digitalocean import wire
from decabilld.gateways.digitalocean.config_schema import CONFIG_SCHEMA, DEFAULT_IMAGE
from decabilld.gateways.rest import Calls, Rest, base_in, token_in

API_BASE = "https://api.digitalocean.com/v2"
PER_PAGE = 200
MAX_PAGES = 50
MAX_LISTINGS = 3
BURST, REQUESTS_PER_HOUR, KEPT_FOR_ORDERS = 170, 4_800, 40
"""DigitalOcean allows 5,000 an hour, and 250 in any minute: a full bucket and a minute's refill together."""
_Page = TypeVar("_Page", bound=wire.Page)


def digitalocean(environment: Mapping[str, str]) -> "DigitalOcean":
    """The `ProviderFactory`. Raises ValueError naming a bad variable."""
    return DigitalOcean(
        token_in(environment, "DIGITALOCEAN_API_TOKEN"),
        base_in(environment, "DIGITALOCEAN_API_BASE", API_BASE),
        _rate_in(environment, "DIGITALOCEAN_USD_EUR_RATE"),
    )


class DigitalOcean:
    """`eur_per_usd` turns DigitalOcean's prices into ours; None: we have none. `tries` are Rest's own settings."""

    id: ClassVar[str] = "digital-ocean"
    display_name: ClassVar[str] = "DigitalOcean"
    default_image: ClassVar[str] = DEFAULT_IMAGE

    def __init__(self, token: str | None, base: str, eur_per_usd: Decimal | None = None, **tries: float) -> None:
        self.configured = token is not None
        self._eur_per_usd = eur_per_usd
        self._budget = RequestBudget(burst=BURST, per_hour=REQUESTS_PER_HOUR, kept_for_orders=KEPT_FOR_ORDERS)
        self._rest = Rest(self.display_name, base, token or "", wire.read_error, **tries)
        # Keys may be listed ten times a minute only: being told to wait there must not silence the rest.
        self._key_lists = Rest(self.display_name, base, token or "", wire.read_error, **tries)
        self._rest.before_try = self._key_lists.before_try = self._take

    def change_token(self, token: str) -> None:
        """From the next request on."""
        self._rest.change_token(token)
        self._key_lists.change_token(token)

    @property
    def config_schema(self) -> dict[str, Any]:
        return CONFIG_SCHEMA

    def make_way(self) -> None:
        self._budget.make_way()

    async def server_types(self) -> Sequence[ServerType]:
        async with self._rest.reading() as ask:
            regions = await _all(ask, "/regions", {}, wire.Regions)
            sizes = await _all(ask, "/sizes", {}, wire.Sizes)
        open_regions = frozenset(region.slug for page in regions for region in page.regions if region.available)
        return [wire.server_type(size, open_regions, self._eur_per_usd) for page in sizes for size in page.sizes]

    async def servers(self) -> Sequence[Server]:
        """Raises OverBudget when requests are short: listings yield first."""
        self._budget.begin_listing()
        async with self._rest.reading() as ask:
            servers = await _droplets(ask, {"tag_name": wire.TAG})
        self._budget.listed(1 + len(servers) // PER_PAGE)
        return servers

    async def servers_of(self, item_id: Id) -> Sequence[Server]:
        async with self._rest.reading() as ask:
            return await _droplets(ask, {"tag_name": wire.item_tag(item_id)})

    async def create_server(self, order: ServerOrder) -> Server:
        async with self._rest.calls() as ask:
            # Tags are put on a droplet after it is made; until then it is found by its name only.
            for twin in await _droplets(ask, {"name": order.name}):
                if twin.item_id == order.item_id:
                    return twin
            key = await _registered_key(ask, order)
            made = await ask("POST", "/droplets", body=_wanted(order, key))
        return wire.server(wire.read(made, wire.OneDroplet).droplet)

    async def switch(self, server_id: str, power: Power) -> None:
        """`stop` asks the system to shut down; one that doesn't listen goes on running. `restart` starts a stopped one.

        Asked while another action is under way, it is ProviderAway.
        """
        self._budget.begin_switch()
        path = _path("/droplets", server_id)
        async with self._rest.calls() as ask:
            status = wire.read(await ask("GET", path), wire.OneDroplet).droplet.status
            match power, status:
                case ("start", "active") | ("stop", "off"):
                    return
                case ("start", _) | ("restart", "off"):
                    action = "power_on"
                case "stop", _:
                    action = "shutdown"
                case _:
                    action = "reboot"
            await ask("POST", f"{path}/actions", body={"type": action})

    async def delete_server(self, server_id: str) -> None:
        async with self._rest.calls() as ask:
            await ask.delete(_path("/droplets", server_id))

    async def delete_ssh_key(self, item_id: Id) -> None:
        name = _key_name(item_id)
        async with self._key_lists.calls() as ask_for_list, self._rest.calls() as ask:
            pages = await _all(ask_for_list, "/account/keys", {}, wire.Keys)
            for key in [key for page in pages for key in page.ssh_keys if key.name == name]:
                await ask.delete(f"/account/keys/{key.id}")

    async def limit_reached(self) -> str | None:
        async with self._rest.reading() as ask:
            limit = wire.read(await ask("GET", "/account"), wire.OneAccount).account.droplet_limit
            shown = wire.read(await ask("GET", "/droplets", query={"per_page": 1}), wire.Droplets)
        return f"The account's limit of {limit} servers is reached" if shown.meta.total >= limit else None

    async def close(self) -> None:
        await self._rest.close()
        await self._key_lists.close()

    async def _take(self) -> None:
        self._budget.note(self._rest.rate_limit)
        await self._budget.take()


async def _all(ask: Calls, path: str, query: Mapping[str, str | int], kind: type[_Page]) -> list[_Page]:
    pages = []
    for number in range(1, MAX_PAGES + 1):
        page = wire.read(await ask("GET", path, query={**query, "page": number, "per_page": PER_PAGE}), kind)
        pages.append(page)
        if "next" not in page.links.pages:
            return pages
    raise ProviderAway(f"DigitalOcean lists more than {MAX_PAGES * PER_PAGE} under {path}")


async def _droplets(ask: Calls, query: Mapping[str, str | int]) -> list[Server]:
    """The oldest first. One that is deleted while we turn pages would hide another: then they are listed again."""
    for _ in range(MAX_LISTINGS):
        pages = await _all(ask, "/droplets", query, wire.Droplets)
        droplets = {droplet.id: droplet for page in pages for droplet in page.droplets}
        if len(pages) == 1 or len(droplets) >= max(page.meta.total for page in pages):
            ordered = sorted(droplets.values(), key=lambda droplet: (droplet.created_at, droplet.id))
            return [wire.server(droplet) for droplet in ordered]
    raise ProviderAway("DigitalOcean's list of droplets changes too fast to be read")


async def _registered_key(ask: Calls, order: ServerOrder) -> int | str:
    """The key's id, or its fingerprint if the account has that key already: no list has to be asked for."""
    fingerprint = _fingerprint(order.ssh_public_key)
    try:
        made = await ask(
            "POST",
            "/account/keys",
            body={"name": _key_name(order.item_id), "public_key": order.ssh_public_key},
            repeatable=True,
        )
    except ProviderRefused as refused:
        if wire.key_in_use(refused):
            return fingerprint
        raise
    return wire.read(made, wire.OneKey).ssh_key.id


def _wanted(order: ServerOrder, key: int | str) -> dict[str, Any]:
    return {
        "name": order.name,
        "region": order.region,
        "size": order.server_type,
        "image": order.image,
        "ssh_keys": [key],
        "user_data": order.user_data,
        "tags": [wire.TAG, wire.item_tag(order.item_id)],
    }


def _fingerprint(public_key: str) -> str:
    """MD5, as DigitalOcean (and RFC 4716) writes it. Raises ProviderRefused for what isn't a key."""
    try:
        raw = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, binascii.Error):
        raise ProviderRefused("not an SSH public key in OpenSSH's form") from None
    return hashlib.md5(raw, usedforsecurity=False).digest().hex(":")


def _key_name(item_id: Id) -> str:
    return f"decabilld-{item_id}"


def _path(collection: str, server_id: str) -> str:
    return f"{collection}/{quote(server_id, safe='')}"


def _rate_in(environment: Mapping[str, str], variable: str) -> Decimal | None:
    given = environment.get(variable, "").strip()
    if not given:
        return None
    try:
        rate = Decimal(given)
    except InvalidOperation:
        rate = Decimal("NaN")
    if not rate.is_finite() or not 0 < rate <= 100:
        raise ValueError(f"{variable} must be a decimal number above 0, up to 100, such as 0.92")
    return rate
