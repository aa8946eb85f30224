"""Bytes that are kept belong to the very entity they were made of, and to few at a time."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from decabilld.domain.entities import ServiceType
from decabilld.http.rendered import Rendered

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE = ServiceType(id="a", key="vm", name="VM", provider="none", created_at=NOW, updated_at=NOW)


def test_a_changed_entity_is_shown_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("decabilld.http.rendered.KEPT_MAX", 2)
    shown: list[str] = []
    rendered = Rendered[ServiceType](lambda one: shown.append(one.name) or one.name)
    changed = replace(ONE, name="Machine")
    assert [bytes(rendered(one)) for one in (ONE, ONE, changed, changed)] == [b'"VM"'] * 2 + [b'"Machine"'] * 2
    assert shown == ["VM", "Machine"]
    for number in range(5):
        rendered(replace(ONE, id=str(number)))
    assert len(rendered._kept) <= 2
