"""Configurations against schemas that admins write."""

import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decabilld.domain.provisioning import check_config, check_schema
from decabilld.domain.provisioning.schema import LONGEST_MATCHED
from decabilld.domain.refusals import Invalid

CLOUD = {
    "type": "object",
    "basePriceFromField": "serverType",
    "properties": {
        "serverType": {"type": "string", "enum": ["cx22", "cx32"]},
        "region": {"type": "string", "enum": ["fsn1", "nbg1"], "label": "Where"},
        "smtp": {
            "type": "object",
            "properties": {"host": {"type": "string"}, "port": {"type": "integer", "minimum": 1, "maximum": 65535}},
            "required": ["host"],
            "additionalProperties": False,
        },
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 5}, "maxItems": 2},
        "note": {"type": ["string", "null"], "minLength": 2, "pattern": "^[a-z]+$"},
    },
    "required": ["serverType", "region"],
}
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
GOOD = {"serverType": "cx22", "location": "fsn1"}


def faults(schema: dict[str, Any], config: dict[str, Any]) -> list[str]:
    try:
        check_config(schema, config)
    except Invalid as refused:
        return refused.message.split("; ")
    return []


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (GOOD, []),
        ({**GOOD, "unknown": [1, {}]}, []),
        ({}, ["requestedConfig.serverType: is required", "requestedConfig.location: is required"]),
        ({**GOOD, "location": "ash"}, ["requestedConfig.location: must be one of fsn1, nbg1"]),
        ({**GOOD, "location": 5}, ["requestedConfig.location: must be a string"]),
        ({**GOOD, "smtp": {"host": "m", "port": 25}}, []),
        ({**GOOD, "smtp": {"host": "m", "port": Decimal("25.0")}}, []),
        ({**GOOD, "smtp": {"host": "m", "port": 2.5}}, ["requestedConfig.smtp.port: must be an integer"]),
        ({**GOOD, "smtp": {"host": "m", "port": True}}, ["requestedConfig.smtp.port: must be an integer"]),
        (
            {**GOOD, "smtp": {"host": "m", "port": Decimal("1E+99999")}},
            ["requestedConfig.smtp.port: must be at most 65535"],
        ),
        ({**GOOD, "smtp": {"host": "m", "port": 0}}, ["requestedConfig.smtp.port: must be at least 1"]),
        (
            {**GOOD, "smtp": {"port": 25, "pass": "x"}},
            ["requestedConfig.smtp.host: is required", "requestedConfig.smtp.pass: is not known here"],
        ),
        ({**GOOD, "smtp": "mail"}, ["requestedConfig.smtp: must be an object"]),
        ({**GOOD, "tags": ["a", "toolong"]}, ["requestedConfig.tags.1: must have at most 5 characters"]),
        ({**GOOD, "tags": ["a", "b", "c"]}, ["requestedConfig.tags: must have at most 2 entries"]),
        ({**GOOD, "note": None}, []),
        ({**GOOD, "note": "a"}, ["requestedConfig.note: must have at least 2 characters"]),
        ({**GOOD, "note": "AB"}, ["requestedConfig.note: must match ^[a-z]+$"]),
        ({**GOOD, "note": "ab\n"}, ["requestedConfig.note: must match ^[a-z]+$"]),
        ({**GOOD, "note": 7}, ["requestedConfig.note: must be a string or null"]),
    ],
)
def test_every_field_that_does_not_fit_is_named(config: dict[str, Any], told: list[str]) -> None:
    check_schema(CLOUD)
    assert faults(CLOUD, config) == told


def test_an_empty_schema_allows_everything() -> None:
    check_schema({})
    assert faults({}, {"anything": {"goes": [1]}}) == []


def test_true_is_not_one() -> None:
    schema = {"properties": {"n": {"enum": [1]}, "b": {"enum": [True]}}}
    assert faults(schema, {"n": 1, "b": True}) == []
    assert faults(schema, {"n": True, "b": 1}) == [
        "requestedConfig.n: must be one of 1",
        "requestedConfig.b: must be one of true",
    ]


def test_other_fields_may_have_a_schema_of_their_own() -> None:
    schema = {"additionalProperties": {"type": "boolean"}}
    check_schema(schema)
    assert faults(schema, {"a": True, "b": 1}) == ["requestedConfig.b: must be a boolean"]


def test_refusals_never_tell_a_value() -> None:
    schema = {"properties": {"apiKey": {"type": "string", "maxLength": 3, "pattern": "^x$"}}}
    assert "s3cr3t" not in "".join(faults(schema, {"apiKey": "s3cr3t"}))


def test_a_reference_is_ignored_like_every_unknown_keyword() -> None:
    schema = {"properties": {"a": {"$ref": "http://127.0.0.1:1/schema", "format": "uri", "oneOf": 5}}}
    check_schema(schema)
    assert faults(schema, {"a": 1}) == []


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"type": "text"}, "configSchema.type:"),
        ({"type": []}, "configSchema.type:"),
        ({"properties": []}, "configSchema.properties:"),
        ({"properties": {"a": "string"}}, "configSchema.properties.a: must be an object"),
        ({"properties": {"a": {"enum": []}}}, "configSchema.properties.a.enum:"),
        ({"properties": {"a": {"enum": "x"}}}, "configSchema.properties.a.enum:"),
        ({"required": "a"}, "configSchema.required: must be a list of names"),
        ({"required": [1]}, "configSchema.required: must be a list of names"),
        ({"properties": {"a": {"minLength": -1}}}, "configSchema.properties.a.minLength:"),
        ({"properties": {"a": {"maximum": "5"}}}, "configSchema.properties.a.maximum: must be a number"),
        ({"items": 5}, "configSchema.items: must be an object"),
        ({"additionalProperties": "no"}, "configSchema.additionalProperties: must be an object"),
        ({"properties": {"a": {"pattern": 5}}}, "configSchema.properties.a.pattern:"),
    ],
)
def test_a_schema_that_can_not_be_used_is_refused_where_it_is_wrong(schema: dict[str, Any], place: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_schema(schema)
    assert refused.value.message.startswith(place)


def test_a_schema_has_a_depth() -> None:
    schema: dict[str, Any] = {}
    for _ in range(20):
        schema = {"properties": {"a": schema}}
    with pytest.raises(Invalid, match="nested deeper"):
        check_schema(schema)


@pytest.mark.parametrize(
    "pattern",
    ["^[a-z0-9]+$", r"^\d{4}-\d{2}$", "^(eu|us)-[a-z]+[0-9]$", "^sk_", r"^[\w.-]+@[\w.-]+$", "a|b"[:1], r"^\$\{x\}$"],
)
def test_plain_patterns_are_allowed(pattern: str) -> None:
    check_schema({"pattern": pattern})


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "^(a|a)*$",
        "^(?=a)b",
        r"^(a)\1$",
        "^a*a*a*a*$",
        "a*a*a*$",
        "^(a|b)(a|b)(a|b)(a|b)$",
        "^(a|b){30}$",
        "^((a))$",
        "^[z-a]$",
        "^[a",
        "^a{5,2}$",
        "a" * 201,
    ],
)
def test_patterns_that_might_run_away_are_refused(pattern: str) -> None:
    with pytest.raises(Invalid, match="pattern"):
        check_schema({"pattern": pattern})


@pytest.mark.parametrize("pattern", ["^a*a*a*$", "a+a+c$", "^a{0,}a{0,}a{0,}$", "^(a|a|aa)(a|a|aa)a*$"])
def test_the_worst_allowed_pattern_ends_soon(pattern: str) -> None:
    check_schema({"pattern": pattern})
    begun = time.process_time()
    assert faults({"properties": {"a": {"pattern": pattern}}}, {"a": "a" * (LONGEST_MATCHED - 1) + "b"})
    assert time.process_time() - begun < 2


def test_a_long_text_is_not_matched_at_all() -> None:
    schema = {"properties": {"a": {"pattern": "a"}}}
    assert faults(schema, {"a": "a" * 257}) == ["requestedConfig.a: must have at most 256 characters"]


@LAW
@given(st.text(alphabet="ab()[]{}*+?|^$\\.-,0129d:=!<>P", max_size=24))
def test_whatever_pattern_passes_can_be_used_and_ends(pattern: str) -> None:
    schema = {"properties": {"a": {"pattern": pattern}}}
    try:
        check_schema(schema)
    except Invalid:
        return
    begun = time.process_time()
    for text in ("a" * 250 + "!", "ab" * 125 + "!", "0" * 250 + "!"):
        faults(schema, {"a": text})
    assert time.process_time() - begun < 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "enum", "required", "pattern", "minLength", "additionalProperties"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=16,
)


@LAW
@given(JSON, st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_a_schema_that_passed_never_fails_an_order_but_by_a_refusal(schema: Any, config: dict[str, Any]) -> None:
    try:
        check_schema(schema)
    except Invalid:
        return
    faults(schema, config)
