"""What may be configured of a server at one of the built-in providers, for the forms of front ends.

Owns the titles and what both have alike. A provider adds its places and its names. Which types there are and what they
cost is asked of the provider.
"""

from collections.abc import Mapping
from typing import Any


def server_schema(
    *, provider: str, type_example: str, place: str, places: Mapping[str, str], default_image: str
) -> dict[str, Any]:
    """JSON-schema-like. `place` is what the provider calls where a server stands, `places` its names of them."""
    return {
        "type": "object",
        "title": f"A server at {provider}",
        "basePriceFromField": "serverType",
        "required": ["serverType", place],
        "properties": {
            "serverType": {
                "type": "string",
                "title": "Server type",
                "description": f"Cores, memory and disk, by {provider}'s name, such as {type_example}. "
                "Its price is the base price.",
                "minLength": 1,
                "maxLength": 63,
            },
            place: {
                "type": "string",
                "title": place.capitalize(),
                "description": "Where the server stands: "
                + "; ".join(f"{name}: {where}" for name, where in places.items())
                + ".",
                "enum": list(places),
            },
            "image": {
                "type": "string",
                "title": "Image",
                "description": f"The operating system, by {provider}'s name.",
                "default": default_image,
                "minLength": 1,
                "maxLength": 63,
            },
            "service": {
                "type": "string",
                "title": "Service",
                "description": "What is installed: the controller people sign in to, or a manager that it directs.",
                "enum": ["controller", "manager"],
                "default": "controller",
            },
            "authenticationMethod": {
                "type": "string",
                "title": "Authentication",
                "description": "How people sign in to the service. A manager knows no users of its own.",
                "enum": ["users", "keycloak", "api-key"],
            },
        },
    }
