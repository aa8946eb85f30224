"""The providers of servers that are installed, found by their entry points, and what is often asked of them, kept.

Owns which providers there are and how often they are asked for lists. What a provider can do is `actors/provider.py`'s;
built-in ones come the same way as an operator's own.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points

import structlog

from decabilld.actors.provider import ENTRY_POINTS, Power, Provider, ProviderAway, Server, ServerType
from decabilld.gateways.kept import Kept

TYPES_FRESH_SECONDS, TYPES_STALE_SECONDS = 600.0, 3_600.0
STATES_FRESH_SECONDS = 5.0
_log = structlog.get_logger("providers")


class NoSuchProvider(KeyError):
    """None of that id is installed, or the one that is can't be used; the text says which."""

    def __str__(self) -> str:
        return str(self.args[0])


class Providers:
    """All that are installed, built with the operator's `variables` (theirs and ours).

    One that can't be loaded or built is logged, kept in `broken` with the reason, and stops nobody else.
    """

    def __init__(self, variables: Mapping[str, str], installed: Iterable[EntryPoint] | None = None) -> None:
        self.broken: dict[str, str] = {}
        self._providers: dict[str, Provider] = {}
        # Ours come first: a package can't take the place of a built-in one.
        found = entry_points(group=ENTRY_POINTS) if installed is None else installed
        for point in sorted(found, key=lambda point: not point.value.startswith("decabilld.")):
            self._add(point, variables)
        self._types = {
            provider.id: Kept(
                f"server types of {provider.id}",
                provider.server_types,
                fresh_seconds=TYPES_FRESH_SECONDS,
                stale_seconds=TYPES_STALE_SECONDS,
            )
            for provider in self.all()
        }
        self._states = {
            provider.id: Kept(f"servers of {provider.id}", _listing(provider), fresh_seconds=STATES_FRESH_SECONDS)
            for provider in self.all()
        }
        self._limits = {
            provider.id: Kept(f"limit of {provider.id}", provider.limit_reached, fresh_seconds=STATES_FRESH_SECONDS)
            for provider in self.all()
        }

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(sorted(self._providers))

    def all(self) -> tuple[Provider, ...]:
        return tuple(self._providers[id_] for id_ in self.ids)

    def get(self, provider_id: str) -> Provider:
        """Raises NoSuchProvider, a KeyError."""
        if provider_id in self._providers:
            return self._providers[provider_id]
        if provider_id in self.broken:
            raise NoSuchProvider(f"provider {provider_id} can't be used: {self.broken[provider_id]}")
        raise NoSuchProvider(f"no provider {provider_id} is installed")

    def usable(self, provider_id: str) -> Provider:
        """One that may be asked. Raises NoSuchProvider, and ProviderAway while it has no token."""
        provider = self.get(provider_id)
        if not provider.configured:
            raise ProviderAway(f"the provider {provider_id} has no token")
        return provider

    async def server_types(self, provider_id: str) -> Sequence[ServerType]:
        """Up to 10 minutes old, up to an hour while the provider is away. Raises NoSuchProvider, ProviderAway."""
        self.usable(provider_id)
        return await self._types[provider_id].get()

    async def states(self, provider_id: str) -> Mapping[str, Server]:
        """Of ours, by their ids, and by item the oldest of each, for `server_of`.

        5 s old, 10 s while the next list comes, 180 s while requests are short.
        Raises NoSuchProvider, and ProviderAway, which is remembered for 5 s.
        """
        self.usable(provider_id)
        return await self._states[provider_id].get()

    async def limit_reached(self, provider_id: str) -> str | None:
        """As the provider's own, up to 5 s old: customers ask as often as they like, our requests are counted.

        Raises NoSuchProvider, ProviderAway.
        """
        self.usable(provider_id)
        return await self._limits[provider_id].get()

    async def switch(self, provider_id: str, server_id: str, power: Power) -> None:
        """As the provider's own, and the next look at its states is a fresh one. Raises NoSuchProvider too."""
        provider = self.usable(provider_id)
        try:
            await provider.switch(server_id, power)
        finally:
            self.forget_states(provider_id)

    def forget_states(self, provider_id: str) -> None:
        """After a change of ours. Raises NoSuchProvider."""
        self.get(provider_id)
        self._states[provider_id].forget()
        self._limits[provider_id].forget()

    async def close(self) -> None:
        for provider in self.all():
            try:
                await provider.close()
            except Exception:  # noqa: BLE001 - anybody's code: the others are to be closed all the same
                _log.exception("provider_not_closed", provider=provider.id)

    def _add(self, point: EntryPoint, variables: Mapping[str, str]) -> None:
        if point.name in self._providers:
            _log.error("provider_broken", provider=point.name, source=point.value, reason="there is one of that name")
            return
        try:
            provider: Provider = point.load()(variables)
            if provider.id != point.name:
                raise ValueError(f"its id is {provider.id}")
        except Exception as error:  # noqa: BLE001 - anybody's code: whatever it raises, the others go on
            self.broken[point.name] = f"{type(error).__name__}: {error}"
            _log.error("provider_broken", provider=point.name, source=point.value, reason=self.broken[point.name])
        else:
            self._providers[point.name] = provider


def _listing(provider: Provider) -> Callable[[], Awaitable[Mapping[str, Server]]]:
    async def states() -> Mapping[str, Server]:
        newest_first = sorted(await provider.servers(), key=lambda server: (server.created_at, server.id), reverse=True)
        ours = [(server.item_id, server) for server in newest_first if server.item_id is not None]
        return dict(ours) | {server.id: server for _, server in ours}

    return states
