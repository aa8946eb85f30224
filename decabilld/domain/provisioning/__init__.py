"""What a customer may ask of a server, and what becomes of it: configuration, its schema, names of servers.

Owns pure rules. Making the server is `gateways`' work, when to make it the tenant's handlers'.
"""

from decabilld.domain.provisioning.config import (
    SERVICES,
    ProvisioningOption,
    effective_config,
    location_selectable,
    masked,
    offered_services,
    provisioning_options,
)
from decabilld.domain.provisioning.hostnames import hostname
from decabilld.domain.provisioning.schema import check_config, check_schema

__all__ = [
    "SERVICES",
    "ProvisioningOption",
    "check_config",
    "check_schema",
    "effective_config",
    "hostname",
    "location_selectable",
    "masked",
    "offered_services",
    "provisioning_options",
]
