"""Servers: what customers ask of them, what came of asking their provider, and what a comparison has found."""

from typing import Any, Literal

from decabilld.domain import entities as e
from decabilld.domain.entities import Id
from decabilld.messages.decision import Command, Need
from decabilld.messages.server_effects import Power


class SwitchItem(Command, frozen=True, kw_only=True):
    """Reply: the item, once its provider has taken the order."""

    user_id: Id
    subscription_id: Id
    item_id: Id
    power: Power

    def needs(self) -> tuple[Need, ...]:
        return ((e.Subscription, self.subscription_id), (e.SubscriptionItem, self.item_id))


class ItemOutcome(Command, frozen=True, kw_only=True):
    """Outcome of an effect for an item."""

    item_id: Id
    subscription_id: Id

    def needs(self) -> tuple[Need, ...]:
        return ((e.Subscription, self.subscription_id), (e.SubscriptionItem, self.item_id))


class ConfirmServerCreated(ItemOutcome, frozen=True, kw_only=True):
    """`public_ip` None: it has got no address yet."""

    server_id: str
    public_ip: str | None = None


class ConfirmServerAddress(ItemOutcome, frozen=True, kw_only=True):
    """`server_id`: of two that overlapping tries have made, the one that stays."""

    server_id: str
    public_ip: str


class ConfirmNamePublished(ItemOutcome, frozen=True, kw_only=True):
    """`failure`: why there will be no DNS record; the server runs all the same."""

    failure: str | None = None


class ConfirmServerRefused(ItemOutcome, frozen=True, kw_only=True):
    """Outcome of the effect of `step`: there is no server. `no_capacity`: there may be one later; else the same would
    never work."""

    step: Literal["create", "await_address"]
    reason: str
    no_capacity: bool


class ConfirmServerRemoved(ItemOutcome, frozen=True, kw_only=True):
    """Nothing outside is left of the item."""


class ConfirmSwitched(ItemOutcome, frozen=True, kw_only=True):
    """`failure`: why it wasn't."""

    power: Power
    failure: str | None = None


class RetryBackorder(Command, frozen=True, kw_only=True):
    """Try again now, with other wishes where `config` is given: all of them, in clear, and sealed in `sealed`.

    Reply: the Backorder.
    """

    user_id: Id
    backorder_id: Id
    config: dict[str, Any] | None = None
    sealed: str | None = None
    reason: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Backorder, self.backorder_id),)


class CancelBackorder(Command, frozen=True, kw_only=True):
    """Reply: the Backorder."""

    user_id: Id
    backorder_id: Id
    reason: str | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Backorder, self.backorder_id),)


class ReportOrphan(Command, frozen=True, kw_only=True):
    """A server with our label that no item pays for. `orphan_id` is derived from provider and `server_id`."""

    orphan_id: Id
    provider: str
    server_id: str
    name: str
    label_id: Id
    deleted: bool = False

    def needs(self) -> tuple[Need, ...]:
        return ((e.OrphanServer, self.orphan_id),)


class ForgetOrphan(Command, frozen=True, kw_only=True):
    """It isn't there any more, or is paid for again."""

    orphan_id: Id

    def needs(self) -> tuple[Need, ...]:
        return ((e.OrphanServer, self.orphan_id),)


class ReportVanishedServer(ItemOutcome, frozen=True, kw_only=True):
    """The provider doesn't know an active item's server any more. `server_id` is the one that was looked for."""

    server_id: str


class ReportReturnedServer(ItemOutcome, frozen=True, kw_only=True):
    """The provider knows the server of an item again that had failed since it didn't."""

    server_id: str


class ReportStackUpdate(ItemOutcome, frozen=True, kw_only=True):
    """The containers of an item's server were updated, or not."""

    failure: str | None = None
