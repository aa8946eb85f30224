"""What all entities are made of: their words, values and the row with an identity."""

from typing import ClassVar, Literal

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
BackorderStatus = Literal["pending", "retrying", "fulfilled", "cancelled", "failed"]
AttemptStatus = Literal["opening", "open", "closing", "processing", "paid", "expired", "failed"]


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
