"""Secrets of orders under a key that the operator has lost: the orders can be looked at and cancelled, not changed.

One that was only mistaken for another ends no order: it is tried until the right one is there.
"""

import pytest
from msgspec.structs import replace

from decabilld.domain.entities import SubscriptionItem
from decabilld.domain.refusals import Invalid
from decabilld.gateways.providers import Providers
from decabilld.messages.commands import ConfirmServerCreated
from decabilld.messages.server_effects import CreateServer
from decabilld.sealing import Keyring, NotOpened
from decabilld.server_setup import Servers
from tests.servers.test_doubt import Desk, desk
from tests.store import samples

__all__ = ["desk"]


def test_what_cannot_be_opened_shows_nothing_and_is_not_sealed_anew() -> None:
    before, now = (Servers(Providers({}), Keyring(key * 32)) for key in (b"a", b"b"))
    secrets = before.new_secrets("t", {"staticApiKey": "hush"})
    item: SubscriptionItem = samples.item(
        samples.subscription(samples.user(), samples.plan()), sealed_secrets=secrets.sealed
    )
    assert before.wishes("t", item) == {"staticApiKey": "hush"}
    assert now.wishes("t", item) == {}
    with pytest.raises(Invalid, match="order anew"):
        now.resealed("t", item, {})


async def test_a_wrong_key_ends_no_order(desk: Desk) -> None:
    right = desk.item.sealed_secrets
    desk.item = replace(desk.item, sealed_secrets=Keyring(b"x" * 32).seal("{}", "t", SubscriptionItem.SEALED_SECRETS))
    process = await desk.process()
    with pytest.raises(NotOpened):
        await process.create_server("t", desk.effect(CreateServer))
    desk.item = replace(desk.item, sealed_secrets=right)
    assert isinstance(await process.create_server("t", desk.effect(CreateServer)), ConfirmServerCreated)
