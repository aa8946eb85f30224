"""The document is made of the operations: complete, valid where clients rely on it, and what the daemon serves."""

import json
from typing import Any

import pytest
import yaml
from aiohttp import web
from marshmallow import validate
from marshmallow.fields import Float

from decabilld.http.app import all_operations
from decabilld.http.call import Call
from decabilld.http.openapi import openapi_document
from decabilld.http.operation import Auth, Operation, operation, operations_of
from decabilld.http.schemas.base import Answer, Request
from decabilld.http.schemas.fields import Count
from tests.http.edge import Edge

WORDS: dict[str, Any] = {"auth": Auth.PUBLIC, "tag": "Catalog", "summary": "S.", "description": "D.", "answer": None}


class LimitsSchema(Request):
    over = Float(validate=validate.Range(min=0, min_inclusive=False, max=1, max_inclusive=False))


class LimitsAnswerSchema(Answer):
    count = Count(0, 5)


async def nothing(call: Call) -> web.Response:
    return web.Response()


def module_of(*operations: Operation) -> Any:
    module = type(yaml)("made_up")
    vars(module).update({one.id or "nameless": one for one in operations})
    return module


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document(all_operations())


def test_each_operation_says_what_it_is(document: dict[str, Any]) -> None:
    described = [one for path in document["paths"].values() for one in path.values()]
    assert len(described) >= 54
    for one in described:
        assert all(one[key] for key in ("operationId", "summary", "description", "tags", "responses")), one
    assert len({one["operationId"] for one in described}) == len(described)
    tags = {tag["name"] for tag in document["tags"]}
    assert {tag for one in described for tag in one["tags"]} == tags


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found: list[str] = []

    def walk(value: Any) -> None:
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            if key == "$ref":
                found.append(below)
            elif isinstance(below, dict | list):
                walk(below)

    walk(document)
    assert len(found) > 100
    for reference in set(found):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_prices_are_strings_and_amounts_numbers(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["ServicePlanResponse"]["properties"]["basePrice"]["type"] == ["string", "null"]
    assert schemas["InvoiceDetailResponse"]["properties"]["totalGross"]["type"] == "number"
    assert schemas["UserResponse"]["properties"]["role"]["$ref"] == "#/components/schemas/UserRole"
    assert document["paths"]["/auth/login"]["post"]["security"] == []
    assert "security" not in document["paths"]["/subscriptions"]["get"]


def test_exclusive_limits_are_exclusive() -> None:
    one = operation("POST", "/x", id="x", body=LimitsSchema, **{**WORDS, "answer": LimitsAnswerSchema})(nothing)
    schemas = openapi_document([one])["components"]["schemas"]
    assert schemas["Limits"]["properties"]["over"] == {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
    assert schemas["LimitsAnswer"]["properties"]["count"] == {"type": "integer", "minimum": 0, "maximum": 5}


@pytest.mark.parametrize("lacking", ["id", "tag", "summary", "description"])
def test_an_operation_that_says_too_little_stops_the_start(lacking: str) -> None:
    one = operation("GET", "/x", **{**WORDS, "id": "x", "answer": LimitsAnswerSchema, lacking: ""})(nothing)
    with pytest.raises(ValueError, match="needs an id"):
        operations_of([module_of(one)])


def test_an_operation_without_an_answer_or_declared_twice_stops_the_start() -> None:
    with pytest.raises(ValueError, match="what it answers"):
        operations_of([module_of(operation("GET", "/x", id="x", **WORDS)(nothing))])
    twice = [operation("GET", path, status=204, id="x", **WORDS)(nothing) for path in ("/x", "/y")]
    with pytest.raises(ValueError, match="twice"):
        operations_of([module_of(twice[0]), module_of(twice[1])])


async def test_the_document_is_served_in_both_forms(edge: Edge) -> None:
    status, as_yaml, response = await edge.call("GET", "/spec/billing-manager/openapi.yaml")
    assert (status, response.content_type) == (200, "application/yaml")
    _, as_json, response = await edge.call("GET", "/spec/billing-manager/openapi.json")
    assert yaml.safe_load(as_yaml) == json.loads(await response.read())
    assert as_json["openapi"] == "3.1.0"
    assert "/admin/billing/test-clock" in as_json["paths"]
