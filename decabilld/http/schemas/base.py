"""The two kinds of schema, requests and answers, and the names they have on the wire."""

from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, fields, post_load


def camel_case(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


class WireSchema(Schema):
    """Fields are named as in our entities; on the wire they are in camelCase."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        if field_obj.data_key is None:
            field_obj.data_key = camel_case(field_name)


class Request(WireSchema):
    """A request's body. null clears an optional field: to None, or to `cleared` in the field's metadata.

    Fields that are only checked, because nothing uses them yet, have `unused` in their metadata.
    """

    class Meta:
        unknown = RAISE

    @post_load
    def _settle(self, loaded: dict[str, Any], **_: Any) -> dict[str, Any]:
        for declared, field in self.fields.items():
            name = field.attribute or declared
            if name not in loaded:
                continue
            if "unused" in field.metadata:
                del loaded[name]
            elif loaded[name] is None:
                loaded[name] = field.metadata.get("cleared")
        return loaded


class KeptAsSent(Request):
    """A part of a request that is kept under the names it came with."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        super().on_bind_field(field_name, field_obj)
        field_obj.attribute = field_obj.data_key


class Query(WireSchema):
    """A request's query string. Parameters of others (cache busters) are none of our business."""

    class Meta:
        unknown = EXCLUDE


class Answer(WireSchema):
    """What we answer. Its views build it; the schema declares it, and tests hold the one against the other.

    Every field is present unless `sometimes` is in its metadata. Clients must bear fields that come later.
    """

    class Meta:
        unknown = EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        super().on_bind_field(field_name, field_obj)
        field_obj.required = "sometimes" not in field_obj.metadata
