"""The vocabulary of a tenant's actor: everything that it can be asked to do.

`fields` are entity fields, typed and checked by the edge's schema; ids of callers are never in them.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from decabilld.domain import entities as e
from decabilld.domain.entities import Id, Role
from decabilld.messages.decision import Command, Need

# --- identity ---


class RegisterUser(Command, frozen=True, kw_only=True):
    """Sign up. `password_hash` is argon2id's, `code_digest` the keyed digest of the code that confirms the address."""

    email: str
    password_hash: str
    code_digest: str
    code_expires_at: datetime
    sealed_code: str | None = None
    """For the mail; None: whoever asks tells the code otherwise."""


class ConfirmEmail(Command, frozen=True, kw_only=True):
    email: str
    code_digest: str


class CreateUser(Command, frozen=True, kw_only=True):
    """By an admin: confirmed at once."""

    email: str
    password_hash: str
    role: Role = "user"


class UpdateUser(Command, frozen=True, kw_only=True):
    """By an admin; None leaves it as it is. Another password or role ends the user's sessions."""

    user_id: Id
    email: str | None = None
    password_hash: str | None = None
    role: Role | None = None


class LockUser(Command, frozen=True, kw_only=True):
    user_id: Id


class UnlockUser(Command, frozen=True, kw_only=True):
    user_id: Id


class DeleteUser(Command, frozen=True, kw_only=True):
    """Only of somebody whom nothing is kept for. `closed_invoices` are those that memory doesn't have."""

    user_id: Id
    closed_invoices: int


class RequestPasswordReset(Command, frozen=True, kw_only=True):
    """Reply: the User whom the code is told, or None. An unknown address costs the same work."""

    email: str
    code_digest: str
    code_expires_at: datetime
    sealed_code: str | None = None


class ResetPassword(Command, frozen=True, kw_only=True):
    email: str
    code_digest: str
    password_hash: str


class ChangePassword(Command, frozen=True, kw_only=True):
    """By the user. `known_hash` is what the current password was verified against."""

    user_id: Id
    known_hash: str
    password_hash: str


class RenewPasswordHash(Command, frozen=True, kw_only=True):
    """The same password, hashed as we do now; ends no session."""

    user_id: Id
    known_hash: str
    password_hash: str


class EndSession(Command, frozen=True, kw_only=True):
    user_id: Id
    token_id: Id
    expires_at: datetime


class EndAllSessions(Command, frozen=True, kw_only=True):
    user_id: Id


class AdmitSubject(Command, frozen=True, kw_only=True):
    """Whom an identity provider vouches for, at first sight or under a new address. Reply: the User.

    `link_id` is made of issuer and subject. A verified address that a user has already makes the subject that user.
    """

    link_id: Id
    email: str
    email_verified: bool


class ImportedUser(Struct, frozen=True, kw_only=True):
    """Somebody who comes from elsewhere with the hash of their password; argon2's or bcrypt's."""

    email: str
    password_hash: str
    role: Role = "user"
    email_confirmed_at: datetime | None = None


class ImportUsers(Command, frozen=True, kw_only=True):
    """By the operator. An address that has an account keeps it as it is. Reply: UsersImported."""

    users: tuple[ImportedUser, ...]


# --- catalog ---


class CreateServiceType(Command, frozen=True, kw_only=True):
    fields: dict[str, Any]


class UpdateServiceType(Command, frozen=True, kw_only=True):
    service_type_id: Id
    fields: dict[str, Any]


class DeleteServiceType(Command, frozen=True, kw_only=True):
    service_type_id: Id


class CreateServicePlan(Command, frozen=True, kw_only=True):
    fields: dict[str, Any]


class UpdateServicePlan(Command, frozen=True, kw_only=True):
    plan_id: Id
    fields: dict[str, Any]


class DeleteServicePlan(Command, frozen=True, kw_only=True):
    plan_id: Id


# --- customers ---


class UpdateCustomerProfile(Command, frozen=True, kw_only=True):
    """Creates the profile when there is none, unless `profile_id` names one that must be there."""

    user_id: Id
    fields: dict[str, Any]
    profile_id: Id | None = None


class CreateCustomerProfile(Command, frozen=True, kw_only=True):
    """By an admin: of somebody who has none yet."""

    user_id: Id
    fields: dict[str, Any]


class DeleteCustomerProfile(Command, frozen=True, kw_only=True):
    """Only of somebody without invoices and subscriptions. `invoices` are those that the database has."""

    profile_id: Id
    invoices: int


# --- subscriptions ---


class OrderSubscription(Command, frozen=True, kw_only=True):
    user_id: Id
    plan_id: Id
    requested_config: dict[str, Any] = {}
    auto_backorder: bool = False


class CancelSubscription(Command, frozen=True, kw_only=True):
    user_id: Id
    subscription_id: Id
    reason: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Subscription, self.subscription_id),)


class ResumeSubscription(Command, frozen=True, kw_only=True):
    user_id: Id
    subscription_id: Id
    reason: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Subscription, self.subscription_id),)


class RecordUsage(Command, frozen=True, kw_only=True):
    """`record_id` is derived from `digest`, so that the same record posted twice is one."""

    subscription_id: Id
    period_start: datetime
    period_end: datetime
    payload: dict[str, Any]
    digest: str
    record_id: Id

    def needs(self) -> tuple[Need, ...]:
        return ((e.Subscription, self.subscription_id), (e.UsageRecord, self.record_id))


# --- invoices and payments ---


class LineWanted(Struct, frozen=True, kw_only=True):
    """A line of a manual invoice as the operator writes it."""

    description: str
    quantity: Decimal
    unit_price_net: Decimal
    tax_category: e.TaxCategory = "standard"


class CreateManualInvoice(Command, frozen=True, kw_only=True):
    """Reply: the draft. `currency` None is the tenant's."""

    user_id: Id
    subscription_id: Id | None = None
    currency: str | None = None
    lines: tuple[LineWanted, ...]

    def needs(self) -> tuple[Need, ...]:
        return ((e.Subscription, self.subscription_id),) if self.subscription_id else ()


class UpdateManualInvoice(Command, frozen=True, kw_only=True):
    """The draft with these lines instead of its own."""

    invoice_id: Id
    lines: tuple[LineWanted, ...]

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class DeleteManualInvoice(Command, frozen=True, kw_only=True):
    invoice_id: Id

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class IssueManualInvoice(Command, frozen=True, kw_only=True):
    """Reply: the issued invoice. `due_in_days` None is the tenant's term."""

    invoice_id: Id
    due_in_days: int | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class InvoiceSubscription(Command, frozen=True, kw_only=True):
    """Bill a subscription's elapsed part and open positions now. `description` goes into the journal.

    Reply: the issued invoice.
    """

    subscription_id: Id
    description: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Subscription, self.subscription_id),)


class VoidInvoice(Command, frozen=True, kw_only=True):
    """`subscription_id` is the route's, when the route has one: the invoice must have a line of it."""

    invoice_id: Id
    subscription_id: Id | None = None
    reason: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class MarkInvoicePaid(Command, frozen=True, kw_only=True):
    invoice_id: Id
    reason: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class MarkInvoiceUnpaid(Command, frozen=True, kw_only=True):
    invoice_id: Id
    reason: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class InitiatePayment(Command, frozen=True, kw_only=True):
    """Reply: the PaymentAttempt with its checkout URL, deferred until the processor answered."""

    user_id: Id
    invoice_id: Id
    subscription_id: Id | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),)


class ConfirmCheckoutOpened(Command, frozen=True, kw_only=True):
    """Outcome of `OpenCheckout`."""

    attempt_id: Id
    session_id: str
    checkout_url: str
    expires_at: datetime

    def needs(self) -> tuple[Need, ...]:
        return ((e.PaymentAttempt, self.attempt_id),)


class ConfirmCheckoutFailed(Command, frozen=True, kw_only=True):
    """Outcome of `OpenCheckout`: no session that we know of. `in_doubt`: there may be one all the same."""

    attempt_id: Id
    reason: str
    in_doubt: bool = False
    timed_out: bool = False

    def needs(self) -> tuple[Need, ...]:
        return ((e.PaymentAttempt, self.attempt_id),)


class ApplyPaymentEvent(Command, frozen=True, kw_only=True):
    """A verified event of the payment processor; handled once per `event_id`. `record_id` is derived from it."""

    record_id: Id
    event_id: str
    type: str
    outcome: Literal["paid", "failed", "expired", "unused"]
    invoice_id: Id | None = None
    attempt_id: Id | None = None
    amount_minor: int | None = None
    currency: str | None = None
    reference: str | None = None

    def needs(self) -> tuple[Need, ...]:
        wanted: list[Need] = [(e.WebhookEvent, self.record_id)]
        if self.invoice_id:
            wanted.append((e.Invoice, self.invoice_id))
        if self.attempt_id:
            wanted.append((e.PaymentAttempt, self.attempt_id))
        return tuple(wanted)


# --- time ---


Work = Literal["charges", "billing", "overdue"]
AT_A_TIME = 300
"""Subscriptions, customers or invoices that one command of long work deals with, so that requests get in between."""


class DoDueWork(Command, frozen=True, kw_only=True):
    """Do what has fallen due, in order: charges and endings, billing runs (after the charges), overdue invoices.

    Reply: None once nothing is due. What fails as one of many is tried alone (`target`), and left out (`skip`) until
    the next time when it is to blame.
    """

    kinds: tuple[Work, ...] = ("charges", "billing", "overdue")
    at_a_time: int = AT_A_TIME
    singly_left: int = 0
    target: Id | None = None
    skip: tuple[Id, ...] = ()

    def if_faulty(self) -> "DoDueWork | None":
        if self.target is not None:
            return replace(self, target=None, skip=(*self.skip, self.target))
        if self.at_a_time == 1:
            return None
        return replace(self, at_a_time=1, singly_left=AT_A_TIME)


class StartBillNow(Command, frozen=True, kw_only=True):
    """Reply: the queued BillingRun. `only_user_id` None means every customer."""

    only_user_id: Id | None = None


class MoveTestClock(Command, frozen=True, kw_only=True):
    """Move the tenant's time to `to`, deciding what falls due on the way at its own instant.

    Reply: the Timetable once all of it is done; long ways are walked in steps.
    """

    to: datetime


class OpenTimetable(Command, frozen=True, kw_only=True):
    """First thing a new tenant is told: its billing days count from today on, in the zone that is set."""


# --- effects' bookkeeping ---


class ConfirmEffectDone(Command, frozen=True, kw_only=True):
    """Outcome of an effect whose success changes nothing else (a document was rendered)."""


class GiveUpEffect(Command, frozen=True, kw_only=True):
    """An effect has failed for the last time: say so in the journal."""

    effect_id: Id
    effect_kind: str
    reason: str
    invoice_id: Id | None = None
    user_id: Id | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),) if self.invoice_id else ()
