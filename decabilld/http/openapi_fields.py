"""Teaches apispec our fields: types, words, examples, and the limits that it writes wrongly or not at all."""

from typing import Any

from marshmallow import fields, validate

from decabilld.http.schemas import fields as wire_fields
from decabilld.http.schemas.base import Answer, Request, WireSchema
from decabilld.http.schemas.examples import example_of
from decabilld.http.schemas.words import words_of


def teach(converter: Any) -> None:
    """Adds to apispec's field converter. The order matters: each sees what those before it have written."""
    for kind in vars(wire_fields).values():
        if isinstance(kind, type) and hasattr(kind, "wire"):
            converter.map_to_openapi_type(kind, *kind.wire)
    converter.add_attribute_function(_component)
    converter.add_attribute_function(_exclusive_limits)
    converter.add_attribute_function(_patterns)
    converter.add_attribute_function(_readable_limits)
    converter.add_attribute_function(_words)


def component_name(schema: Any) -> str:
    return (schema if isinstance(schema, type) else type(schema)).__name__.removesuffix("Schema")


def _component(_: Any, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(field, wire_fields.Role):
        return {}
    ret.clear()
    return {"$ref": f"#/components/schemas/{field.component}"}


def _exclusive_limits(_: Any, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema 2020-12, 6.2.3 and 6.2.5: `exclusiveMinimum` and `exclusiveMaximum` stand instead of the others."""
    for limit in field.validators:
        if isinstance(limit, validate.Range):
            if limit.min is not None and not limit.min_inclusive:
                ret["exclusiveMinimum"] = ret.pop("minimum")
            if limit.max is not None and not limit.max_inclusive:
                ret["exclusiveMaximum"] = ret.pop("maximum")
    return {}


def _patterns(_: Any, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """What our fields check by themselves, and apispec can't see."""
    if isinstance(field, wire_fields.Country):
        return {"pattern": "^[A-Za-z]{2}$"}
    if isinstance(field, wire_fields.Email):
        return {} if field.allow_none else {"maxLength": wire_fields.EMAIL_LENGTH}
    if isinstance(field, wire_fields.Text) and isinstance(field.parent, Request) and not field.allow_none:
        return {"minLength": 1, **ret}
    return {}


def _readable_limits(_: Any, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """The contract's comparison can't read a length of a list's items, nor a limit just before null. So the one is
    said by its opposite, and the other is followed by a default that is true: null is what leaving out means."""
    if isinstance(field, fields.List) and "maxLength" in ret["items"]:
        longest = ret["items"].pop("maxLength")
        ret["items"]["not"] = {"type": "string", "minLength": longest + 1}
    if not field.allow_none:
        return {}
    if "maximum" in ret:
        return {"default": None}
    if "maxLength" in ret and "nullable_in_contract" in field.metadata:
        return {"not": {"type": "string", "minLength": ret.pop("maxLength") + 1}}
    return {}


def _words(_: Any, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    schema, name = field.parent, field.data_key or field.name
    if not isinstance(schema, WireSchema) or not name:
        return {}
    said: dict[str, Any] = {}
    if "description" not in ret and (words := words_of(type(schema), name)):
        said["description"] = words
    if isinstance(schema, Answer) and "$ref" not in ret and (example := example_of(name, field)) is not None:
        said["examples"] = [example]
    return said
