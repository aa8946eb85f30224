"""What the fake Hetzner sells: locations, server types, images, in the fields of API v1 as of 2026."""

from typing import Any

LOCATIONS: dict[str, dict[str, Any]] = {
    name: {
        "id": number,
        "name": name,
        "description": f"{city} DC Park 1",
        "country": country,
        "city": city,
        "latitude": 50.0,
        "longitude": 12.0,
        "network_zone": zone,
    }
    for number, (name, city, country, zone) in enumerate(
        [
            ("fsn1", "Falkenstein", "DE", "eu-central"),
            ("nbg1", "Nuremberg", "DE", "eu-central"),
            ("hel1", "Helsinki", "FI", "eu-central"),
            ("ash", "Ashburn, VA", "US", "us-east"),
            ("hil", "Hillsboro, OR", "US", "us-west"),
            ("sin", "Singapore", "SG", "ap-southeast"),
        ],
        1,
    )
}

DEPRECATION = {"announced": "2025-10-16T00:00:00+00:00", "unavailable_after": "2026-01-01T00:00:00+00:00"}


def _server_type(
    number: int, name: str, cores: int, memory: float, disk: int, prices: dict[str, str], *, deprecated: bool = False
) -> dict[str, Any]:
    """`prices`: by location, net, monthly; hourly is a 720th of it, gross 19 % more."""
    return {
        "id": number,
        "name": name,
        "description": name.upper(),
        "category": "Cost-Optimized",
        "cores": cores,
        "memory": memory,
        "disk": disk,
        "storage_type": "local",
        "cpu_type": "dedicated" if name.startswith("ccx") else "shared",
        "architecture": "arm" if name.startswith("cax") else "x86",
        "deprecated": deprecated,
        "deprecation": DEPRECATION if deprecated else None,
        "prices": [
            {
                "location": location,
                "price_hourly": _amount(float(net) / 720),
                "price_monthly": _amount(float(net)),
                "included_traffic": 20 * 2**40,
                "price_per_tb_traffic": _amount(1),
            }
            for location, net in prices.items()
        ],
        "locations": [
            {
                "id": LOCATIONS[location]["id"],
                "name": location,
                "deprecation": DEPRECATION if deprecated else None,
                "available": not deprecated,
                "recommended": not deprecated,
            }
            for location in prices
        ],
    }


def _amount(net: float) -> dict[str, str]:
    return {"net": f"{net:.10f}", "gross": f"{net * 1.19:.16f}"}


def server_types() -> dict[str, dict[str, Any]]:
    """Anew each time: tests change availability in place."""
    europe = ("fsn1", "nbg1", "hel1")
    everywhere = tuple(LOCATIONS)
    types = [
        _server_type(1, "cx11", 1, 2.0, 20, dict.fromkeys(europe, "3.29"), deprecated=True),
        _server_type(114, "cx23", 2, 4.0, 40, dict.fromkeys(europe, "2.99")),
        _server_type(115, "cx33", 4, 8.0, 80, dict.fromkeys(europe, "4.99")),
        _server_type(45, "cax11", 2, 4.0, 40, dict.fromkeys(europe, "3.29")),
        _server_type(108, "cpx22", 2, 4.0, 80, dict.fromkeys(everywhere, "5.99") | {"sin": "10.99"}),
        _server_type(97, "ccx13", 2, 8.0, 80, dict.fromkeys(everywhere, "11.99") | {"sin": "21.49"}),
    ]
    return {one["name"]: one for one in types}


IMAGES: dict[str, dict[str, Any]] = {
    name: {
        "id": number,
        "type": "system",
        "status": "available",
        "name": name,
        "description": name.replace("-", " ").title(),
        "image_size": None,
        "disk_size": 5,
        "created": "2025-01-15T11:34:45+00:00",
        "created_from": None,
        "bound_to": None,
        "os_flavor": name.split("-")[0],
        "os_version": name.split("-")[1],
        "rapid_deploy": True,
        "protection": {"delete": False},
        "deprecated": None,
        "deleted": None,
        "labels": {},
        "architecture": "x86",
    }
    for number, name in enumerate(("debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04"), 114_690_387)
}
