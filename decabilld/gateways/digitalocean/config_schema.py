"""What a service type at DigitalOcean may be told, as a front end shows it. Static, so it is there without a token."""

from typing import Any

DEFAULT_IMAGE = "ubuntu-24-04-x64"
REGIONS = (
    "ams3", "atl1", "blr1", "fra1", "lon1", "nyc1", "nyc2", "nyc3", "ric1", "sfo2", "sfo3", "sgp1", "syd1", "tor1",
)  # fmt: skip

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "serverType": {
            "type": "string",
            "title": "Server type",
            "description": "Slug of a Droplet size, such as s-2vcpu-4gb",
        },
        "region": {
            "type": "string",
            "title": "Region",
            "description": "Slug of the datacentre region",
            "enum": list(REGIONS),
        },
        "image": {
            "type": "string",
            "title": "Image",
            "description": "Slug of a distribution image",
            "default": DEFAULT_IMAGE,
        },
        "service": {
            "type": "string",
            "title": "Service",
            "description": "What runs on the server",
            "enum": ["controller", "manager"],
            "default": "controller",
        },
    },
    "required": ["serverType", "region"],
    "basePriceFromField": "serverType",
}
