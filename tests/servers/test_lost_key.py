"""Secrets of orders under a key that the operator has lost: the orders can be looked at and cancelled, not changed."""

import pytest

from decabilld.domain.entities import SubscriptionItem
from decabilld.domain.refusals import Invalid
from decabilld.gateways.providers import Providers
from decabilld.sealing import Keyring
from decabilld.server_setup import Servers
from tests.store import samples


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
