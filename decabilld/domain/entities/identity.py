"""Who may sign in, how that ends, and whom invoices are addressed to."""

from datetime import datetime
from typing import ClassVar

from decabilld.domain.entities.base import CodePurpose, CustomerType, Entity, Id, Role


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
