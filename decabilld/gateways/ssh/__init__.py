"""Into the servers of customers: their keys, and the nightly update of what runs there."""

from decabilld.gateways.ssh.keys import KeyPair, new_key_pair

__all__ = ["KeyPair", "new_key_pair"]
