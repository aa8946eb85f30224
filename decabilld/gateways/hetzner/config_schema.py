"""What may be configured of a server at Hetzner Cloud: served without a token, so its locations are kept here.

A location that is new there is added here. Source: docs.hetzner.cloud, Locations.
"""

from decabilld.gateways.server_schema import server_schema

DEFAULT_IMAGE = "ubuntu-24.04"
LOCATIONS = {
    "fsn1": "Falkenstein, Germany",
    "nbg1": "Nuremberg, Germany",
    "hel1": "Helsinki, Finland",
    "ash": "Ashburn, Virginia, USA",
    "hil": "Hillsboro, Oregon, USA",
    "sin": "Singapore",
}

CONFIG_SCHEMA = server_schema(
    provider="Hetzner Cloud", type_example="cx23", place="location", places=LOCATIONS, default_image=DEFAULT_IMAGE
)
