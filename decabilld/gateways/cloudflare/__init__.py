"""Cloudflare as the place where hostnames are published."""

from decabilld.gateways.cloudflare.names import CloudflareNames, cloudflare

__all__ = ["CloudflareNames", "cloudflare"]
