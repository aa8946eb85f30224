"""Servers that run, compared with items that are paid for: orphans, twins, and servers that have vanished.

Owns the looking; what is found is decided by the tenants' actors. A list proves nothing by itself: it may be partial,
and what it shows may have changed since. So each finding is confirmed by asking for that one item.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Literal, TypeVar
from uuid import UUID

import structlog
from msgspec import Struct

from decabilld.actors.draft import Bug
from decabilld.actors.ports import Busy, Labelled, Unavailable
from decabilld.actors.provider import OverBudget, Provider, ProviderAway, ProviderRefused, Server
from decabilld.actors.registry import Tenants
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Id, OrphanServer, SubscriptionItem
from decabilld.domain.ids import id_of
from decabilld.domain.refusals import Refusal
from decabilld.ids import new_id
from decabilld.messages.commands import ForgetOrphan, ReportOrphan, ReportReturnedServer, ReportVanishedServer
from decabilld.messages.decision import Command

CONFIRMED_MAX = 200
"""Items of a provider that one comparison asks for singly; the rest is left for the next one."""
CALL_SECONDS, LISTING_SECONDS = 60.0, 180.0
OVER_BUDGET_SECONDS = 5.0
JOB = "job:servers"
LabelledItems = Callable[[Iterable[Id]], Awaitable[dict[Id, Labelled]]]
Settled = Literal["active", "failed"]
T = TypeVar("T")
_log = structlog.get_logger("servers")


class Orphan(Struct, frozen=True, kw_only=True):
    """A server with our label that no item pays for."""

    server_id: str
    name: str
    label_id: Id
    deleted: bool = False


class Vanished(Struct, frozen=True, kw_only=True):
    """An item whose server its provider doesn't know any more."""

    tenant_id: str
    item_id: Id
    hostname: str


class Compared(Struct, frozen=True, kw_only=True):
    """What was found at a provider. `failure`: why the comparison isn't complete; `left`: findings not looked into."""

    provider: str
    servers: int = 0
    orphans: tuple[Orphan, ...] = ()
    vanished: tuple[Vanished, ...] = ()
    left: int = 0
    failure: str | None = None


class ServerComparison:
    """Of all providers that have a token, with the items of all tenants in the database, served here or not.

    `delete_always`: orphans are deleted, whoever asks for the comparison.
    """

    def __init__(
        self,
        tenants: Tenants,
        providers: Callable[[], Sequence[Provider]],
        labelled: LabelledItems,
        *,
        delete_always: bool,
    ) -> None:
        self._tenants, self._providers, self._labelled = tenants, providers, labelled
        self._delete_always = delete_always
        self._one_at_a_time = asyncio.Lock()

    @property
    def orphans(self) -> int:
        """How many servers that nobody pays for are known to be there."""
        return sum(len(state.all(OrphanServer)) for _, state in self._states())

    async def compare(self, *, who: str = JOB, delete: bool = False) -> list[Compared]:
        """A provider that fails stops no other. Raises Unavailable when the database is away."""
        async with self._one_at_a_time:
            looks = [
                _Look(self, provider, who, delete=delete or self._delete_always)
                for provider in self._providers()
                if provider.configured
            ]
            return list(await asyncio.gather(*(look.compared() for look in looks)))

    async def labelled(self, item_ids: Iterable[Id]) -> dict[Id, Labelled]:
        return await self._labelled(item_ids)

    def orphans_of(self, provider_id: str) -> list[tuple[str, OrphanServer]]:
        """Those that are known, each with the tenant whose journal tells of it."""
        return [
            (tenant_id, orphan)
            for tenant_id, state in self._states()
            for orphan in state.all(OrphanServer).values()
            if orphan.provider == provider_id
        ]

    def settled(self, provider_id: str, status: Settled) -> list[tuple[str, SubscriptionItem]]:
        """Items that should have a server there, with nothing under way; those `failed` have lost it."""
        return [
            (tenant_id, item)
            for tenant_id, state in self._states()
            for item in state.all(SubscriptionItem).values()
            if item.provider == provider_id and _is_settled(item, status)
        ]

    def item(self, tenant_id: str, item_id: Id) -> SubscriptionItem | None:
        """A live one of a tenant that is served and loaded here."""
        return next((s.get(SubscriptionItem, item_id) for known, s in self._states() if known == tenant_id), None)

    def reporting_tenant(self, tenant_id: str | None) -> str:
        """Whose journal is to tell of an orphan: its own, if that is served here."""
        served = self._tenants.ids
        return tenant_id if tenant_id in served else served[0]

    async def tell(self, tenant_id: str, command: Command, who: str) -> None:
        """One tenant that can't answer keeps nothing from the others: the next comparison finds it again."""
        try:
            await self._tenants.ask(tenant_id, command, who=who, cause=new_id())
        except (Busy, Unavailable, Refusal, Bug) as error:
            kind = type(command).__name__
            _log.warning("finding_not_told", tenant=tenant_id, command=kind, reason=f"{type(error).__name__}: {error}")

    def _states(self) -> list[tuple[str, TenantState]]:
        down = self._tenants.not_ready()
        return [(one, self._tenants.published(one)) for one in self._tenants.ids if one not in down]


class _Look:
    """One comparison at one provider."""

    def __init__(self, books: ServerComparison, provider: Provider, who: str, *, delete: bool) -> None:
        self._books, self._provider, self._who, self._delete = books, provider, who, delete
        self._asked: dict[Id, frozenset[str]] = {}
        self._orphans: list[Orphan] = []
        self._vanished: list[Vanished] = []
        self._left = 0

    async def compared(self) -> Compared:
        servers, failure = 0, None
        try:
            listed = await _within(LISTING_SECONDS, _listed(self._provider))
            by_item = _by_item(listed)
            servers = sum(map(len, by_item.values()))
            # Orphans come last: a great many of another's would leave nothing to be confirmed for our own.
            await self._look_for_returned(by_item)
            failure = await self._look_for_vanished(by_item)
            if failure is None:
                await self._look_for_orphans(by_item)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a provider may be anybody's code: its faults stop no other
            failure = str(error) if isinstance(error, ProviderAway) else f"{type(error).__name__}: {error}"
        if failure is not None:
            _log.warning("comparison_incomplete", provider=self._provider.id, reason=failure)
        return Compared(
            provider=self._provider.id,
            servers=servers,
            orphans=tuple(self._orphans),
            vanished=tuple(self._vanished),
            left=self._left,
            failure=failure,
        )

    async def _look_for_orphans(self, by_item: dict[Id, list[Server]]) -> None:
        labelled = await self._books.labelled(by_item)
        known = {orphan.server_id: (tenant, orphan) for tenant, orphan in self._books.orphans_of(self._provider.id)}
        paid_for: set[str] = set()
        suspects: list[Server] = []
        for item_id, servers in by_item.items():
            label = labelled.get(item_id)
            unpaid = servers if label is None or not label.live else self._twins(label.tenant_id, item_id, servers)
            suspects += unpaid
            paid_for |= {server.id for server in servers} - {server.id for server in unpaid}
        # What isn't known yet comes first, should there be more than one comparison may look into.
        for server in sorted(suspects, key=lambda server: server.id in known):
            assert server.item_id is not None
            if server.id in await self._there(server.item_id):
                label = labelled.get(server.item_id)
                await self._orphan(server, server.item_id, label.tenant_id if label else None)
        listed = paid_for | {server.id for server in suspects}
        for server_id, (tenant_id, orphan) in known.items():
            gone = server_id not in listed and server_id not in await self._there(orphan.label_id, otherwise=server_id)
            if gone or server_id in paid_for:
                await self._books.tell(tenant_id, ForgetOrphan(orphan_id=orphan.id), self._who)

    def _twins(self, tenant_id: str, item_id: Id, servers: list[Server]) -> list[Server]:
        """All but the item's own; while it is being made or removed, that is for those who do so to settle."""
        item = self._books.item(tenant_id, item_id)
        if len(servers) == 1 or item is None or not _is_settled(item, "active"):
            return []
        own = next((one for one in servers if one.id == item.server_id), servers[0])
        return [server for server in servers if server is not own]

    async def _orphan(self, server: Server, label_id: Id, tenant_id: str | None) -> None:
        deleted = self._delete and await self._deleted(server)
        self._orphans.append(Orphan(server_id=server.id, name=server.name, label_id=label_id, deleted=deleted))
        command = ReportOrphan(
            orphan_id=id_of("orphan server", self._provider.id, server.id),
            provider=self._provider.id,
            server_id=server.id,
            name=server.name,
            label_id=label_id,
            deleted=deleted,
        )
        _log.error("orphan_server", provider=self._provider.id, server=server.id, name=server.name, deleted=deleted)
        await self._books.tell(self._books.reporting_tenant(tenant_id), command, self._who)

    async def _deleted(self, server: Server) -> bool:
        try:
            await _within(CALL_SECONDS, self._provider.delete_server(server.id))
        except (ProviderAway, ProviderRefused) as error:
            _log.warning("orphan_not_deleted", provider=self._provider.id, server=server.id, reason=str(error))
            return False
        return True

    async def _look_for_returned(self, by_item: dict[Id, list[Server]]) -> None:
        for tenant_id, item in self._books.settled(self._provider.id, "failed"):
            if item.id not in by_item or item.server_id is None or item.server_id not in await self._there(item.id):
                continue
            _log.warning("server_returned", provider=self._provider.id, tenant=tenant_id, name=item.hostname)
            report = ReportReturnedServer(
                item_id=item.id, subscription_id=item.subscription_id, server_id=item.server_id
            )
            await self._books.tell(tenant_id, report, self._who)

    async def _look_for_vanished(self, by_item: dict[Id, list[Server]]) -> str | None:
        """The failure, if this doesn't look like the account that our servers are in."""
        running = self._books.settled(self._provider.id, "active")
        missing = [(tenant_id, item) for tenant_id, item in running if item.id not in by_item]
        if len(missing) == len(running) > 1:
            return f"none of the {len(running)} servers that should be there is; is the token that of another account?"
        for tenant_id, item in missing:
            assert item.server_id is not None, "what runs was made"
            if await self._there(item.id, otherwise=item.server_id):
                continue
            self._vanished.append(Vanished(tenant_id=tenant_id, item_id=item.id, hostname=item.hostname))
            _log.error("server_vanished", provider=self._provider.id, tenant=tenant_id, name=item.hostname)
            report = ReportVanishedServer(
                item_id=item.id, subscription_id=item.subscription_id, server_id=item.server_id
            )
            await self._books.tell(tenant_id, report, self._who)
        return None

    async def _there(self, item_id: Id, *, otherwise: str = "") -> frozenset[str]:
        """Ids of the item's servers, asked for now; `otherwise` when too many were asked for already."""
        if item_id not in self._asked:
            if len(self._asked) == CONFIRMED_MAX:
                self._left += 1
                return frozenset((otherwise,))
            found = await _within(CALL_SECONDS, self._provider.servers_of(item_id))
            self._asked[item_id] = frozenset(server.id for server in found)
        return self._asked[item_id]


async def _listed(provider: Provider) -> Sequence[Server]:
    """In the turn of the dashboards, which list the same account: this look is rare, so it waits for room."""
    while True:
        try:
            return await provider.servers()
        except OverBudget:
            await asyncio.sleep(OVER_BUDGET_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load


def _is_settled(item: SubscriptionItem, status: Settled) -> bool:
    return item.provisioning_status == status and item.step is None and item.unwanted_since is None


def _by_item(servers: Iterable[Server]) -> dict[Id, list[Server]]:
    """By the item that the label names, the oldest first; what isn't an id of ours isn't ours either."""
    found: dict[Id, list[Server]] = defaultdict(list)
    for server in sorted(servers, key=lambda server: (server.created_at, server.id)):
        if server.item_id is not None and _is_id(server.item_id):
            found[server.item_id].append(server)
    return dict(found)


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


async def _within(seconds: float, asked: Awaitable[T]) -> T:
    """Raises ProviderAway for one that doesn't keep to its own limit."""
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except TimeoutError:
        raise ProviderAway(f"no answer within {seconds:g} s") from None
