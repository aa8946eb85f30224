"""What a tenant's actor wants done at providers of servers. One at a time for an item: `SubscriptionItem.step`.

Each may run twice and finds what it did before by the item's label. What they need of the item they read when they
run, so that no secret lies in the outbox.
"""

from typing import ClassVar, Literal

from decabilld.domain.entities import Id
from decabilld.messages.decision import Effect, Lane

Power = Literal["start", "stop", "restart"]


class ServerEffect(Effect, frozen=True, kw_only=True):
    """`subscription_id` and `user_id` are the item's."""

    lane: ClassVar[Lane] = "servers"
    item_id: Id
    subscription_id: Id
    user_id: Id


class CreateServer(ServerEffect, frozen=True, kw_only=True):
    """Make the item's server, unless there is one with its label."""


class CreateForBackorder(CreateServer, frozen=True, kw_only=True):
    """Likewise, for one who waits anyway: hundreds may be tried at once, and keep nobody's order or end waiting."""

    lane: ClassVar[Lane] = "backorders"


class AwaitAddress(ServerEffect, frozen=True, kw_only=True):
    """Ask until the server has got a public address; for an hour, since giving up ends the order or puts it back."""

    attempts_max: ClassVar[int] = 250
    pause_seconds_max: ClassVar[float] = 15.0


class PublishName(ServerEffect, frozen=True, kw_only=True):
    """Write the hostname's DNS record; for nine hours, since a customer waits for the server, or for its end."""

    attempts_max: ClassVar[int] = 120
    pause_seconds_max: ClassVar[float] = 300.0


class RemoveServer(ServerEffect, frozen=True, kw_only=True):
    """DNS record, server and SSH key, in that order; tried until nothing is left."""

    attempts_max: ClassVar[int] = 1_000_000


class SwitchServer(ServerEffect, frozen=True, kw_only=True):
    """Switch the server on or off, or start it anew, for somebody who waits."""

    power: Power
