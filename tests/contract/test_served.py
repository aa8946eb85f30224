"""What a running daemon serves is what is checked in, but for what its settings add."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from jsonschema import Draft202012Validator

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


async def test_the_daemon_tells_of_itself_as_documented(database: str, tmp_path: Path) -> None:
    document = yaml.safe_load((DOCS / "openapi.yaml").read_text())
    async with running_daemon(database, tmp_path, check=False) as daemon, aiohttp.ClientSession() as http:
        for path, operation in document["paths"].items():
            if operation.get("get", {}).get("tags") != ["Site"]:
                continue
            shown = json.loads(await _read(http, daemon.url + path, "application/json"))
            schema = operation["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            name = schema["$ref"].rpartition("/")[2]
            described = document["components"]["schemas"][name]
            assert set(described["required"]) <= shown.keys() <= described["properties"].keys()
            whole = {**schema, "components": document["components"]}
            assert [error.message for error in Draft202012Validator(whole).iter_errors(shown)] == []


async def _read(http: aiohttp.ClientSession, url: str, content_type: str) -> Any:
    async with http.get(url) as response:
        assert (response.status, response.content_type, response.charset) == (200, content_type, "utf-8")
        return await response.text()
