"""Hetzner Cloud as a provider of servers."""

from decabilld.gateways.hetzner.client import hetzner

__all__ = ["hetzner"]
