"""A customer's requested configuration over the plan's defaults, and what of it may be shown.

Owns merging, what a customer may choose, and which fields are secret. Whether the result fits the service type's schema
is `schema`'s question.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from decabilld.domain.entities import ServicePlan, ServiceType, Value
from decabilld.domain.refusals import Invalid

SERVICES = ("controller", "manager")
NOTHING_DEPLOYED = "none"

SECRET_FIELDS = ("password", "secret", "token", "apikey", "privatekey")
"""A field whose name, in lower case and by its letters and digits alone, ends in one of these is secret."""
MASK = "***"
_NO_LETTERS = re.compile("[^a-z0-9]")
_CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/?#\s]*@")

_OTHER_NAMES = {"agenstra-controller": "controller", "agenstra-manager": "manager"}
_DESCRIPTIONS = {
    "controller": ("Controller", "The console where people sign in and direct their managers; keeps its own database."),
    "manager": ("Manager", "Does the work on its own server, directed by a controller through an API key."),
}


class ProvisioningOption(Value, frozen=True, kw_only=True):
    """A service that can be ordered with a plan."""

    key: str
    label: str
    description: str


def effective_config(
    plan_defaults: Mapping[str, Any],
    requested: Mapping[str, Any],
    *,
    allow_location: bool,
    allow_server_type: bool,
    allowed_server_types: Collection[str] = (),
) -> dict[str, Any]:
    """What shall be deployed: the request over the defaults, objects field by field; null clears.

    `region` comes back as `location`. What the customer may not choose is taken out of the request, not refused. An
    empty `allowed_server_types` allows every type. Raises Invalid where location and region differ, or for a type
    that isn't allowed.
    """
    wanted = dict(requested)
    if not allow_location:
        wanted = {name: value for name, value in wanted.items() if name not in ("location", "region")}
    if not allow_server_type:
        wanted.pop("serverType", None)
    wanted_type = wanted.get("serverType")
    if wanted_type is not None and allowed_server_types and wanted_type not in allowed_server_types:
        raise Invalid(f"requestedConfig.serverType: must be one of {', '.join(sorted(allowed_server_types))}")
    merged = _merged(_in_our_words(plan_defaults), _in_our_words(wanted))
    if merged.get("service") == "manager" and merged.get("authenticationMethod") == "users":
        merged["authenticationMethod"] = "api-key"
    return merged


def location_selectable(schema: Mapping[str, Any]) -> bool:
    """Whether customers could be given a choice: `location` or `region` is a string with a list of its values."""
    return any(_string_choices(schema, name) for name in ("location", "region"))


def offered_services(schema: Mapping[str, Any], plan_defaults: Mapping[str, Any]) -> tuple[str, ...]:
    """The services that a plan offers: those of the schema, else the plan's own one, else both."""
    listed: list[Any] = _string_choices(schema, "service") or [plan_defaults.get("service")]
    known = {_OTHER_NAMES.get(name, name) for name in listed if name is not None}
    return tuple(name for name in SERVICES if name in known) if known else SERVICES


def provisioning_options(service_type: ServiceType | None, plan: ServicePlan) -> tuple[ProvisioningOption, ...]:
    """What can be ordered with the plan; nothing where nothing is deployed."""
    if service_type is None or service_type.provider == NOTHING_DEPLOYED:
        return ()
    return tuple(
        ProvisioningOption(key=key, label=_DESCRIPTIONS[key][0], description=_DESCRIPTIONS[key][1])
        for key in offered_services(service_type.config_schema, plan.provider_config_defaults)
    )


def masked(config: Mapping[str, Any]) -> dict[str, Any]:
    """The same with every secret replaced, at any depth, and without credentials in addresses: to show and to log."""
    return {name: _masked_value(name, value) for name, value in config.items()}


def _masked_value(name: str, value: Any) -> Any:
    if value is not None and _NO_LETTERS.sub("", name.lower()).endswith(SECRET_FIELDS):
        return MASK
    if isinstance(value, Mapping):
        return masked(value)
    if isinstance(value, list | tuple):
        return [_masked_value("", one) for one in value]
    return _CREDENTIALS_IN_URL.sub(f"{MASK}@", value) if isinstance(value, str) else value


def _in_our_words(config: Mapping[str, Any]) -> dict[str, Any]:
    """`region` is `location`, and services have one name each. Raises Invalid."""
    told = dict(config)
    if "region" in told:
        region = told.pop("region")
        location = told.get("location")
        if region is not None and location is not None and region != location:
            raise Invalid("requestedConfig.region: must be the same as location, or be left out")
        told["location"] = location if region is None else region
    service = told.get("service")
    if isinstance(service, str):
        told["service"] = _OTHER_NAMES.get(service, service)
    if told.get("service") not in (None, *SERVICES):
        raise Invalid(f"requestedConfig.service: must be one of {', '.join(SERVICES)}")
    return told


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        beneath = merged.get(name)
        nested = isinstance(value, Mapping)
        merged[name] = _merged(beneath if isinstance(beneath, Mapping) else {}, value) if nested else value
    return {
        name: _merged({}, value) if isinstance(value, Mapping) else value
        for name, value in merged.items()
        if value is not None
    }


def _string_choices(schema: Mapping[str, Any], name: str) -> list[str]:
    properties = schema.get("properties")
    field = properties.get(name) if isinstance(properties, Mapping) else None
    if not isinstance(field, Mapping) or field.get("type", "string") != "string":
        return []
    choices = field.get("enum")
    if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
        return []
    return choices
