"""What a customer asks for, over what the plan says."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decabilld.domain.entities import ServicePlan, ServiceType
from decabilld.domain.provisioning import (
    effective_config,
    hostname,
    location_selectable,
    masked,
    offered_services,
    provisioning_options,
)
from decabilld.domain.provisioning.hostnames import ADJECTIVES, ANIMALS
from decabilld.domain.refusals import Invalid

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab:/@", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["host", "token", "n"]), inner, max_size=3)
    ),
    max_leaves=8,
)
CONFIGS = st.dictionaries(st.sampled_from(["location", "smtp", "git", "disableSignup", "note"]), JSON, max_size=4)


def merged(defaults: dict[str, Any], requested: dict[str, Any], **allowed: Any) -> dict[str, Any]:
    return effective_config(defaults, requested, **{"allow_location": True, "allow_server_type": True, **allowed})


@pytest.mark.parametrize(
    ("defaults", "requested", "result"),
    [
        ({"location": "fsn1"}, {}, {"location": "fsn1"}),
        ({"region": "fsn1"}, {}, {"location": "fsn1"}),
        ({"location": "fsn1"}, {"region": "nbg1"}, {"location": "nbg1"}),
        ({"location": "fsn1"}, {"location": None, "region": "nbg1"}, {"location": "nbg1"}),
        ({"location": "fsn1"}, {"location": "hel1", "region": "hel1"}, {"location": "hel1"}),
        ({"location": "fsn1"}, {"region": None}, {}),
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"a": 1}, {"a": None}, {}),
        ({"a": None}, {}, {}),
        ({"smtp": {"host": "m", "port": 25}}, {"smtp": {"port": 587}}, {"smtp": {"host": "m", "port": 587}}),
        ({"smtp": {"host": "m", "port": 25}}, {"smtp": {"host": None}}, {"smtp": {"port": 25}}),
        ({"smtp": {"host": "m"}}, {"smtp": None}, {}),
        ({"smtp": "m"}, {"smtp": {"host": "n"}}, {"smtp": {"host": "n"}}),
        ({}, {"git": {"token": None}}, {"git": {}}),
        ({"service": "agenstra-controller"}, {}, {"service": "controller"}),
        ({"service": "controller"}, {"service": "agenstra-manager"}, {"service": "manager"}),
        (
            {"service": "manager"},
            {"authenticationMethod": "users"},
            {"service": "manager", "authenticationMethod": "api-key"},
        ),
        (
            {"service": "manager"},
            {"authenticationMethod": "keycloak"},
            {"service": "manager", "authenticationMethod": "keycloak"},
        ),
        (
            {"service": "controller"},
            {"authenticationMethod": "users"},
            {"service": "controller", "authenticationMethod": "users"},
        ),
    ],
)
def test_the_request_goes_over_the_defaults(
    defaults: dict[str, Any], requested: dict[str, Any], result: dict[str, Any]
) -> None:
    assert merged(defaults, requested) == result


@pytest.mark.parametrize(
    ("requested", "allowed", "message"),
    [
        ({"location": "fsn1", "region": "nbg1"}, {}, "requestedConfig.region: must be the same as location"),
        ({"service": "toaster"}, {}, "requestedConfig.service: must be one of controller, manager"),
        ({"service": 5}, {}, "requestedConfig.service: must be one of"),
        ({"serverType": "cx99"}, {"allowed_server_types": ("cx32", "cx22")}, "must be one of cx22, cx32"),
    ],
)
def test_what_contradicts_itself_or_is_not_offered_is_refused(
    requested: dict[str, Any], allowed: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid, match=re.escape(message)):
        merged({}, requested, **allowed)


def test_what_a_customer_may_not_choose_is_taken_out() -> None:
    defaults = {"region": "fsn1", "serverType": "cx22"}
    asked = {"location": "nbg1", "region": "hel1", "serverType": "cx52"}
    assert merged(defaults, asked, allow_location=False, allow_server_type=False) == {
        "location": "fsn1",
        "serverType": "cx22",
    }
    assert merged(defaults, {"serverType": "cx52"}, allowed_server_types=("cx52",))["serverType"] == "cx52"
    assert merged(defaults, {"serverType": "cx52"})["serverType"] == "cx52"


@LAW
@given(CONFIGS, CONFIGS)
def test_merging_leaves_no_null_keeps_what_is_not_asked_and_is_done_once(
    defaults: dict[str, Any], requested: dict[str, Any]
) -> None:
    result = merged(defaults, requested)
    assert merged(result, {}) == result
    assert merged({}, result) == result
    assert merged(result, requested) == result
    for name in defaults.keys() - requested.keys():
        assert result.get(name) == merged(defaults, {}).get(name)

    def without_null(value: Any) -> bool:
        if isinstance(value, dict):
            return all(one is not None and without_null(one) for one in value.values())
        return True

    assert without_null(result)


def location(**field: Any) -> dict[str, Any]:
    return {"properties": {"location": field}}


@pytest.mark.parametrize(
    ("schema", "selectable"),
    [
        ({}, False),
        ({"properties": None}, False),
        (location(type="string"), False),
        (location(type="string", enum=[]), False),
        (location(type="string", enum=["fsn1"]), True),
        (location(enum=["fsn1"]), True),
        (location(type="integer", enum=[1]), False),
        (location(type="string", enum=[1]), False),
        ({"properties": {"region": {"type": "string", "enum": ["fra1"]}}}, True),
        ({"properties": {"city": {"type": "string", "enum": ["fra1"]}}}, False),
    ],
)
def test_a_location_can_be_chosen_from_a_list_only(schema: dict[str, Any], selectable: bool) -> None:
    assert location_selectable(schema) is selectable


def services(*names: str) -> dict[str, Any]:
    return {"properties": {"service": {"type": "string", "enum": list(names)}}}


@pytest.mark.parametrize(
    ("schema", "defaults", "offered"),
    [
        ({}, {}, ("controller", "manager")),
        ({}, {"service": "manager"}, ("manager",)),
        ({}, {"service": "agenstra-controller"}, ("controller",)),
        (services("manager", "controller"), {"service": "manager"}, ("controller", "manager")),
        (services("agenstra-manager"), {}, ("manager",)),
        (services("toaster"), {}, ()),
    ],
)
def test_a_plan_offers_services(schema: dict[str, Any], defaults: dict[str, Any], offered: tuple[str, ...]) -> None:
    assert offered_services(schema, defaults) == offered


def test_options_are_of_what_is_deployed() -> None:
    plan = ServicePlan(
        id="p",
        name="P",
        interval="month",
        interval_count=1,
        provider_config_defaults={"service": "manager"},
        created_at=NOW,
        updated_at=NOW,
    )
    deployed = ServiceType(id="t", key="k", name="T", provider="hetzner", created_at=NOW, updated_at=NOW)
    nothing = ServiceType(id="t", key="k", name="T", provider="none", created_at=NOW, updated_at=NOW)
    options = provisioning_options(deployed, plan)
    assert [option.key for option in options] == ["manager"]
    assert all(option.label and option.description for option in options)
    assert provisioning_options(nothing, plan) == ()
    assert provisioning_options(None, plan) == ()


def test_secrets_are_masked_at_any_depth_and_the_rest_stays() -> None:
    shown = masked(
        {
            "service": "controller",
            "staticApiKey": "s1",
            "hetznerApiToken": "s2",
            "digitaloceanApiToken": "s3",
            "cursorApiKey": "s4",
            "smtp": {"host": "mail", "port": 587, "user": "u", "password": "s5"},
            "keycloak": {"realm": "r", "clientId": "c", "clientSecret": "s6"},
            "git": {
                "token": "s7",
                "password": "s8",
                "privateKey": "s9",
                "repositoryUrl": "https://u:s10@git.example/r",
            },
            "more": [{"rootPassword": "s11"}, "ssh://s12@host"],
            "disableSignup": True,
        }
    )
    assert not re.search(r"s\d", repr(shown))
    assert shown["smtp"] == {"host": "mail", "port": 587, "user": "u", "password": "***"}
    assert shown["keycloak"] == {"realm": "r", "clientId": "c", "clientSecret": "***"}
    assert shown["git"]["repositoryUrl"] == "https://***@git.example/r"
    assert (shown["service"], shown["disableSignup"]) == ("controller", True)
    assert masked({"staticApiKey": None}) == {"staticApiKey": None}
    odd = ("STATIC_API_KEY", "private-key", "smtp.password", "Secret ")
    assert masked(dict.fromkeys(odd, "hush")) == dict.fromkeys(odd, "***")


@LAW
@given(CONFIGS)
def test_masking_keeps_the_shape_and_touches_nothing_twice(config: dict[str, Any]) -> None:
    assert masked(config).keys() == config.keys()
    assert masked(masked(config)) == masked(config)


@LAW
@given(st.binary() | st.text())
def test_a_hostname_is_a_label_and_always_the_same(entropy: bytes | str) -> None:
    name = hostname(entropy)
    assert re.fullmatch(r"[a-z]+-[a-z]+-[2-9b-df-hjkmnp-tv-xz]{5}", name)
    assert len(name) <= 63
    assert name == hostname(entropy)


def test_hostnames_are_many() -> None:
    for words in (ADJECTIVES, ANIMALS):
        assert len(words) >= 64
        assert len(set(words)) == len(words)
    names = {hostname(str(number)) for number in range(20_000)}
    assert len(names) == 20_000
    assert {name.split("-")[0] for name in names} == set(ADJECTIVES)
    assert {name.split("-")[1] for name in names} == set(ANIMALS)
