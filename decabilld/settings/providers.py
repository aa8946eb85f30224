"""The outsiders that run servers and publish their names, and how often we look after what runs there.

A provider that is installed as a package reads variables of its own: `Settings.variables`.
"""

from dataclasses import dataclass
from decimal import Decimal

from decabilld.settings import parsing
from decabilld.settings.variable import HOUR_MS, variable


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    hetzner_api_token: str | None = variable(
        "HETZNER_API_TOKEN", None, "Hetzner Cloud: a project's token with read and write; unset: nothing is ordered "
        "there", secret=True, live=True,
    )  # fmt: skip
    hetzner_api_base: str = variable(
        "HETZNER_API_BASE", "https://api.hetzner.cloud/v1", "Where Hetzner Cloud answers", parsing.address
    )
    digitalocean_api_token: str | None = variable(
        "DIGITALOCEAN_API_TOKEN", None, "DigitalOcean: a token with read and write; unset: nothing is ordered there",
        secret=True, live=True,
    )  # fmt: skip
    digitalocean_api_base: str = variable(
        "DIGITALOCEAN_API_BASE", "https://api.digitalocean.com/v2", "Where DigitalOcean answers", parsing.address
    )
    digitalocean_usd_eur_rate: Decimal | None = variable(
        "DIGITALOCEAN_USD_EUR_RATE", None, "Euros for one US dollar, to tell DigitalOcean's prices in euros; unset: "
        "none are told", parsing.decimal(100),
    )  # fmt: skip
    cloudflare_api_token: str | None = variable(
        "CLOUDFLARE_API_TOKEN", None, "Cloudflare: a token that may edit the zone's DNS; unset: no names are published",
        secret=True, live=True,
    )  # fmt: skip
    cloudflare_api_base: str = variable(
        "CLOUDFLARE_API_BASE", "https://api.cloudflare.com/client/v4", "Where Cloudflare answers", parsing.address
    )
    cloudflare_zone_id: str | None = variable("CLOUDFLARE_ZONE_ID", None, "The zone that DNS_BASE_DOMAIN lies in")
    dns_base_domain: str | None = variable(
        "DNS_BASE_DOMAIN", None, "Domain that servers get their names under", parsing.domain
    )

    backorder_retry_interval_ms: int = variable(
        "BACKORDER_RETRY_INTERVAL_MS", 60_000,
        "Milliseconds to a backorder's first retry; each later pause is longer, up to an hour",
        parsing.whole(1_000, HOUR_MS),
    )  # fmt: skip
    subscription_update_scheduler_interval_ms: int = variable(
        "SUBSCRIPTION_UPDATE_SCHEDULER_INTERVAL", 24 * HOUR_MS, "Milliseconds between updates of what runs on servers",
        parsing.whole(60_000, 30 * 24 * HOUR_MS),
    )  # fmt: skip
    server_reconcile_interval_ms: int = variable(
        "SERVER_RECONCILE_INTERVAL", HOUR_MS, "Milliseconds between comparisons of servers and subscriptions",
        parsing.whole(60_000, 24 * HOUR_MS),
    )  # fmt: skip
    reconcile_delete_orphans: bool = variable(
        "RECONCILE_DELETE_ORPHANS", False, "Whether a comparison deletes servers that nobody pays for", parsing.flag
    )
    controller_image: str | None = variable(
        "CONTROLLER_IMAGE", None, "Container image with tag of the service `controller`; unset: it can't be ordered"
    )
    manager_image: str | None = variable("MANAGER_IMAGE", None, "Likewise of the service `manager`")
    stack_database_image: str = variable(
        "STACK_DATABASE_IMAGE", "postgres:17-alpine", "Image of the controller's database; keep its major version"
    )
