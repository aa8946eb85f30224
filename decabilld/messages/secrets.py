"""What is sealed with a server's item: the customer's wishes, which hold passwords and tokens, and the private keys."""

from typing import Any

import msgspec


class ItemSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """Sealed as `SubscriptionItem.SEALED_SECRETS` of its tenant. Its repr shows nothing of it."""

    config: dict[str, Any]
    """As the customer asked for it, not yet merged with the plan's defaults."""
    ssh_private_key: str
    host_private_key: str

    def __repr__(self) -> str:
        return "ItemSecrets(…)"

    def text(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def of(cls, text: str) -> "ItemSecrets":
        """Raises msgspec.ValidationError."""
        return msgspec.json.decode(text, type=cls)
