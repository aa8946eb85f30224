"""A Keycloak realm's signing keys (JWKS, RFC 7517): fetched when they are needed, then kept.

Owns when the network is asked. What a token must say is the authenticator's affair.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import jwt
import structlog

from decabilld.actors.ports import Unavailable

REFETCH_SECONDS = 60.0
FETCH_SECONDS = 5.0
_log = structlog.get_logger("keycloak")


class RealmKeys:
    """Keys by `kid`. A key that isn't known is looked for at most once a minute, whoever asks for it."""

    def __init__(self, url: str, now: Callable[[], float] = time.monotonic) -> None:
        self._url, self._now = url, now
        self._keys: dict[str, Any] = {}
        self._fetched_at: float | None = None
        self._reachable = False
        self._fetching = asyncio.Lock()

    async def key(self, kid: str) -> Any | None:
        """The RS256 public key, or None for one that the realm doesn't have. Raises Unavailable while we can't know."""
        found = self._keys.get(kid)
        if found is not None:
            return found
        async with self._fetching:
            if kid not in self._keys and (
                self._fetched_at is None or self._now() - self._fetched_at >= REFETCH_SECONDS
            ):
                await self._fetch()
        if kid not in self._keys and not self._reachable:
            raise Unavailable("the identity provider can't be reached")
        return self._keys.get(kid)

    async def _fetch(self) -> None:
        self._fetched_at = self._now()
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS)) as http,
                http.get(self._url, allow_redirects=False) as response,
            ):
                response.raise_for_status()
                keys = jwt.PyJWKSet.from_dict(await response.json(content_type=None)).keys
        except (aiohttp.ClientError, TimeoutError, jwt.PyJWTError, ValueError, AttributeError, TypeError) as error:
            self._reachable = False
            _log.warning("keys_not_fetched", url=self._url, reason=f"{type(error).__name__}: {error}")
            return
        self._reachable = True
        self._keys = {
            key.key_id: key.key
            for key in keys
            if key.key_id and key.algorithm_name == "RS256" and key.public_key_use in (None, "sig")
        }
        _log.info("keys_fetched", url=self._url, keys=len(self._keys))
