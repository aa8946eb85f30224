"""A provider as an operator would install one: found by an entry point, and as badly behaved as a test wants."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from decabilld.actors.provider import Power, Server, ServerOrder, ServerType
from decabilld.domain.entities import Id


class Acme:
    id: ClassVar[str] = "acme"
    display_name: ClassVar[str] = "Acme"
    default_image: ClassVar[str] = "acme-os"
    configured = True
    config_schema: Mapping[str, Any] = {}

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.region = environment["ACME_REGION"]
        self.listings = self.catalogues = 0
        self.asks: asyncio.Event | None = None
        self.error: Exception | None = None
        self.closed = False
        self.there = [Server(id="1", item_id="a", name="a", status="running", region=self.region)]

    def make_way(self) -> None: ...

    async def server_types(self) -> Sequence[ServerType]:
        self.catalogues += 1
        await self._answering()
        return [ServerType(id="small", name="small", cores=1, memory=1, disk=1, regions=(self.region,))]

    async def servers(self) -> Sequence[Server]:
        self.listings += 1
        there = list(self.there)
        await self._answering()
        return there

    async def _answering(self) -> None:
        if self.asks is not None:
            await self.asks.wait()
        if self.error is not None:
            raise self.error

    async def servers_of(self, item_id: Id) -> Sequence[Server]:
        return [server for server in self.there if server.item_id == item_id]

    async def create_server(self, order: ServerOrder) -> Server:
        raise NotImplementedError

    async def switch(self, server_id: str, power: Power) -> None:
        if self.error is not None:
            raise self.error
        self.there = [Server(id="1", item_id="a", name="a", status="stopped")]

    async def delete_server(self, server_id: str) -> None: ...

    async def delete_ssh_key(self, item_id: Id) -> None: ...

    async def limit_reached(self) -> str | None:
        return None

    async def close(self) -> None:
        self.closed = True


class Impostor(Acme):
    id: ClassVar[str] = "hetzner"


def misnamed(environment: Mapping[str, str]) -> Acme:
    return Acme(environment)


def particular(environment: Mapping[str, str]) -> Acme:
    raise ValueError("PARTICULAR_TOKEN must be set")
