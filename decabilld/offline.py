"""A tenant without its daemon: just enough of one for a command that changes something while no daemon runs.

Decides and commits as the tenant's actor would, fenced in the same way. Nothing that has fallen due is done, no effect
is run and nothing is listened to: the environment of a command line may lack what the daemon was told.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from decabilld.actors.draft import Draft
from decabilld.actors.mailbox import Envelope
from decabilld.actors.ports import CommitInDoubt, CommitRefused, Fenced, TenantStore, Unavailable
from decabilld.actors.tenant.state import TenantState
from decabilld.billing_setup import policy_of
from decabilld.clock import system_clock
from decabilld.domain.policy import BillingPolicy
from decabilld.ids import new_id
from decabilld.messages.decision import Command
from decabilld.ownership import make_home
from decabilld.settings import Settings
from decabilld.store.embedded import EmbeddedPostgres
from decabilld.store.errors import HomeInUse
from decabilld.store.migrations import migrate
from decabilld.store.pool import Connection, Pool, connect
from decabilld.store.tenant_store import PostgresTenantStore

CONNECTIONS = 10
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = 'decabilld' AND pid <> pg_backend_pid()"
)


class BareTenant:
    """One tenant's state and what changes it; one command after the other."""

    def __init__(self, tenant_id: str, store: TenantStore, policy: BillingPolicy) -> None:
        self._tenant_id, self._store, self._policy = tenant_id, store, policy

    async def load(self) -> None:
        """Takes the tenant from whoever had it. Raises Unavailable."""
        self._head = await self._store.claim()
        entities, ended = await self._store.load_live()
        self._state = TenantState(tenant_id=self._tenant_id).with_ended_counts(ended).with_changes(entities)

    async def ask(self, tenant_id: str, command: Command, *, who: str, cause: str, timeout_seconds: float) -> object:
        """The reply, once it is durable; time-outs are the store's. Raises the Refusal, Bug, or Unavailable."""
        assert tenant_id == self._tenant_id, "another tenant isn't loaded"
        draft = Draft(self._state, self._head, wall=system_clock(), policy=self._policy, answers=[], waiting={})
        draft.take(Envelope(command, who=who, cause=cause))
        [outcome] = draft.outcomes
        if outcome.error is not None:
            raise outcome.error
        if not draft.empty:
            batch = draft.batch()
            try:
                await self._store.commit(batch)
            except (CommitRefused, CommitInDoubt, Fenced) as error:
                reason = f"{type(error).__name__}: {error}"
                raise Unavailable(reason, outcome_unknown=isinstance(error, CommitInDoubt)) from error
            self._head, self._state = batch.head, draft.state.published()
        return outcome.reply


@asynccontextmanager
async def bare_tenant(settings: Settings, tenant_id: str) -> AsyncIterator[BareTenant]:
    """The tenant, with its database started if need be. Raises HomeInUse while a daemon has it, DatabaseError."""
    async with AsyncExitStack() as parts:
        dsn = await parts.enter_async_context(stopped_database(settings))
        pool = await Pool.open(dsn, size=1)
        parts.push_async_callback(pool.close)
        store = PostgresTenantStore(dsn, tenant_id, new_id(), pool)
        parts.push_async_callback(store.close)
        tenant = BareTenant(tenant_id, store, policy_of(settings))
        await tenant.load()
        yield tenant


@asynccontextmanager
async def stopped_database(settings: Settings) -> AsyncIterator[str]:
    """The DSN of a daemon's database while the daemon is stopped, at this version's schema.

    Raises HomeInUse when a daemon has it after all: to take its tenants from it would end their work.
    """
    dsn = settings.external_dsn
    async with AsyncExitStack() as parts:
        if dsn is None:
            make_home(settings.data_path)
            postgres = EmbeddedPostgres(settings.data_path, max_connections=CONNECTIONS)
            await postgres.start()
            parts.push_async_callback(postgres.stop)
            dsn = postgres.dsn
        connection = await connect(dsn, statement_timeout_ms=600_000)
        try:
            await _check_alone(connection)
            await migrate(connection)
        finally:
            await connection.close()
        yield dsn


async def _check_alone(connection: Connection) -> None:
    [(others,)] = await connection.execute(_OTHERS)
    if others:
        raise HomeInUse(
            "another decabilld uses this database. Beside a running daemon, DECABILLD_DATA_DIR must be the daemon's, "
            "where its control socket lies"
        )
