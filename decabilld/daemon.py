"""The composition root: builds the parts, starts them in order, stops them in reverse. Only it knows everybody.

That it is a process, which gets signals and is looked after by another, is `process.py`'s.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

import structlog

from decabilld import keys
from decabilld.access_setup import authenticator_of, http_settings
from decabilld.account_setup import accounts_of
from decabilld.actors.ports import Unavailable
from decabilld.actors.provider import Names
from decabilld.actors.registry import Tenants
from decabilld.actors.server_comparison import ServerComparison
from decabilld.actors.stack_updates import StackUpdates
from decabilld.billing_setup import policy_of
from decabilld.clock import Clock, system_clock
from decabilld.control.payments import Payments
from decabilld.control.server import control_site
from decabilld.control.socket_file import ControlSocketTaken
from decabilld.domain.entities import Invoice, User
from decabilld.domain.policy import BillingPolicy
from decabilld.gateways.documents.renderer import DocumentRenderer, RenderingFailed
from decabilld.gateways.documents.storage import DocumentStorage
from decabilld.gateways.providers import Providers
from decabilld.gateways.runners import Effects
from decabilld.gateways.servers import ServerEffects
from decabilld.http.app import LIMITS, create_app
from decabilld.http.auth import Tokens
from decabilld.http.dependencies import Dependencies
from decabilld.http.passwords import Passwords
from decabilld.ids import new_id
from decabilld.jobs.rounds import Round, Rounds
from decabilld.jobs.timetable import BillingTimetable, Intervals
from decabilld.live import LiveSettings
from decabilld.mail_setup import code_mail, notice_mail
from decabilld.messages.commands import PaymentNotice
from decabilld.messages.effects import SendMail
from decabilld.observation_setup import Observation
from decabilld.ownership import make_home
from decabilld.realtime.asyncapi import asyncapi_document
from decabilld.realtime.dashboard import Dashboard
from decabilld.realtime.ports import RealtimeSettings
from decabilld.realtime.server import SOCKETS, create_socket_app
from decabilld.sealing import Keyring
from decabilld.server_setup import Servers, look_ups, names_of, server_effects, stack_update, with_providers
from decabilld.settings import Settings, SettingsError
from decabilld.sites import Sites
from decabilld.store.embedded import EmbeddedPostgres
from decabilld.store.errors import DatabaseDown, HomeInUse
from decabilld.store.migrations import migrate
from decabilld.store.pool import Pool, connect
from decabilld.store.readers import Readers
from decabilld.store.tenant_store import PostgresTenantStore
from decabilld.tasks import cancelled, spawn

if TYPE_CHECKING:
    from decabilld.gateways.stripe.checkout import StripeCheckout

STOP_SECONDS = 1.5
"""For effects under way, then for turns; with the sites' and PostgreSQL's own limits a stop takes 10 s at most."""
PREDECESSOR_SECONDS = 15.0
LOOKS_AN_INTERVAL = 24
"""How often it is looked whose nightly update is due, for each time that one is."""
SPARE_CONNECTIONS = 12
"""Of our own PostgreSQL, over one a tenant and the readers': for commands beside the daemon, and for administrators."""
_log = structlog.get_logger("daemon")
T = TypeVar("T")


class Daemon:
    """The running whole. `http_port` and `websocket_port` are those really taken (port 0 takes any)."""

    def __init__(self, settings: Settings, clock: Clock = system_clock, sites: Sites | None = None) -> None:
        self.settings, self._clock = settings, clock
        self.phase = "starting"
        self.timetable: BillingTimetable
        self.tenants: Tenants
        self._sites = sites or Sites()
        self.http_port = self.websocket_port = 0
        self.database_down: str | None = None
        self.dsn = ""
        self.first_run = False
        self._keyring: Keyring
        self._observation = Observation(settings, clock)
        self._providers: Providers
        self._policy: BillingPolicy
        self._names: Names | None
        self.live: LiveSettings
        self._doors, self._parts = AsyncExitStack(), AsyncExitStack()

    async def start(self) -> None:
        """Everything up and every tenant loaded. Raises what went wrong, with what was started stopped again."""
        try:
            await self._start()
        except BaseException:
            await self._close()
            raise

    async def stop(self) -> None:
        """In reverse: no new work, turns finished, replies sent, database stopped."""
        _log.info("stopping")
        self.phase = "stopping"
        await self._close()
        _log.info("stopped")

    async def _close(self) -> None:
        """All ways in first, and whoever came by them answered; then what was behind them."""
        try:
            await self._doors.aclose()
        finally:
            await self._parts.aclose()

    def status(self) -> str:
        """What it is at, in a line."""
        if self.phase != "running":
            return self.phase
        count = len(self.tenants.ids)
        lag = max([*self.tenants.late(timedelta()).values(), timedelta()])
        said = f"{count} tenant{'s' * (count != 1)}, billing lag {lag.total_seconds():.0f} s"
        reasons = self._not_ready()
        return f"{said}; not ready: {'; '.join(reasons)}" if reasons else said

    async def _start(self) -> None:
        settings, parts = self.settings, self._parts
        make_home(settings.data_path)
        self._keyring = keys.keyring(settings)
        self.phase = "starting the database"
        self.dsn = await self._database()
        pool = await Pool.open(self.dsn, size=settings.db_read_connections)
        parts.push_async_callback(pool.close)
        readers = Readers(pool)
        renderer = DocumentRenderer(settings.billing_timezone)
        parts.push_async_callback(renderer.close)
        documents = DocumentStorage(settings.documents_path, renderer.render)
        self._providers = Providers(settings.variables)
        parts.push_async_callback(self._providers.close)
        self._policy = with_providers(policy_of(settings), self._providers)
        tenants = self.tenants = self._tenants(pool, readers, documents)
        servers = self._comparison(tenants, readers)
        self._observation.of(tenants, self.dsn, parts, orphans=lambda: servers.orphans)
        parts.push_async_callback(self._sites.close)
        await self._edges(readers, documents, tenants, servers)
        self._doors.push_async_callback(self._sites.shut)
        self.phase = "loading the tenants"
        tenants.start()
        parts.push_async_callback(tenants.stop, STOP_SECONDS)
        timetable = self.timetable = self._timetable(tenants)
        await self._loaded(tenants)
        timetable.start()
        self._doors.push_async_callback(timetable.stop)
        rounds = self._rounds(tenants, servers)
        rounds.start()
        self._doors.push_async_callback(rounds.stop)
        self._observation.start(parts)
        self.phase = "running"

    async def _database(self) -> str:
        settings = self.settings
        dsn = settings.external_dsn
        if dsn is None:
            connections = len(settings.tenants) + settings.db_read_connections + SPARE_CONNECTIONS
            postgres = EmbeddedPostgres(settings.data_path, max_connections=connections)
            await self._taken(postgres.start)
            self._parts.push_async_callback(postgres.stop)
            watch = spawn(postgres.watch(self._on_database_down, self._on_database_up), name="watch postgres")
            self._parts.push_async_callback(cancelled, watch)
            dsn = postgres.dsn
        try:
            connection = await connect(dsn, statement_timeout_ms=600_000)
        except DatabaseDown as error:
            raise DatabaseDown(f"DB_HOST={settings.db_host} DB_PORT={settings.db_port}: {error}") from error
        self.phase = "migrating the database"
        try:
            applied = await migrate(connection)
        finally:
            await connection.close()
        if applied:
            _log.info("database_migrated", migrations=applied)
        return dsn

    async def _taken(self, take: Callable[[], Awaitable[T]]) -> T:
        """What a predecessor may still hold. Handed its sockets, we are its successor and wait for its end: those who
        connect meanwhile wait, too. Raises HomeInUse, ControlSocketTaken.
        """
        until = time.monotonic() + (PREDECESSOR_SECONDS if self._sites.all_handed_over else 0)
        before = self.phase
        while True:
            try:
                taken = await take()
            except (HomeInUse, ControlSocketTaken):
                if time.monotonic() >= until:
                    raise
                self.phase = "waiting for the predecessor's end"
                await asyncio.sleep(0.05)
            else:
                self.phase = before
                return taken

    def _on_database_down(self) -> None:
        self.database_down = "the database is down"

    def _on_database_up(self) -> None:
        self.database_down = None

    def _tenants(self, pool: Pool, readers: Readers, documents: DocumentStorage) -> Tenants:
        settings, owner = self.settings, new_id()
        effects = Effects(
            readers.invoice,
            documents,
            self._stripe(),
            code_mail(settings, self._keyring, self._clock),
            notice_mail(settings),
            success_url=settings.checkout_success_url,
            cancel_url=settings.checkout_cancel_url,
        )
        return Tenants(
            settings.tenants,
            store_of=lambda tenant_id: PostgresTenantStore(self.dsn, tenant_id, owner, pool),
            runners={**effects.runners, **self._servers(readers).runners},
            clock=self._clock,
            policy=self._policy,
            watch=self._observation.watch,
        )

    def _servers(self, readers: Readers) -> ServerEffects:
        names = self._names = names_of(self.settings)
        if names is not None:
            self._parts.push_async_callback(names.close)
        return server_effects(self.settings, readers.item, self._providers, names, self._keyring)

    def _comparison(self, tenants: Tenants, readers: Readers) -> ServerComparison:
        return ServerComparison(
            tenants,
            self._providers.all,
            readers.labelled_items,
            delete_always=self.settings.reconcile_delete_orphans,
        )

    def _rounds(self, tenants: Tenants, servers: ServerComparison) -> Rounds:
        compared_seconds = self.settings.server_reconcile_interval_ms / 1000
        interval = timedelta(milliseconds=self.settings.subscription_update_scheduler_interval_ms)
        updates = StackUpdates(tenants, stack_update(self._keyring), clock=self._clock, interval=interval)
        return Rounds(
            Round(name="compare_servers", seconds=compared_seconds, do=servers.compare),
            Round(name="update_stacks", seconds=interval.total_seconds() / LOOKS_AN_INTERVAL, do=updates.look),
        )

    def _stripe(self) -> "StripeCheckout | None":
        settings = self.settings
        if settings.stripe_secret_key is None:
            return None
        # Imported only where it is configured: the SDK costs 0.3 s and 40 MB.
        from decabilld.gateways.stripe.checkout import StripeCheckout

        stripe = StripeCheckout(settings.stripe_secret_key, settings.stripe_api_base)
        self._parts.push_async_callback(stripe.close)
        return stripe

    def _passwords(self) -> Passwords:
        return Passwords()

    async def _edges(
        self, readers: Readers, documents: DocumentStorage, tenants: Tenants, servers: ServerComparison
    ) -> None:
        settings = self.settings
        passwords = self._passwords()
        self._parts.callback(passwords.close)
        accounts = accounts_of(tenants, tenants.allowlist, passwords)
        configured = settings.stripe_secret_key is not None
        payments = Payments(tenants, tenants.allowlist, clock=self._clock, configured=configured)
        await self._taken(
            lambda: self._doors.enter_async_context(control_site(accounts, payments, servers, settings.data_path))
        )
        tokens = Tokens(keys.jwt_secret(settings), self._clock)
        authenticator = authenticator_of(settings, tokens, tenants, self._clock)
        socket_app = create_socket_app(
            RealtimeSettings(
                namespace=settings.websocket_namespace,
                cors_origins=settings.socket_origins,
                poll_interval_ms=settings.status_poll_interval_ms,
                tenant_ids=tenants.allowlist,
                tenants_allow_default=settings.tenants_allow_default,
            ),
            authenticator=authenticator,
            snapshot=Dashboard(tenants, look_ups(self._providers), self._policy.dns_domain).snapshot,
            clock=self._clock,
        )
        self.websocket_port = await self._sites.open("socketio", socket_app, settings.host, settings.websocket_port)
        app = create_app(
            Dependencies(
                settings=http_settings(settings, tenants.allowlist, self.websocket_port),
                policy=self._policy,
                tenants=tenants,
                readers=readers,
                authenticator=authenticator,
                tokens=tokens,
                passwords=passwords,
                documents=Documents(documents),
                servers=Servers(self._providers, self._keyring),
                clock=self._clock,
                not_ready=self._not_ready,
                ready_details=lambda: _ready_details(servers),
                seal_code=partial(self._keyring.seal, field=SendMail.SEALED_CODE) if settings.smtp_host else None,
                read_payment_event=self._payment_events(),
                asyncapi=partial(asyncapi_document, settings.websocket_namespace),
                watch=self._observation.requests,
                metrics=self._observation.page(socket_app[SOCKETS]),
            )
        )
        self.http_port = await self._sites.open("http", app, settings.host, settings.port)
        self.live = LiveSettings(settings, tenants, app[LIMITS], self._providers, self._names)

    def _timetable(self, tenants: Tenants) -> BillingTimetable:
        settings = self.settings
        return BillingTimetable(
            tenants,
            policy=self._policy,
            intervals=Intervals(
                charges_ms=settings.billing_scheduler_interval_ms,
                endings_ms=settings.expiration_scheduler_interval_ms,
                billing_ms=settings.open_position_invoice_scheduler_interval_ms,
                overdue_ms=settings.invoice_overdue_scheduler_interval_ms,
                reminders_ms=settings.reminder_scheduler_interval_ms,
                backorders_ms=settings.backorder_retry_interval_ms,
                payments_ms=settings.payment_reconcile_interval_ms,
            ),
        )

    def _payment_events(self) -> Callable[[bytes, str], tuple[str | None, PaymentNotice]] | None:
        secret = self.settings.stripe_webhook_secret
        if secret is None:
            return None
        from decabilld.gateways.stripe.webhook import read_payment_event

        return partial(read_payment_event, secret=secret)

    def _not_ready(self) -> list[str]:
        return [self.database_down] if self.database_down else self._observation.readiness.reasons()

    async def _loaded(self, tenants: Tenants) -> None:
        """Wait until every tenant can answer. Raises SettingsError for one that these settings don't fit."""
        while tenants.not_ready():
            if refused := tenants.refused():
                raise SettingsError("; ".join(f"tenant {tenant_id}: {why}" for tenant_id, why in refused.items()))
            await asyncio.sleep(0.01)
        self.first_run = not any(tenants.published(tenant_id).all(User) for tenant_id in tenants.ids)


class Documents:
    """Documents for the HTTP edge, whose word for "not now" is Unavailable."""

    def __init__(self, storage: DocumentStorage) -> None:
        self._storage = storage

    async def document(self, invoice: Invoice, kind: Literal["invoice", "credit_note"], tenant: str) -> bytes:
        try:
            return await self._storage.document(invoice, kind, tenant)
        except (RenderingFailed, OSError) as error:
            raise Unavailable(f"the document can't be made now: {error}") from error


def _ready_details(servers: ServerComparison) -> list[str]:
    """For everybody who asks, so neither names nor whose."""
    count = servers.orphans
    return [f"{count} of our servers run and nobody pays for them; see the journal"] if count else []
