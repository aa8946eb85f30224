"""The kinds of field that cross the wire, and how each is read: strictly, exactly, within limits.

Owns parsing and wire types. What a value means, and whether it may be so, is decided elsewhere.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from marshmallow import ValidationError, fields, validate

from decabilld.http.schemas.countries import COUNTRIES

NAME_LENGTH = 255
PROSE_LENGTH = 10_000
EMAIL_LENGTH = 254
MAX_DEPTH = 16
MAX_NODES = 5_000
MAX_DIGITS = 34

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# What PostgreSQL can't store and XML, hence an invoice, can't carry.
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_EMAIL = re.compile(r"[^\s@\"'<>(),;:\\\[\]]{1,64}@[^\W_](?:[\w-]{0,62}\.)+[^\W\d_][\w-]{0,61}[^\W_]", re.UNICODE)
_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def parse_uuid(text: object) -> str | None:
    """The canonical lower-case form, or None when it isn't a UUID."""
    if isinstance(text, str) and _UUID.fullmatch(lowered := text.lower()):
        return lowered
    return None


def check_storable(text: str) -> str:
    if _UNSTORABLE.search(text):
        raise ValidationError("Contains a control character.")
    return text


class Id(fields.Field[str]):
    """A UUID, in whatever case; kept in lower case."""

    wire = ("string", "uuid")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if (parsed := parse_uuid(value)) is None:
            raise ValidationError("Not a valid UUID.")
        return parsed


class Text(fields.String):
    """A string of at most `longest` characters, None for any number. A blank one is None where null may be, and
    refused elsewhere."""

    wire = ("string", None)

    def __init__(self, longest: int | None = NAME_LENGTH, *, shortest: int | None = None, **more: Any) -> None:
        super().__init__(validate=validate.Length(min=shortest, max=longest), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> Any:
        text = super()._deserialize(value, attr, data, **more)
        if text is None or not isinstance(value, str):
            raise ValidationError("Not a valid string.")
        check_storable(text)
        if text.isspace() or not text:
            if self.allow_none:
                return None
            raise ValidationError("Must not be blank.")
        return text

    def _validate(self, value: Any) -> None:
        if value is not None:
            super()._validate(value)


class Matching(fields.String):
    """A string of a fixed form."""

    wire = ("string", None)

    def __init__(self, pattern: str, message: str, **more: Any) -> None:
        super().__init__(validate=validate.Regexp(pattern, flags=re.ASCII, error=message), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not a valid string.")
        # `$` also matches before a final line break
        if value.endswith("\n"):
            raise ValidationError(self.validate.error)  # type: ignore[union-attr]
        return value


class Choice(fields.String):
    """One of a few words."""

    wire = ("string", None)

    def __init__(self, *words: str, **more: Any) -> None:
        error = "Must be one of: {choices}."
        super().__init__(validate=validate.OneOf(words, error=error), **more)


class Role(Choice):
    """A component of its own in the document, because clients are generated from it."""

    component = "UserRole"
    words = ("user", "admin")

    def __init__(self, **more: Any) -> None:
        super().__init__(*self.words, **more)


class Email(fields.Field[str]):
    """An address as it is usually written; at most 254 characters (RFC 5321, 4.5.3.1.3)."""

    wire = ("string", "email")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if (
            not isinstance(value, str)
            or len(value) > EMAIL_LENGTH
            or not _EMAIL.fullmatch(value)
            or _UNSTORABLE.search(value)
        ):
            raise ValidationError("Not a valid email address.")
        return value


class Password(fields.String):
    """Taken as it is; bounded, because hashing costs."""

    wire = ("string", "password")

    def __init__(self, *, shortest: int = 1, longest: int = 1024, **more: Any) -> None:
        super().__init__(validate=validate.Length(min=shortest, max=longest), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not a valid string.")
        return check_storable(value)


class Country(fields.String):
    """ISO 3166-1 alpha-2 in whatever case; kept in upper case."""

    wire = ("string", None)

    def __init__(self, **more: Any) -> None:
        super().__init__(validate=validate.Length(equal=2), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if not isinstance(value, str) or value.upper() not in COUNTRIES:
            raise ValidationError("Not a country code of two letters (ISO 3166-1).")
        return value.upper()


class Flag(fields.Field[bool]):
    """true or false, nothing that merely looks like it."""

    wire = ("boolean", None)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Not a valid boolean.")
        return value


class Count(fields.Field[int]):
    """A whole number; in a query string its digits."""

    wire = ("integer", None)

    def __init__(self, least: int = 0, most: int | None = None, **more: Any) -> None:
        super().__init__(validate=validate.Range(min=least, max=most), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        # To JSON 10.0 is the same number as 10. The limit comes first: 1e999999999 would not fit into memory.
        if isinstance(value, Decimal) and abs(value) < 10**18 and value == value.to_integral_value():
            return int(value)
        raise ValidationError("Not a valid integer.")


class QueryCount(Count):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> int:
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            return int(value)
        raise ValidationError("Not a valid integer.")


class Price(Matching):
    """A decimal string with at most four decimals; `digits` are those before the point."""

    def __init__(self, *, digits: int = 9, signed: bool = False, **more: Any) -> None:
        pattern = rf"^{'-?' if signed else ''}[0-9]{{1,{digits}}}(\.[0-9]{{1,4}})?$"
        sign = "" if signed else " of zero or more"
        super().__init__(pattern, f"Not a decimal string{sign} with up to 4 decimals, such as 10.0000.", **more)

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **more: Any) -> Any:
        text = super().deserialize(value, attr, data, **more)
        return Decimal(text).quantize(Decimal("0.0001")) if isinstance(text, str) else text


class Amount(fields.Field[Decimal]):
    """A JSON number, exact."""

    wire = ("number", None)

    def __init__(self, least: int | None = None, **more: Any) -> None:
        super().__init__(validate=validate.Range(min=least) if least is not None else None, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise ValidationError("Not a valid number.")
        return Decimal(value)


class Exact(Amount):
    """A JSON number with at most four decimals and nine digits before the point."""

    def __init__(self, *, zero: bool = True, **more: Any) -> None:
        super().__init__(**more)
        self._zero = zero

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> Decimal:
        number = super()._deserialize(value, attr, data, **more)
        if abs(number) >= 10**9 or number != (exact := number.quantize(Decimal("0.0001"))):
            raise ValidationError("Not a number with up to 4 decimals and 9 digits before the point.")
        if not self._zero and not exact:
            raise ValidationError("Must not be zero.")
        return exact


class Instant(fields.Field[datetime]):
    """An ISO 8601 date-time with its offset; kept in UTC."""

    wire = ("string", "date-time")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> datetime:
        try:
            instant: datetime = msgspec.convert(value, datetime, strict=True)
            if instant.tzinfo is not None:
                return instant.astimezone(UTC)
        except (msgspec.ValidationError, OverflowError):
            pass
        raise ValidationError("Not a date-time with offset (ISO 8601), such as 2026-01-31T12:00:00Z.")


class Date(fields.Date):
    wire = ("string", "date")


class Url(fields.String):
    wire = ("string", "uri")


class FreeObject(fields.Field[dict[str, Any]]):
    """A JSON object whose fields are the client's own affair; bounded in depth, size and numbers."""

    wire = ("object", None)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("Not an object.")
        _check_tree(value)
        return value


class Tuple(fields.List[Any]):
    """A list that is kept as a tuple."""

    def __init__(self, inner: fields.Field[Any], *, least: int | None = None, most: int, **more: Any) -> None:
        super().__init__(inner, validate=validate.Length(min=least, max=most), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> Any:
        if not isinstance(value, list):
            raise ValidationError("Not a valid list.")
        # Before its items are looked at: of very many that would take seconds.
        self._validate(value)
        return tuple(super()._deserialize(value, attr, data, **more))


def _check_tree(root: object) -> None:
    """Walks without recursion, so that no nesting can exhaust the stack."""
    pending: list[tuple[object, int]] = [(root, 1)]
    nodes = 0
    while pending:
        node, depth = pending.pop()
        nodes += 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise ValidationError(f"Nested deeper than {MAX_DEPTH} or more than {MAX_NODES} values.")
        if isinstance(node, str):
            check_storable(node)
        elif isinstance(node, dict):
            for key in node:
                check_storable(key)
            pending += [(child, depth + 1) for child in node.values()]
        elif isinstance(node, list):
            pending += [(child, depth + 1) for child in node]
        elif isinstance(node, int | Decimal) and not _is_plain_number(Decimal(node)):
            raise ValidationError(f"Has a number of more than {MAX_DIGITS} digits.")


def _is_plain_number(number: Decimal) -> bool:
    _, digits, exponent = number.as_tuple()
    return len(digits) <= MAX_DIGITS and isinstance(exponent, int) and abs(exponent) <= MAX_DIGITS
