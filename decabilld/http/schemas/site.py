"""What the daemon says of itself to anybody: its configuration, that it lives, that it can serve."""

from marshmallow import fields

from decabilld.http.schemas.base import Answer
from decabilld.http.schemas.fields import Amount, Choice, Count, Flag, Text


class KeycloakAddressSchema(Answer):
    auth_server_url = Text(metadata={"description": "Where people log in."})
    realm = Text()
    client_id = Text()


class ConfigResponseSchema(Answer):
    product = Text(metadata={"description": "What runs here."})
    version = Text(metadata={"description": "Which version of it."})
    authentication_method = Choice(
        "users", "keycloak", "api-key", metadata={"description": "How one gets a token that counts here."}
    )
    disable_signup = Flag(metadata={"description": "Whether nobody may register."})
    keycloak = fields.Nested(
        KeycloakAddressSchema, allow_none=True, metadata={"description": "Where its users log in; null for others."}
    )
    currency = Text(3)
    min_checkout_amount = Amount(metadata={"description": "The least amount that can be paid online."})
    time_zone = Text(metadata={"description": "IANA name of the zone that days are counted in.", "examples": ["UTC"]})
    test_clock = Flag(metadata={"description": "Whether time can be moved; never in production."})
    api_url = Text(2048, metadata={"description": "Where this API is reached."})
    websocket_url = Text(2048, metadata={"description": "Where sockets are reached."})
    websocket_namespace = Text(metadata={"description": "Their Socket.IO namespace."})
    tenant = Text(
        allow_none=True, metadata={"description": "The tenant of this request; null where one must be named and isn't."}
    )


class HealthResponseSchema(Answer):
    status = Choice("ok", metadata={"description": "Always `ok`: it answers."})
    timestamp = Count(metadata={"description": "Milliseconds since 1970, UTC.", "examples": [1767225600000]})


class ReadyResponseSchema(Answer):
    status = Choice("ok", metadata={"description": "Always `ok`; else it is a 503."})
    details = fields.List(
        Text(),
        metadata={"sometimes": True, "description": "What should be looked at although it serves, such as servers that "
                  "nobody pays for; left out while there is nothing."},
    )  # fmt: skip


class UnreadyResponseSchema(Answer):
    status = Choice("unready", metadata={"description": "Always `unready`: send it no requests."})
    reasons = fields.List(
        Text(2048),
        metadata={
            "description": "In words: a tenant that isn't loaded, due work or effects late, database, disk, clock.",
            "examples": [["tenant default: due work is 0:20:00 late"]],
        },
    )
