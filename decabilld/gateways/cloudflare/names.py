"""Hostnames as A records of one Cloudflare zone, each marked with its item by the record's comment.

Owns what is published under a name, and that another's record is never touched. Tries and time-outs are `rest.py`'s.
Source: developers.cloudflare.com/api, version 4.
"""

from typing import Any

from msgspec import Struct

from decabilld.actors.provider import ProviderAway, ProviderRefused
from decabilld.domain.entities import Id
from decabilld.gateways.rest import Calls, ErrorAnswer, NotThere, Rest, read_as

TTL_SECONDS = 60
_PER_PAGE = 100
_ADDRESS_TYPES = ("A", "AAAA", "CNAME")
_THERE_ALREADY = frozenset({81053, 81054, 81057, 81058})
_NO_SUCH_RECORD = 81044
_MAX_MESSAGE = 200


class Record(Struct, frozen=True):
    id: str
    type: str
    content: str = ""
    comment: str | None = None


class _Records(Struct, frozen=True):
    result: tuple[Record, ...]


class _ThereAlready(ProviderRefused):
    """Somebody made a record of that name since we looked."""


class CloudflareNames:
    """`Names` in the zone `zone_id`, under `base_domain`. `tries` are Rest's own settings."""

    def __init__(self, token: str, base: str, zone_id: str, base_domain: str, **tries: float) -> None:
        self._rest = Rest("Cloudflare", base, token, _read_error, **tries)
        self._path = f"/zones/{zone_id}/dns_records"
        self._base_domain = base_domain.lower().rstrip(".")

    async def publish(self, hostname: str, address: str, item_id: Id) -> None:
        wanted = {
            "type": "A", "name": self._name(hostname), "content": address, "ttl": TTL_SECONDS, "proxied": False,
            "comment": _mark(item_id),
        }  # fmt: skip
        async with self._rest.calls() as ask:
            ours = await self._ours_alone(ask, hostname, item_id)
            if not ours:
                try:
                    await ask("POST", self._path, body=wanted, repeatable=True)
                except _ThereAlready:
                    # Ours, if an earlier try got through after all; another's is said to be so by the look.
                    if not await self._ours_alone(ask, hostname, item_id):
                        raise
            elif ours[0].content != address:
                await ask("PATCH", f"{self._path}/{ours[0].id}", body=wanted)
            for spare in ours[1:]:
                await ask.delete(f"{self._path}/{spare.id}")

    async def remove(self, hostname: str, item_id: Id) -> None:
        async with self._rest.calls() as ask:
            for record in await self._records(ask, hostname):
                if record.comment == _mark(item_id):
                    await ask.delete(f"{self._path}/{record.id}")

    def change_token(self, token: str) -> None:
        """From the next request on."""
        self._rest.change_token(token)

    async def close(self) -> None:
        await self._rest.close()

    def _name(self, hostname: str) -> str:
        return f"{hostname}.{self._base_domain}".lower()

    async def _ours_alone(self, ask: Calls, hostname: str, item_id: Id) -> list[Record]:
        """The item's records. Raises ProviderRefused if another's address has that name."""
        records = [record for record in await self._records(ask, hostname) if record.type in _ADDRESS_TYPES]
        if any(record.comment != _mark(item_id) for record in records):
            raise ProviderRefused(f"Cloudflare: another's record has the name {self._name(hostname)}")
        return records

    async def _records(self, ask: Calls, hostname: str) -> tuple[Record, ...]:
        answer = await ask("GET", self._path, query={"name.exact": self._name(hostname), "per_page": _PER_PAGE})
        return read_as(_Records, answer, "Cloudflare").result


def _mark(item_id: Id) -> str:
    return f"decabilld-item={item_id}"


def _read_error(answer: ErrorAnswer) -> Exception:
    """By status, and by the first of the `errors`: `[{code, message}]`."""
    first = _first_error(answer.body)
    message = first.get("message")
    said = f"Cloudflare: {message[:_MAX_MESSAGE] if isinstance(message, str) else f'status {answer.status}'}"
    if answer.status >= 500 or answer.status in (408, 429):
        return ProviderAway(said)
    if answer.status == 404 or first.get("code") == _NO_SUCH_RECORD:
        return NotThere(said)
    if first.get("code") in _THERE_ALREADY:
        return _ThereAlready(said)
    return ProviderRefused(said)


def _first_error(body: Any) -> dict[str, Any]:
    errors = body.get("errors") if isinstance(body, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    return first if isinstance(first, dict) else {}
