"""The things a tenant owns, as frozen values; each with `table` is a row of PostgreSQL, column for field.

Owns names, types and which of them are *live* (kept in memory). Rules that compute with them live beside, in
`domain/`; how a field becomes a column lives in `store/columns.py`. `tenant_id` is no field: the state that holds an
entity says whose it is. Ids are canonical lower-case UUID text. Instants are aware UTC datetimes; amounts end in
`_minor` and count the currency's minor unit; rates and prices are exact `Decimal`.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from msgspec import Struct

Id = str
Role = Literal["user", "admin"]
CodePurpose = Literal["confirm_email", "reset_password"]
Interval = Literal["hour", "day", "month", "year"]
TaxCategory = Literal["standard", "reduced"]
CustomerType = Literal["business", "consumer"]
SubscriptionStatus = Literal["active", "pending_backorder", "pending_cancel", "canceled"]
InvoiceStatus = Literal["draft", "issued", "partially_paid", "paid", "overdue", "void"]
PositionKind = Literal["period", "advance", "usage"]
RunStatus = Literal["queued", "running", "done"]
AttemptStatus = Literal["opening", "open", "paid", "expired", "failed"]


class Value(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A part of an entity without an identity of its own; kept as JSON in the entity's row."""


class Entity(Struct, frozen=True, kw_only=True, gc=False):
    """A row with an identity. `id` is unique in the tenant and never changes."""

    table: ClassVar[str]
    id: Id

    @property
    def live(self) -> bool:
        """Whether the tenant's state keeps it in memory; closed things stay in PostgreSQL alone."""
        return True


# --- identity -------------------------------------------------------------------------------------------------------


class User(Entity, frozen=True, kw_only=True, gc=False):
    """Someone who may sign in; a customer once they have a profile. `email_key` is the address as it is compared.

    Tokens carry the `token_version` that they were made at: a higher one ends every session. A deleted user keeps the
    row, for the journal's sake, but neither address nor password.
    """

    table: ClassVar[str] = "users"
    email: str
    email_key: str
    password_hash: str | None = None
    role: Role = "user"
    email_confirmed_at: datetime | None = None
    locked_at: datetime | None = None
    token_version: int = 0
    billing_day: int
    """Day of month, 1..28, on which open positions become one invoice."""
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.deleted_at is None


class OneTimeCode(Entity, frozen=True, kw_only=True, gc=False):
    """A code sent by mail, one per user and purpose: `id` is made of both. Only a keyed digest is kept."""

    table: ClassVar[str] = "one_time_codes"
    purpose: CodePurpose
    digest: str
    expires_at: datetime
    """Real time, never the test clock's."""
    tries_left: int
    used_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.used_at is None


class RevokedToken(Entity, frozen=True, kw_only=True, gc=False):
    """A session that was logged out: `id` is its token's `jti`. Forgotten once the token has expired by itself."""

    table: ClassVar[str] = "revoked_tokens"
    user_id: Id
    expires_at: datetime
    """Real time, never the test clock's."""
    forgotten: bool = False

    @property
    def live(self) -> bool:
        return not self.forgotten


class LinkedSubject(Entity, frozen=True, kw_only=True, gc=False):
    """Whom an identity provider's subject is here; `id` is made of issuer and subject. It outlives a deleted user."""

    table: ClassVar[str] = "linked_subjects"
    user_id: Id
    created_at: datetime


class CustomerProfile(Entity, frozen=True, kw_only=True, gc=False):
    """Whom an invoice is addressed to; one per user."""

    table: ClassVar[str] = "customer_profiles"
    user_id: Id
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    postal_code: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    """ISO 3166-1 alpha-2, upper case."""
    email: str | None = None
    phone: str | None = None
    customer_type: CustomerType | None = None
    vat_id: str | None = None
    stripe_customer_id: str | None = None
    created_at: datetime
    updated_at: datetime


# --- catalog --------------------------------------------------------------------------------------------------------


class ServiceType(Entity, frozen=True, kw_only=True, gc=False):
    """A product line. `provider` names who deploys it; `none` deploys nothing."""

    table: ClassVar[str] = "service_types"
    key: str
    name: str
    description: str | None = None
    provider: str
    config_schema: dict[str, Any] = {}
    is_active: bool = True
    disallow_statutory_withdrawal: bool = False
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.deleted_at is None


class OrderingHighlight(Value, frozen=True, kw_only=True, gc=False):
    icon: str
    text: str


class PlanTerms(Value, frozen=True, kw_only=True, gc=False):
    """What a subscription keeps of its plan as it was when ordered; a later change of the plan never reaches it.

    `price_minor` is the customer's net price of one whole interval.
    """

    plan_name: str
    price_minor: int
    currency: str
    interval: Interval
    interval_count: int
    billing_day_of_month: int | None = None
    """1..31, clamped to the month's last day; only for `month` and `year`."""
    tax_category: TaxCategory = "standard"
    bill_in_advance: bool = False
    cancel_at_period_end: bool = True
    min_commitment_days: int = 0
    notice_days: int = 0


class ServicePlan(Entity, frozen=True, kw_only=True, gc=False):
    """What is sold. Prices are net, in the tenant's currency, with four decimals."""

    table: ClassVar[str] = "service_plans"
    service_type_id: Id | None = None
    name: str
    description: str | None = None
    interval: Interval
    interval_count: int
    billing_day_of_month: int | None = None
    cancel_at_period_end: bool = True
    min_commitment_days: int = 0
    notice_days: int = 0
    base_price: Decimal | None = None
    margin_percent: Decimal | None = None
    margin_fixed: Decimal | None = None
    provider_config_defaults: dict[str, Any] = {}
    ordering_highlights: tuple[OrderingHighlight, ...] = ()
    allow_customer_location_selection: bool = False
    allow_customer_server_type_selection: bool = False
    allowed_server_types: tuple[str, ...] = ()
    is_active: bool = True
    tax_category: TaxCategory = "standard"
    bill_in_advance: bool = False
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.deleted_at is None


# --- subscriptions --------------------------------------------------------------------------------------------------


class Subscription(Entity, frozen=True, kw_only=True, gc=False):
    """A customer's running plan.

    Period k runs from boundary k to boundary k+1 (see `domain/periods.py`); `period_index` is the current k and the
    two instants repeat its boundaries. `charged_through` is where the next charge starts: everything before it has an
    open position or an invoice line.
    """

    table: ClassVar[str] = "subscriptions"
    number: str
    plan_id: Id
    user_id: Id
    status: SubscriptionStatus
    terms: PlanTerms
    anchor: datetime | None = None
    """The order's instant, or the activation's for a backorder; None until it is active."""
    period_index: int = 0
    period_start: datetime | None = None
    period_end: datetime | None = None
    charged_through: datetime | None = None
    cancel_requested_at: datetime | None = None
    cancel_effective_at: datetime | None = None
    resumed_at: datetime | None = None
    ended_at: datetime | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def live(self) -> bool:
        return self.status != "canceled"


class SubscriptionItem(Entity, frozen=True, kw_only=True, gc=False):
    """One provisioned thing in a subscription."""

    table: ClassVar[str] = "subscription_items"
    subscription_id: Id
    service_type_id: Id | None = None
    provisioning_status: Literal["pending", "active", "failed"]
    hostname: str | None = None
    service: Literal["controller", "manager"] | None = None
    released_at: datetime | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def live(self) -> bool:
        return self.released_at is None


class UsageRecord(Entity, frozen=True, kw_only=True, gc=False):
    """Metered use of a subscription. `digest` identifies subscription, period and payload: twice posted is one."""

    table: ClassVar[str] = "usage_records"
    subscription_id: Id
    period_start: datetime
    period_end: datetime
    payload: dict[str, Any]
    digest: str
    cost_minor: int
    recorded_at: datetime
    position_id: Id | None = None

    @property
    def live(self) -> bool:
        return self.position_id is None


class Position(Entity, frozen=True, kw_only=True, gc=False):
    """A charge that is owed and fixed: amount, tax category, period and description never change after this.

    (subscription, kind, period_start, source) is unique. `source` is empty for a period's charge and the usage
    record's id for usage. Closed when invoiced, or at once when it rounds to less than one minor unit.
    `share_numerator / share_denominator` is the charged share of the nominal period, in microseconds.
    """

    table: ClassVar[str] = "positions"
    user_id: Id
    subscription_id: Id
    plan_id: Id
    kind: PositionKind
    source: str = ""
    period_start: datetime
    period_end: datetime
    description: str
    net_minor: int
    currency: str
    tax_category: TaxCategory
    price_minor: int
    """Price of the whole nominal period (period charges) or the record's cost (usage)."""
    share_numerator: int = 1
    share_denominator: int = 1
    invoice_id: Id | None = None
    closed_at: datetime | None = None
    created_at: datetime
    """When the charge fell due (the boundary), whenever it was written."""

    @property
    def live(self) -> bool:
        return self.closed_at is None


# --- invoices and payments ------------------------------------------------------------------------------------------


class Party(Value, frozen=True, kw_only=True, gc=False):
    """Buyer or seller as printed on a document, copied at issue."""

    name: str
    contact_name: str | None = None
    """The buyer's person when `name` is a company."""
    address_line1: str
    address_line2: str | None = None
    postal_code: str | None = None
    city: str
    state: str | None = None
    country: str
    vat_id: str | None = None
    tax_number: str | None = None
    email: str | None = None
    phone: str | None = None
    website: str | None = None
    iban: str | None = None
    bic: str | None = None
    bank_name: str | None = None
    register_entry: str | None = None
    """Commercial register line, e.g. `HRB 12345, Amtsgericht Leipzig`."""
    managing_director: str | None = None


class InvoiceLine(Value, frozen=True, kw_only=True, gc=False):
    """`net_minor` is quantity x unit_price_net, rounded once; tax is the line's share of its group's."""

    description: str
    quantity: Decimal
    unit_price_net: Decimal
    tax_category: TaxCategory
    tax_rate: Decimal
    """Percent, e.g. 19."""
    net_minor: int
    tax_minor: int
    gross_minor: int
    position_id: Id | None = None
    subscription_id: Id | None = None
    plan_id: Id | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None


class TaxGroup(Value, frozen=True, kw_only=True, gc=False):
    """One category and rate of a document (EN 16931 BG-23): tax on the sum of the lines' net (BR-CO-17)."""

    tax_category: TaxCategory
    tax_rate: Decimal
    net_minor: int
    tax_minor: int


class Invoice(Entity, frozen=True, kw_only=True, gc=False):
    """A legal document once issued: from then on only status, payments and balance change.

    The credit note that voids it has the same lines and parties and is kept here as its number and date.
    """

    table: ClassVar[str] = "invoices"
    user_id: Id
    subscription_id: Id | None = None
    subscription_ids: tuple[Id, ...] = ()
    """Every subscription that it has a line of: it is found under each of them."""
    origin: Literal["billing_run", "bill_now", "subscription", "manual"]
    number: str | None = None
    status: InvoiceStatus
    currency: str
    lines: tuple[InvoiceLine, ...]
    tax_groups: tuple[TaxGroup, ...]
    subtotal_net_minor: int
    tax_total_minor: int
    total_gross_minor: int
    paid_minor: int = 0
    balance_minor: int
    seller: Party | None = None
    buyer: Party | None = None
    issued_at: datetime | None = None
    issue_date: date | None = None
    """Calendar day in the billing zone; so are the two that follow."""
    due_date: date | None = None
    overdue_from: datetime | None = None
    """First instant after the due date in the billing zone."""
    paid_at: datetime | None = None
    voided_at: datetime | None = None
    credit_note_number: str | None = None
    credit_note_date: date | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def live(self) -> bool:
        return self.status not in ("paid", "void")


class PaymentAttempt(Entity, frozen=True, kw_only=True, gc=False):
    """One Stripe Checkout session; its id is the idempotency key at Stripe."""

    table: ClassVar[str] = "payment_attempts"
    invoice_id: Id
    user_id: Id
    amount_minor: int
    currency: str
    status: AttemptStatus
    session_id: str | None = None
    checkout_url: str | None = None
    customer_email: str | None = None
    """As first told to the processor: asked again, an attempt must be asked for in the same words."""
    expires_at: datetime | None = None
    failure: str | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def live(self) -> bool:
        return self.status in ("opening", "open")


class Payment(Entity, frozen=True, kw_only=True, gc=False):
    """Money applied to an invoice, or taken back (negative, by mark-unpaid)."""

    table: ClassVar[str] = "payments"
    invoice_id: Id
    user_id: Id
    amount_minor: int
    currency: str
    source: Literal["stripe", "manual"]
    reference: str | None = None
    reason: str | None = None
    received_at: datetime

    @property
    def live(self) -> bool:
        return False


class WebhookEvent(Entity, frozen=True, kw_only=True, gc=False):
    """A payment provider's event that was handled; `id` is a UUID made of the provider's `event_id` (UUIDv5)."""

    table: ClassVar[str] = "webhook_events"
    event_id: str
    type: str
    outcome: str
    invoice_id: Id | None = None
    received_at: datetime

    @property
    def live(self) -> bool:
        return False


# --- the tenant's own bookkeeping -----------------------------------------------------------------------------------


class NumberRange(Entity, frozen=True, kw_only=True, gc=False):
    """The last number drawn of a series (`INV-2026`, `SUB`); `id` is a UUIDv5 of the series."""

    table: ClassVar[str] = "number_ranges"
    series: str
    last: int


class RunError(Value, frozen=True, kw_only=True, gc=False):
    user_id: Id
    message: str


class BillingRun(Entity, frozen=True, kw_only=True, gc=False):
    """A pass over customers that turns their open positions into invoices, in the order of user ids.

    `billing_date` is the day of a scheduled run, None for bill-now; `billing_days` the days of month it covers
    (several after an outage; empty means everybody); `cursor` the last user that is done, so that a run goes on
    after a restart exactly where it stopped.
    """

    table: ClassVar[str] = "billing_runs"
    status: RunStatus
    billing_date: date | None = None
    billing_days: tuple[int, ...] = ()
    only_user_id: Id | None = None
    cursor: Id | None = None
    user_count: int
    done: int = 0
    failed: int = 0
    invoices: int = 0
    errors: tuple[RunError, ...] = ()
    """The first 100."""
    created_at: datetime
    updated_at: datetime

    @property
    def live(self) -> bool:
        return self.status != "done"


class Timetable(Entity, frozen=True, kw_only=True, gc=False):
    """What time it is for the tenant and what is done up to when; one row a tenant."""

    table: ClassVar[str] = "timetables"
    billing_date_done: date
    """Last calendar day (billing zone) whose billing run is complete."""
    zone: str
    """The billing zone that periods are counted in; it can't change under running subscriptions."""
    test_clock: datetime | None = None
    """Where a test clock stands; None while the tenant lives in real time."""
