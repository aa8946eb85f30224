"""DigitalOcean as a provider of servers (droplets)."""

from decabilld.gateways.digitalocean.client import digitalocean

__all__ = ["digitalocean"]
