"""Whether a provider has room for a server, and what could be had instead. Owns the reasoning, not the asking."""

from collections.abc import Sequence

from msgspec import Struct

from decabilld.actors.provider import ServerType

ALTERNATIVES_MAX = 50


class Availability(Struct, frozen=True, kw_only=True):
    """`reason` None: it can be had. `server_types`: what that region has; `regions`: where that type is."""

    reason: str | None = None
    server_types: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()


def availability(
    types: Sequence[ServerType], server_type: str, region: str, limit_reached: str | None = None
) -> Availability:
    """Of one server of that type in that region, by what the provider says it sells."""
    sold = [one for one in types if not one.deprecated]
    found = next((one for one in types if one.id == server_type), None)
    if found is None:
        reason: str | None = f"There is no server type {server_type!r}"
    elif found.deprecated:
        reason = f"The server type {server_type!r} is not sold any more"
    elif region not in {region for one in types for region in one.regions}:
        reason = f"There is no region {region!r}, or it has no room at all"
    elif region not in found.regions:
        reason = f"The server type {server_type!r} can't be had in {region!r} now"
    else:
        reason = limit_reached
    if reason is None:
        return Availability()
    there = tuple(one.id for one in sold if region in one.regions and one.id != server_type)
    elsewhere = () if found is None or found.deprecated else tuple(r for r in found.regions if r != region)
    return Availability(reason=reason, server_types=there[:ALTERNATIVES_MAX], regions=elsewhere[:ALTERNATIVES_MAX])
