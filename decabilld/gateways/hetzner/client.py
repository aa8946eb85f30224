"""Servers at Hetzner Cloud: one project, reached with one token.

Owns which requests are made, and in which order. What the answers mean is `wire.py`'s, tries and time-outs are
`rest.py`'s, how many requests an hour is `budget.py`'s. Source: docs.hetzner.cloud, version 1.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

from decabilld.actors.provider import (
    CapacityGone,
    Power,
    ProviderAway,
    ProviderRefused,
    Server,
    ServerOrder,
    ServerType,
)
from decabilld.domain.entities import Id
from decabilld.gateways.budget import RequestBudget
from decabilld.gateways.hetzner import wire
from decabilld.gateways.hetzner.config_schema import CONFIG_SCHEMA, DEFAULT_IMAGE
from decabilld.gateways.rest import Calls, Rest, base_in, token_in

API_BASE = "https://api.hetzner.cloud/v1"
PER_PAGE = 50
MAX_PAGES = 100
MAX_LISTINGS = 3
FULL_SECONDS = 60.0
_ACTIONS: Mapping[Power, str] = {"start": "poweron", "stop": "shutdown", "restart": "reboot"}
_Page = TypeVar("_Page", bound=wire.Page)


def hetzner(environment: Mapping[str, str]) -> "HetznerCloud":
    """The `ProviderFactory`. Raises ValueError naming a bad variable."""
    return HetznerCloud(token_in(environment, "HETZNER_API_TOKEN"), base_in(environment, "HETZNER_API_BASE", API_BASE))


class HetznerCloud:
    """`tries` are Rest's own settings."""

    id: ClassVar[str] = "hetzner"
    display_name: ClassVar[str] = "Hetzner Cloud"
    default_image: ClassVar[str] = DEFAULT_IMAGE

    def __init__(self, token: str | None, base: str, budget: RequestBudget | None = None, **tries: float) -> None:
        self.configured = token is not None
        self._budget = budget or RequestBudget()
        self._full: tuple[str, float] | None = None
        """Why a server was refused to the project, and when."""
        self._rest = Rest(self.display_name, base, token or "", wire.read_error, **tries)
        self._rest.before_try = self._take

    def change_token(self, token: str) -> None:
        """From the next request on."""
        self._rest.change_token(token)

    @property
    def config_schema(self) -> dict[str, Any]:
        return CONFIG_SCHEMA

    def make_way(self) -> None:
        self._budget.make_way()

    async def server_types(self) -> Sequence[ServerType]:
        async with self._rest.reading() as ask:
            pages = await _all(ask, "/server_types", {}, wire.Types)
        return [wire.server_type(told) for page in pages for told in page.server_types]

    async def servers(self) -> Sequence[Server]:
        """One that is deleted while another is made, between two pages, can hide a third: ask `servers_of` for it.

        Raises OverBudget when requests are short: listings yield first.
        """
        self._budget.begin_listing()
        async with self._rest.reading() as ask:
            for _ in range(MAX_LISTINGS):
                pages = await _all(ask, "/servers", {"label_selector": wire.LABEL, "sort": "id:asc"}, wire.Servers)
                self._budget.listed(len(pages))
                found = {told.id: told for page in pages for told in page.servers}
                if len(pages) == 1 or {page.meta.pagination.total_entries for page in pages} <= {len(found), None}:
                    return [wire.server(told) for told in found.values()]
        raise ProviderAway("Hetzner's list of servers changes too fast to be read")

    async def servers_of(self, item_id: Id) -> Sequence[Server]:
        async with self._rest.reading() as ask:
            return await _labelled(ask, item_id)

    async def create_server(self, order: ServerOrder) -> Server:
        async with self._rest.calls() as ask:
            key_id = await _registered_key(ask, order)
            try:
                made = await ask("POST", "/servers", body=_wanted(order, key_id))
            except wire.ProjectFull as full:
                self._full = (str(full), time.monotonic())
                raise
            except wire.NameTaken:
                for twin in await _labelled(ask, order.item_id):
                    return twin
                raise
        return wire.server(wire.read(made, wire.OneServer).server)

    async def switch(self, server_id: str, power: Power) -> None:
        """`stop` and `restart` ask the system (ACPI) and return; one that doesn't listen goes on running.

        Power is never cut: that would lose what the disk hasn't got yet. `restart` starts a stopped one.
        """
        self._budget.begin_switch()
        path = _path(server_id)
        try:
            async with self._rest.calls() as ask:
                if power != "start":
                    stopped = wire.read(await ask("GET", path), wire.OneServer).server.status == "off"
                    if stopped and power == "stop":
                        return
                    power = "start" if stopped else power
                # A second reboot would be one too many; starting and stopping may be said twice.
                await ask("POST", f"{path}/actions/{_ACTIONS[power]}", repeatable=power != "restart")
        except CapacityGone as full:
            raise ProviderAway(str(full)) from None

    async def delete_server(self, server_id: str) -> None:
        async with self._rest.calls() as ask:
            await ask.delete(_path(server_id))
        self._full = None

    async def delete_ssh_key(self, item_id: Id) -> None:
        async with self._rest.calls() as ask:
            for key in await _keys(ask, {"label_selector": _selector(item_id)}):
                await ask.delete(f"/ssh_keys/{key.id}")

    async def limit_reached(self) -> str | None:
        """Hetzner doesn't tell a project's limits: full is what refused a server in the last minute, for that."""
        if self._full is None or time.monotonic() - self._full[1] > FULL_SECONDS:
            return None
        return self._full[0]

    async def close(self) -> None:
        await self._rest.close()

    async def _take(self) -> None:
        self._budget.note(self._rest.rate_limit)
        await self._budget.take()


async def _all(ask: Calls, path: str, query: Mapping[str, str | int], kind: type[_Page]) -> list[_Page]:
    pages: list[_Page] = []
    number: int | None = 1
    while number is not None:
        if len(pages) == MAX_PAGES:
            raise ProviderAway(f"Hetzner lists more than {MAX_PAGES * PER_PAGE} under {path}")
        page = wire.read(await ask("GET", path, query={**query, "page": number, "per_page": PER_PAGE}), kind)
        pages.append(page)
        number = page.meta.pagination.next_page
    return pages


async def _labelled(ask: Calls, item_id: Id) -> list[Server]:
    """The oldest first."""
    pages = await _all(ask, "/servers", {"label_selector": _selector(item_id)}, wire.Servers)
    told = sorted((told for page in pages for told in page.servers), key=lambda told: (told.created, told.id))
    return [wire.server(one) for one in told]


async def _registered_key(ask: Calls, order: ServerOrder) -> int:
    """The key's id. Names and keys are unique in a project, so that asking twice makes one."""
    wanted = {
        "name": wire.key_name(order.item_id),
        "public_key": order.ssh_public_key,
        "labels": {wire.LABEL: order.item_id},
    }
    try:
        made = await ask("POST", "/ssh_keys", body=wanted, repeatable=True)
    except wire.NameTaken:
        for key in await _keys(ask, {"name": wire.key_name(order.item_id)}):
            if key.public_key.split()[:2] == order.ssh_public_key.split()[:2]:
                return key.id
        raise ProviderRefused("Hetzner: the item's SSH key is registered otherwise already") from None
    return wire.read(made, wire.OneKey).ssh_key.id


async def _keys(ask: Calls, query: Mapping[str, str | int]) -> list[wire.Key]:
    return [key for page in await _all(ask, "/ssh_keys", query, wire.Keys) for key in page.ssh_keys]


def _wanted(order: ServerOrder, key_id: int) -> dict[str, Any]:
    return {
        "name": order.name,
        "server_type": order.server_type,
        "location": order.region,
        "image": order.image,
        "ssh_keys": [key_id],
        "user_data": order.user_data,
        "labels": {wire.LABEL: order.item_id},
        "start_after_create": True,
    }


def _selector(item_id: Id) -> str:
    return f"{wire.LABEL}={item_id}"


def _path(server_id: str) -> str:
    return f"/servers/{quote(server_id, safe='')}"
