"""What a provider of servers must be able to do, and how it says no. Built-in and installed providers implement this.

A provider is found by the entry point group `decabilld.providers`: name = its id, value = a `ProviderFactory`.
Owns the protocol only; the two built-in ones are `gateways/hetzner` and `gateways/digitalocean`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Literal, Protocol

from msgspec import Struct

from decabilld.domain.entities import Id, SubscriptionItem

ENTRY_POINTS = "decabilld.providers"
Power = Literal["start", "stop", "restart"]
ServerStatus = Literal["starting", "running", "stopping", "stopped", "deleting", "unknown"]


class ProviderAway(Exception):
    """No answer, too slow, rate-limited or a 5xx, also after the client's own tries: later it may work."""


class OverBudget(ProviderAway):
    """Not even asked: the requests that the provider allows are short, and this one can wait."""


class CapacityGone(Exception):
    """There is no room now for what was ordered (sold out, not in that region, account limit). A backorder may wait."""


class ProviderRefused(Exception):
    """Refused for good (bad request, token without rights, unknown type): the same again is of no use."""


class ServerType(Struct, frozen=True, kw_only=True):
    """What can be ordered. `memory` and `disk` are GB; prices net, in EUR; `regions`: where it may be ordered now."""

    id: str
    name: str
    description: str = ""
    cores: int
    memory: Decimal
    disk: Decimal
    price_monthly: Decimal | None = None
    price_hourly: Decimal | None = None
    deprecated: bool = False
    regions: tuple[str, ...] = ()


class ServerOrder(Struct, frozen=True, kw_only=True):
    """A server to be made. `item_id` becomes its label; `name` is its hostname, without the domain."""

    item_id: Id
    name: str
    server_type: str
    region: str
    image: str
    user_data: str
    ssh_public_key: str
    """OpenSSH's one-line form."""


class Server(Struct, frozen=True, kw_only=True):
    """A server as its provider sees it. `item_id` is what its label says; None for one that isn't ours."""

    id: str
    item_id: Id | None
    name: str
    status: ServerStatus
    public_ip: str | None = None
    """IPv4; None until it has got one."""
    private_ip: str | None = None
    server_type: str | None = None
    region: str | None = None
    created_at: str = ""
    """ISO 8601, as the provider says it; the older of two compares less."""
    metadata: dict[str, Any] = {}
    """For the dashboard: JSON values, nothing secret."""


def server_of(item: SubscriptionItem, states: Mapping[str, Server]) -> Server | None:
    """The item's own, else the oldest with its label: one that was rebuilt by hand has another id."""
    return states.get(item.server_id or "") or states.get(item.id)


class Provider(Protocol):
    """One account at one provider. Every call ends within 40 s, its own tries included.

    All methods raise ProviderAway; those that make or change something also ProviderRefused.
    """

    id: ClassVar[str]
    display_name: ClassVar[str]
    default_image: ClassVar[str]

    @property
    def configured(self) -> bool:
        """Whether there is a token. Without one nothing but the two below may be asked."""
        ...

    @property
    def config_schema(self) -> dict[str, Any]:
        """JSON-schema-like: `properties`, `required`, `enum`, and `basePriceFromField: "serverType"`."""
        ...

    def make_way(self) -> None:
        """Said before what can wait, such as another try of a backorder. Raises OverBudget while requests are short."""
        ...

    async def server_types(self) -> Sequence[ServerType]:
        """All that are known, deprecated ones too."""
        ...

    async def servers(self) -> Sequence[Server]:
        """Every server with our label, all pages."""
        ...

    async def servers_of(self, item_id: Id) -> Sequence[Server]:
        """Those labelled with that item, the oldest first; mostly one or none."""
        ...

    async def create_server(self, order: ServerOrder) -> Server:
        """Registers the SSH key (if it isn't yet) and makes the server. Raises CapacityGone too.

        Never tries again on its own once the request to make the server may have been taken: the caller looks for
        the label first. A name that is taken by a server of the same label is that server.
        """
        ...

    async def switch(self, server_id: str, power: Power) -> None:
        """Returns once the provider has taken the order; already so is fine. Raises ProviderRefused if it is gone."""
        ...

    async def delete_server(self, server_id: str) -> None:
        """One that is gone already is fine."""
        ...

    async def delete_ssh_key(self, item_id: Id) -> None:
        """The key that `create_server` registered for that item; one that is gone already is fine."""
        ...

    async def limit_reached(self) -> str | None:
        """Why the account can't have another server now; None if it can, or the provider doesn't say."""
        ...

    async def close(self) -> None: ...


class ProviderFactory(Protocol):
    def __call__(self, environment: Mapping[str, str]) -> Provider:
        """A provider by its own variables (tokens, addresses). Does no I/O. Raises ValueError naming a bad variable."""
        ...


class Names(Protocol):
    """Where hostnames are published (DNS)."""

    async def publish(self, hostname: str, address: str, item_id: Id) -> None:
        """An A record for the hostname under the base domain, marked with the item; there already is fine.

        Raises ProviderAway, ProviderRefused (also when another's record has that name).
        """
        ...

    async def remove(self, hostname: str, item_id: Id) -> None:
        """The item's record; one that is gone already is fine, another's is left alone."""
        ...

    async def close(self) -> None: ...
