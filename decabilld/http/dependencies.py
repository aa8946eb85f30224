"""What the HTTP edge is given: settings, the tenants, and what it needs of rooms that it may not enter."""

from collections.abc import Callable, Iterable
from typing import Literal, Protocol

from msgspec import Struct

from decabilld.actors.registry import Tenants
from decabilld.clock import Clock
from decabilld.domain.entities import BillingRun, Id, Invoice, Subscription, User
from decabilld.domain.journal import JournalRow
from decabilld.domain.policy import BillingPolicy
from decabilld.http.auth import Tokens
from decabilld.http.passwords import Passwords
from decabilld.http.principal import Authenticator
from decabilld.messages.commands import ApplyPaymentEvent


class Documents(Protocol):
    async def document(self, invoice: Invoice, kind: Literal["invoice", "credit_note"], tenant: str) -> bytes:
        """The PDF as kept, or made again. Raises Unavailable."""
        ...


class Listed(Struct, frozen=True, kw_only=True):
    """An invoice in a list of the operator's, with what is shown beside it."""

    invoice: Invoice
    subscription_number: str | None
    user_email: str | None


class Readers(Protocol):
    """Lists and closed things, read from the database; newest first. All raise Unavailable when it is away."""

    async def users(self, tenant_id: str, *, limit: int, offset: int) -> list[User]: ...

    async def subscription(self, tenant_id: str, subscription_id: Id) -> Subscription | None: ...

    async def subscriptions_of_user(
        self, tenant_id: str, user_id: Id, *, limit: int, offset: int
    ) -> list[Subscription]: ...

    async def subscription_numbers(self, tenant_id: str, subscription_ids: Iterable[Id]) -> dict[Id, str]: ...

    async def invoice(self, tenant_id: str, invoice_id: Id) -> Invoice | None: ...

    async def invoices_of_subscription(self, tenant_id: str, subscription_id: Id, *, limit: int) -> list[Invoice]:
        """Those with a line of the subscription, without drafts."""
        ...

    async def invoices(
        self, tenant_id: str, *, search: str | None, user_id: Id | None, open_only: bool, limit: int, offset: int
    ) -> tuple[list[Listed], int]:
        """A page of all invoices, drafts too, and how many there are. `search`: part of number, email or name."""
        ...

    async def billing_run(self, tenant_id: str, run_id: Id) -> BillingRun | None: ...

    async def journal_of_invoice(
        self, tenant_id: str, invoice_id: Id, *, limit: int, offset: int
    ) -> tuple[list[JournalRow], int]: ...


class HttpSettings(Struct, frozen=True, kw_only=True):
    """`tenant_ids` is the allowlist; `code_key` keys the digests of one-time codes."""

    tenant_ids: frozenset[str] = frozenset({"default"})
    tenants_allow_default: bool = True
    max_body_bytes: int = 1024 * 1024
    authentication_method: Literal["users", "api-key"] = "users"
    disable_signup: bool = False
    confirmation_code_ttl_minutes: int = 60
    code_key: bytes
    test_clock: bool = False


class Dependencies(Struct, frozen=True, kw_only=True):
    """`clock` is real time. `not_ready` says why the daemon can't serve, or None.

    `read_payment_event` proves and reads a webhook's raw body and signature header: the tenant it names, if any, and
    what to ask of it; it raises Invalid. None while no payment processor is configured.
    """

    settings: HttpSettings
    policy: BillingPolicy
    tenants: Tenants
    readers: Readers
    authenticator: Authenticator
    tokens: Tokens
    passwords: Passwords
    documents: Documents
    clock: Clock
    not_ready: Callable[[], str | None]
    read_payment_event: Callable[[bytes, str], tuple[str | None, ApplyPaymentEvent]] | None = None
