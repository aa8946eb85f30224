"""The OpenAPI document as client developers meet it: true to the facts, valid to strangers' tools, in whole words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from decabilld.http.endpoint import read_body
from decabilld.http.openapi import as_yaml
from decabilld.http.openapi_fields import component_name
from decabilld.http.operation import Operation
from decabilld.http.schemas.examples import BODIES
from tests.contract import facts
from tests.contract.tools import MODULES, NODE, ROOT, require_node, run

HERE = Path(__file__).parent
SHARED = ROOT.parent / "shared" / "contract"


def test_the_facts_of_the_contract_hold(document: dict[str, Any]) -> None:
    contract = yaml.safe_load((HERE / "seed.yaml").read_text())
    faults = facts.Comparison(facts.distil(document), contract).run()
    assert faults == []


def test_the_copy_of_the_facts_is_what_was_agreed() -> None:
    if not SHARED.exists():
        pytest.skip("only where ../shared is")
    for name in ("seed.yaml", "facts.py"):
        assert (HERE / name).read_bytes() == (SHARED / name).read_bytes(), name


def test_the_comparison_finds_what_is_missing(document: dict[str, Any]) -> None:
    contract = yaml.safe_load((HERE / "seed.yaml").read_text())
    less = {**document, "paths": {path: item for path, item in document["paths"].items() if path != "/users"}}
    faults = facts.Comparison(facts.distil(less), contract).run()
    assert {"GET /users: missing", "POST /users: missing"} <= set(faults)


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_redocly_finds_nothing(document: dict[str, Any], tmp_path: Path) -> None:
    require_node()
    written = tmp_path / "openapi.yaml"
    written.write_bytes(as_yaml(document))
    run(MODULES / ".bin" / "redocly", "lint", "--config", NODE / "redocly.yaml", written)


def test_everything_is_said_in_words(document: dict[str, Any]) -> None:
    components = document["components"]
    silent = [
        f"{name}.{field}"
        for name, schema in components["schemas"].items()
        for field, said in schema.get("properties", {}).items()
        if not said.get("description")
    ]
    silent += [
        f"{operation['operationId']} {parameter['name']}"
        for operation in _described(document)
        for parameter in operation["parameters"]
        if "$ref" not in parameter and not parameter.get("description")
    ]
    assert silent == []


def test_every_body_has_an_example_that_the_daemon_takes(document: dict[str, Any], operations: list[Operation]) -> None:
    for operation in operations:
        if operation.body is not None:
            name = component_name(operation.body)
            assert name in BODIES, f"{name} has no example in http/schemas/examples.py"
            read_body(operation.body(), msgspec.json.encode(BODIES[name]), required=True)
            _check(document, {"$ref": f"#/components/schemas/{name}"}, BODIES[name])


def test_every_example_validates(document: dict[str, Any]) -> None:
    checked = 0
    for schema in document["components"]["schemas"].values():
        for field in schema.get("properties", {}).values():
            for example in field.get("examples", []):
                _check(document, field, example)
                checked += 1
    for response in document["components"]["responses"].values():
        media = response["content"]["application/json"]
        _check(document, media["schema"], media["example"])
    assert checked > 100


def test_every_error_that_is_told_has_a_shape(document: dict[str, Any]) -> None:
    for operation in _described(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                if operation["operationId"] == "getReadiness" and status == "503":  # no error: an answer to a probe
                    assert response["content"]["application/json"]["schema"]["$ref"].endswith("/UnreadyResponse")
                    continue
                assert response["$ref"].rpartition("/")[2] in document["components"]["responses"]


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_a_change_of_the_contract_is_seen_in_review(
    name: str, document: dict[str, Any], socket_document: dict[str, Any]
) -> None:
    made = as_yaml(document if name == "openapi" else socket_document)
    kept = (ROOT / "docs" / f"{name}.yaml").read_bytes()
    assert kept == made, f"docs/{name}.yaml is not what is served: `make openapi`, and name the change in CHANGELOG.md"


def _described(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _check(document: dict[str, Any], schema: dict[str, Any], example: object) -> None:
    whole = {**schema, "components": document["components"]}
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert [error.message for error in validator.iter_errors(example)] == [], (schema, example)
