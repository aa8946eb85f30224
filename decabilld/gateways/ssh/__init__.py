"""Into the servers of customers: their keys, and the nightly update of what runs there."""

from decabilld.gateways.ssh.keys import KeyPair, new_key_pair
from decabilld.gateways.ssh.update import ServerAway, ServerRefused, update_stack

__all__ = ["KeyPair", "ServerAway", "ServerRefused", "new_key_pair", "update_stack"]
