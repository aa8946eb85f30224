"""The part of JSON Schema that a service type's `configSchema` may use, checked without any outside help.

Owned here because schemas are written by admins and met by every order: nothing is fetched (`$ref` is ignored like
every keyword that isn't listed), no pattern can run away, depth and size have limits.

- type (one name or a list), enum; `string`: minLength, maxLength, pattern; numbers: minimum, maximum;
  `array`: items, minItems, maxItems; `object`: properties, required, additionalProperties (false or a schema).
- `region` in a schema is `location`, as it is in a configuration.
- A pattern has at most `MOST_VARIABLE_PARTS` parts that may match in several ways, no quantifier on a group and no
  reference back, and judges texts of at most `LONGEST_MATCHED` characters: its worst case is bounded.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from decabilld.domain.refusals import Invalid

DEEPEST = 8
MOST_FIELDS = 200
MOST_CHOICES = 500
MOST_FAULTS_TOLD = 20
LONGEST_PATTERN = 200
LONGEST_MATCHED = 256
MOST_VARIABLE_PARTS = 3

Fault = tuple[str, str]

_NUMBERS = (int, float, Decimal)
_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, _NUMBERS) and not isinstance(value, bool),
    "integer": lambda value: _whole(value),
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list | tuple),
    "null": lambda value: value is None,
}
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems")
_BOUNDS = ("minimum", "maximum")

_CLASS = r"\[\^?(?:\\[\w\-\]\[\\^/.]|[^\[\]\\])+\]"
_GROUP = rf"\((?:\?:)?(?:\\[.\-/dws]|{_CLASS}|[^()\[\]\\*+?{{}}^$])+\)"
_ATOM = rf"(?:\\[.\-/+*?()\[\]{{}}$^|\\dws]|{_CLASS}|{_GROUP}|[^()\[\]\\*+?{{}}^$|])"
_COUNTED = r"\{\d{1,3}(?:,\d{0,3})?\}"
_PATTERN = re.compile(rf"\^?(?:{_ATOM}(?:[*+?]|{_COUNTED})?)*\$?")
_VARIABLE = re.compile(rf"(?P<group>{_GROUP})(?P<repeated>[*+?{{])?|\\.|{_CLASS}|[*+?]|\{{\d+,\d*\}}")


def check_schema(schema: Mapping[str, Any], at: str = "configSchema") -> None:
    """Raises Invalid naming every place of the schema that can't be used. Keywords that aren't known are ignored."""
    _refuse(list(_schema_faults(schema, at, 0)))


def check_config(schema: Mapping[str, Any], config: Mapping[str, Any], at: str = "requestedConfig") -> None:
    """Raises Invalid naming every field that the schema doesn't allow, and never the field's value.

    The schema must have passed `check_schema`.
    """
    _refuse(list(_faults(_with_location(schema), config, at)))


def _refuse(faults: list[Fault]) -> None:
    if faults:
        raise Invalid("; ".join(f"{place}: {fault}" for place, fault in faults[:MOST_FAULTS_TOLD]))


# --- a configuration against its schema ---


def _faults(schema: Mapping[str, Any], value: Any, at: str) -> Iterator[Fault]:
    types = _listed(schema.get("type"))
    if types and not any(_TYPES[name](value) for name in types):
        yield at, f"must be {_article(' or '.join(types))}"
        return
    if "enum" in schema and not any(_equal(value, choice) for choice in schema["enum"]):
        yield at, f"must be one of {', '.join(_shown(choice) for choice in schema['enum'])}"
    elif isinstance(value, str):
        yield from _text_faults(schema, value, at)
    elif isinstance(value, Mapping):
        yield from _object_faults(schema, value, at)
    elif isinstance(value, list | tuple):
        yield from _array_faults(schema, value, at)
    elif _TYPES["number"](value):
        if "minimum" in schema and value < schema["minimum"]:
            yield at, f"must be at least {schema['minimum']}"
        if "maximum" in schema and value > schema["maximum"]:
            yield at, f"must be at most {schema['maximum']}"


def _text_faults(schema: Mapping[str, Any], text: str, at: str) -> Iterator[Fault]:
    if len(text) < schema.get("minLength", 0):
        yield at, f"must have at least {schema['minLength']} characters"
    if "maxLength" in schema and len(text) > schema["maxLength"]:
        yield at, f"must have at most {schema['maxLength']} characters"
    elif "pattern" in schema:
        if len(text) > LONGEST_MATCHED:
            yield at, f"must have at most {LONGEST_MATCHED} characters"
        elif not _compiled(schema["pattern"]).search(text):
            yield at, f"must match {schema['pattern']}"


def _object_faults(schema: Mapping[str, Any], value: Mapping[str, Any], at: str) -> Iterator[Fault]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at}.{name}", "is required"
    others = schema.get("additionalProperties", True)
    for name, held in value.items():
        if name in properties:
            yield from _faults(properties[name], held, f"{at}.{name}")
        elif others is False:
            yield f"{at}.{name}", "is not known here"
        elif isinstance(others, Mapping):
            yield from _faults(others, held, f"{at}.{name}")


def _array_faults(schema: Mapping[str, Any], value: list[Any] | tuple[Any, ...], at: str) -> Iterator[Fault]:
    if len(value) < schema.get("minItems", 0):
        yield at, f"must have at least {schema['minItems']} entries"
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        yield at, f"must have at most {schema['maxItems']} entries"
    elif "items" in schema:
        for number, one in enumerate(value):
            yield from _faults(schema["items"], one, f"{at}.{number}")


def _with_location(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with `region` called `location`; where it has both, `location` is the one that counts."""
    properties = dict(schema.get("properties", {}))
    required = ["location" if name == "region" else name for name in schema.get("required", ())]
    if "region" in properties:
        region = properties.pop("region")
        properties.setdefault("location", region)
    return {**schema, "properties": properties, "required": list(dict.fromkeys(required))}


def _compiled(pattern: str) -> re.Pattern[str]:
    """Python's `$` also matches before a last line break; JSON Schema's doesn't."""
    ends = pattern.endswith("$") and not pattern.endswith("\\$")
    return re.compile(pattern[:-1] + r"\Z" if ends else pattern, re.ASCII)


# --- a schema by itself ---


def _schema_faults(schema: Any, at: str, depth: int) -> Iterator[Fault]:
    if not isinstance(schema, Mapping):
        yield at, "must be an object"
        return
    if depth > DEEPEST:
        yield at, f"must not be nested deeper than {DEEPEST}"
        return
    yield from _type_faults(schema, at)
    yield from _limit_faults(schema, at)
    if "enum" in schema and not _short_list(schema["enum"]):
        yield f"{at}.enum", f"must be a list of 1 to {MOST_CHOICES} values"
    if "pattern" in schema and (fault := _pattern_fault(schema["pattern"])):
        yield f"{at}.pattern", fault
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        yield f"{at}.required", "must be a list of names"
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping) or len(properties) > MOST_FIELDS:
        yield f"{at}.properties", f"must be an object of at most {MOST_FIELDS} fields"
    else:
        for name, field in properties.items():
            yield from _schema_faults(field, f"{at}.properties.{name}", depth + 1)
    if "items" in schema:
        yield from _schema_faults(schema["items"], f"{at}.items", depth + 1)
    if not isinstance(schema.get("additionalProperties", True), bool):
        yield from _schema_faults(schema["additionalProperties"], f"{at}.additionalProperties", depth + 1)


def _type_faults(schema: Mapping[str, Any], at: str) -> Iterator[Fault]:
    if "type" not in schema:
        return
    names = _listed(schema["type"])
    if not names or not all(isinstance(name, str) and name in _TYPES for name in names):
        yield f"{at}.type", f"must be one of {', '.join(_TYPES)}, or a list of them"


def _limit_faults(schema: Mapping[str, Any], at: str) -> Iterator[Fault]:
    for keyword in _COUNTS:
        if keyword in schema and not (_TYPES["integer"](schema[keyword]) and schema[keyword] >= 0):
            yield f"{at}.{keyword}", "must be a whole number from 0"
    for keyword in _BOUNDS:
        if keyword in schema and not _TYPES["number"](schema[keyword]):
            yield f"{at}.{keyword}", "must be a number"


def _pattern_fault(pattern: Any) -> str | None:
    if not isinstance(pattern, str) or len(pattern) > LONGEST_PATTERN:
        return f"must be a regular expression of at most {LONGEST_PATTERN} characters"
    if not _PATTERN.fullmatch(pattern):
        return "may have characters, classes, plain groups of alternatives and quantifiers on one character or class"
    variable = 0 if pattern.startswith("^") else 1
    for part in _VARIABLE.finditer(pattern):
        if part["repeated"]:
            return "must not repeat a group"
        variable += part["group"] is not None or part[0] in ("*", "+", "?") or part[0].startswith("{")
    if variable > MOST_VARIABLE_PARTS:
        return f"may have at most {MOST_VARIABLE_PARTS} parts of variable length (a missing ^ is one)"
    try:
        _compiled(pattern)
    except (re.error, OverflowError) as error:
        return f"is no regular expression: {error}"
    return None


# --- words and values ---


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _whole(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return value.is_integer() if isinstance(value, float) else isinstance(value, int) and not isinstance(value, bool)


def _short_list(value: Any) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= MOST_CHOICES


def _equal(one: Any, other: Any) -> bool:
    """As JSON has it: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _shown(choice: Any) -> str:
    return choice if isinstance(choice, str) else str(choice).lower()


def _article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
