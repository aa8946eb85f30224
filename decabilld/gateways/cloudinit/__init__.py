"""What a new server is told to become, in cloud-init's words."""

from decabilld.gateways.cloudinit.stack import STACKS_DIRECTORY, StackImages
from decabilld.gateways.cloudinit.user_data import LONGEST_BYTES, user_data

__all__ = ["LONGEST_BYTES", "STACKS_DIRECTORY", "StackImages", "user_data"]
