"""Cloudflare as the place where hostnames are published."""

from decabilld.gateways.cloudflare.names import CloudflareNames

__all__ = ["CloudflareNames"]
