"""What may be configured of a server at DigitalOcean: served without a token, so its regions are kept here.

A region that is new there is added here. Source: docs.digitalocean.com/platform/regional-availability.
"""

from decabilld.gateways.server_schema import server_schema

DEFAULT_IMAGE = "ubuntu-24-04-x64"
REGIONS = {
    "ams3": "Amsterdam, Netherlands",
    "atl1": "Atlanta, USA",
    "blr1": "Bangalore, India",
    "fra1": "Frankfurt, Germany",
    "lon1": "London, United Kingdom",
    "nyc1": "New York City, USA",
    "nyc2": "New York City, USA",
    "nyc3": "New York City, USA",
    "ric1": "Richmond, USA",
    "sfo2": "San Francisco, USA",
    "sfo3": "San Francisco, USA",
    "sgp1": "Singapore",
    "syd1": "Sydney, Australia",
    "tor1": "Toronto, Canada",
}

CONFIG_SCHEMA = server_schema(
    provider="DigitalOcean", type_example="s-2vcpu-4gb", place="region", places=REGIONS, default_image=DEFAULT_IMAGE
)
