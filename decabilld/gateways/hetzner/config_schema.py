"""What may be configured of a server at Hetzner Cloud: served without a token, so its lists are kept here.

Owns titles and choices. Which types exist and what they cost is asked of Hetzner; a location that is new there is
added here. Source: docs.hetzner.cloud, Locations.
"""

from typing import Any

DEFAULT_IMAGE = "ubuntu-24.04"
LOCATIONS = {
    "fsn1": "Falkenstein, Germany",
    "nbg1": "Nuremberg, Germany",
    "hel1": "Helsinki, Finland",
    "ash": "Ashburn, Virginia, USA",
    "hil": "Hillsboro, Oregon, USA",
    "sin": "Singapore",
}

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "A server at Hetzner Cloud",
    "basePriceFromField": "serverType",
    "required": ["serverType", "location"],
    "properties": {
        "serverType": {
            "type": "string",
            "title": "Server type",
            "description": "Cores, memory and disk, by Hetzner's name, such as cx23. Its price is the base price.",
            "minLength": 1,
            "maxLength": 63,
        },
        "location": {
            "type": "string",
            "title": "Location",
            "description": "Where the server stands: "
            + "; ".join(f"{name}: {place}" for name, place in LOCATIONS.items())
            + ".",
            "enum": list(LOCATIONS),
        },
        "image": {
            "type": "string",
            "title": "Image",
            "description": "The operating system, by Hetzner's name.",
            "default": DEFAULT_IMAGE,
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
