"""The AsyncAPI document: valid to AsyncAPI's own parser, and of the payloads that run."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from decabilld.http.openapi import as_yaml
from decabilld.realtime import payloads
from decabilld.realtime.asyncapi import asyncapi_document
from tests.contract.tools import NODE, require_node, run

# The contract names this version of AsyncAPI; the parser would rather have the newest.
NOT_THE_NEWEST = "asyncapi-latest-version"


def test_its_own_parser_finds_nothing(socket_document: dict[str, Any], tmp_path: Path) -> None:
    require_node()
    written = tmp_path / "asyncapi.yaml"
    written.write_bytes(as_yaml(socket_document))
    found = json.loads(run("node", NODE / "asyncapi.mjs", written))
    assert found["parsed"]
    assert found["operations"] == 4
    assert [remark for remark in found["remarks"] if remark["code"] != NOT_THE_NEWEST] == []


def test_it_names_every_event(socket_document: dict[str, Any]) -> None:
    events = {payloads.SUBSCRIBE, payloads.UNSUBSCRIBE, payloads.UPDATE, payloads.ERROR}
    assert set(socket_document["operations"]) == set(socket_document["components"]["messages"]) == events
    for name, operation in socket_document["operations"].items():
        heard = operation["action"] == "receive"
        assert heard == (name in (payloads.SUBSCRIBE, payloads.UNSUBSCRIBE))


def test_examples_and_words(socket_document: dict[str, Any]) -> None:
    components = socket_document["components"]
    for message in components["messages"].values():
        for example in message.get("examples", []):
            whole = {**message["payload"], "components": components}
            assert [error.message for error in Draft202012Validator(whole).iter_errors(example["payload"])] == []
    fields = [field for schema in components["schemas"].values() for field in schema["properties"].values()]
    assert len(fields) >= 14
    assert all(field.get("description") for field in fields)


def test_another_namespace_is_told() -> None:
    (channel,) = asyncapi_document("/elsewhere")["channels"].values()
    assert channel["address"] == "/elsewhere"
