"""What is deployed for a subscription, what waits for capacity, and servers that nobody ordered."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from decabilld.domain.entities.base import BackorderStatus, Entity, Id

ServerStep = Literal["create", "await_address", "publish_name", "switch", "remove"]
"""What is being done for an item outside: one thing at a time, so that nothing overtakes anything."""


class SubscriptionItem(Entity, frozen=True, kw_only=True, gc=False):
    """One server of a subscription. Its hostname is its own until it is released.

    Its id is the label of its server at the provider: by it a server is found again, whatever was lost meanwhile.
    """

    SEALED_SECRETS: ClassVar[str] = "SubscriptionItem.sealed_secrets"
    table: ClassVar[str] = "subscription_items"
    subscription_id: Id
    user_id: Id
    service_type_id: Id | None = None
    provisioning_status: Literal["pending", "active", "failed"]
    step: ServerStep | None = None
    """The effect that is under way; None while nothing is."""
    provider: str
    server_type: str
    location: str
    image: str | None = None
    """None: the provider's default."""
    service: Literal["controller", "manager"] | None = None
    config_defaults: dict[str, Any] = {}
    """The plan's, as they were when it was ordered; what the customer asked for lies over them."""
    sealed_secrets: str | None = None
    """Sealed ItemSecrets; None once the item is released."""
    ssh_public_key: str
    host_public_key: str
    auto_backorder: bool = False
    """Whether it may wait for capacity that turns out to be gone."""
    hostname: str
    server_id: str | None = None
    """The provider's id."""
    public_ip: str | None = None
    failure: str | None = None
    unwanted_since: datetime | None = None
    """Its subscription has ended: everything outside has to go."""
    stack_updated_at: datetime | None = None
    """Real time of the last update of its containers."""
    released_at: datetime | None = None
    """Nothing outside is left of it."""
    created_at: datetime
    updated_at: datetime

    @property
    def live(self) -> bool:
        return self.released_at is None


class Backorder(Entity, frozen=True, kw_only=True, gc=False):
    """An order that capacity couldn't serve. `failed`: it would never work as it is; with other wishes it may."""

    table: ClassVar[str] = "backorders"
    user_id: Id
    service_type_id: Id
    plan_id: Id
    subscription_id: Id
    item_id: Id
    status: BackorderStatus
    failure_reason: str | None = None
    provider_errors: dict[str, Any] = {}
    preferred_alternatives: dict[str, Any] = {}
    attempts: int = 0
    retry_at: datetime | None = None
    """When it is tried again by itself; None while it is being tried, or never."""
    created_at: datetime
    updated_at: datetime

    @property
    def live(self) -> bool:
        return self.status in ("pending", "retrying", "failed")


class OrphanServer(Entity, frozen=True, kw_only=True, gc=False):
    """A server with our label that no item pays for. Reported once; gone once it isn't there any more."""

    table: ClassVar[str] = "orphan_servers"
    provider: str
    server_id: str
    name: str
    label_id: Id
    """The item that its label names."""
    found_at: datetime
    gone_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.gone_at is None
