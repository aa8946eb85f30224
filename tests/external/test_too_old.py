"""A PostgreSQL that lacks what a session of ours asks for: refused at once, with what is needed instead."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.command import decabilld
from tests.external.server import ExternalPostgres, external_postgres
from tests.external.versions import TOO_OLD
from tests.operations.archives import rows

SAID = "PostgreSQL 14 or newer, on Linux, is needed"


@pytest.fixture(scope="module")
def old() -> Iterator[ExternalPostgres]:
    with external_postgres(TOO_OLD) as server:
        yield server


@pytest.mark.heavy
@pytest.mark.parametrize("command", ["serve", "migrate", "doctor", "verify-journal"])
async def test_it_is_refused(old: ExternalPostgres, tmp_path: Path, command: str) -> None:
    done = await decabilld(command, data_dir=tmp_path, PORT="0", WEBSOCKET_PORT="0", **old.environment)
    said = done.out + done.err
    assert done.code == 1, said
    assert said.count(SAID) == 1, said
    assert "Traceback" not in said
    assert rows(old.root_dsn) == {}
