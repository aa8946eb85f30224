"""What a running daemon serves is what is checked in, but for what its settings add."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.contract.tools import ROOT
from tests.harness.daemons import running_daemon

DOCS = ROOT / "docs"


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
async def test_both_documents_are_served_in_both_forms(name: str, database: str, tmp_path: Path) -> None:
    async with running_daemon(database, tmp_path, check=False, test_clock=False) as daemon:
        place = f"{daemon.url.removesuffix('/api')}/spec/billing-manager/{name}"
        async with aiohttp.ClientSession() as http:
            as_yaml = await _read(http, f"{place}.yaml", "application/yaml")
            as_json = await _read(http, f"{place}.json", "application/json")
    assert as_yaml == (DOCS / f"{name}.yaml").read_text()
    assert yaml.safe_load(as_json) == yaml.safe_load(as_yaml)


async def _read(http: aiohttp.ClientSession, url: str, content_type: str) -> Any:
    async with http.get(url) as response:
        assert (response.status, response.content_type, response.charset) == (200, content_type, "utf-8")
        return await response.text()
