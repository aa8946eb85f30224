"""A switch that was asked for before an outage: whoever asked is gone, and may have changed their mind."""

import pytest
from msgspec.structs import replace

from decabilld.gateways import servers
from decabilld.ids import new_id
from decabilld.messages.commands import ConfirmServerCreated, ConfirmSwitched
from decabilld.messages.server_effects import CreateServer, SwitchServer
from tests.servers.test_doubt import Desk, desk

__all__ = ["desk"]


async def test_a_switch_comes_at_once_or_not_at_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    process = await desk.process()
    made = await process.create_server("t", desk.effect(CreateServer))
    assert isinstance(made, ConfirmServerCreated)
    desk.item = replace(desk.item, server_id=made.server_id)
    stop = SwitchServer(
        id=new_id(), item_id=desk.item.id, subscription_id=desk.item.subscription_id, user_id="u", power="stop"
    )
    monkeypatch.setattr(servers, "SWITCHED_WITHIN_SECONDS", -1.0)
    late = await process.switch_server("t", stop)
    assert isinstance(late, ConfirmSwitched)
    assert late.failure is not None
    assert "in time" in late.failure
    asked = len(desk.fake.requests)
    monkeypatch.undo()
    at_once = await process.switch_server("t", stop)
    assert isinstance(at_once, ConfirmSwitched)
    assert at_once.failure is None
    assert len(desk.fake.requests) > asked
