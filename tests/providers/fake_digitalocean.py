"""A DigitalOcean on loopback: its API (v2) as documented, for droplets, sizes, regions and keys, with faults on demand.

Written from the API reference without our client, so that it proves something about it. Owns one account; nothing runs
on its servers. `python -m tests.providers.fake_digitalocean 8400` serves it by itself.
"""

import asyncio
import base64
import hashlib
import itertools
import sys
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.providers.fake_api import BODY, ApiError, FakeApi, Request

MAX_PER_PAGE = 200
MINUTE = 60.0
HOUR = 3600.0
WORDS = {
    400: ("bad_request", "Request body is malformed."),
    401: ("Unauthorized", "Unable to authenticate you"),
    403: ("forbidden", "You do not have access for the attempted action."),
    404: ("not_found", "The resource you were accessing could not be found."),
    405: ("method_not_allowed", "Method not allowed."),
    422: ("unprocessable_entity", "Unprocessable."),
    429: ("too_many_requests", "API Rate limit exceeded."),
    500: ("server_error", "Unexpected server-side error"),
    503: ("service_unavailable", "Service unavailable"),
}
REGIONS = {"fra1": "Frankfurt 1", "ams3": "Amsterdam 3", "nyc1": "New York 1"}


def size(slug: str, cores: int, memory: int, disk: int, monthly: float, hourly: float, text: str) -> dict[str, Any]:
    return {
        "slug": slug, "memory": memory, "vcpus": cores, "disk": disk, "transfer": 1.0, "price_monthly": monthly,
        "price_hourly": hourly, "regions": list(REGIONS), "available": True, "description": text,
    }  # fmt: skip


class FakeDigitalOcean(FakeApi):
    """Everything below may be changed by a test while it serves.

    `boot_seconds`: until a droplet runs and has its addresses. `tag_seconds`: until its tags are seen.
    `action_seconds`: how long an action locks it. `droplet_limit`: of the account. `hourly_limit`, `minute_limit`: of
    requests; `key_lists_a_minute`: of those for the keys.
    """

    root = "/v2"

    def __init__(self, token: str = "dop_v1_token_of_tests") -> None:
        self.boot_seconds = self.tag_seconds = self.action_seconds = 0.0
        self.droplet_limit = 100_000
        self.hourly_limit, self.minute_limit, self.key_lists_a_minute = 5_000, 250, 10
        self.closed_regions: set[str] = set()
        self.droplets: dict[int, dict[str, Any]] = {}
        self.keys: dict[int, dict[str, Any]] = {}
        self.actions: list[tuple[int, str]] = []
        self.sizes = {
            made["slug"]: made
            for made in (
                size("s-1vcpu-512mb-10gb", 1, 512, 10, 4.0, 0.00595, "Basic"),
                size("s-2vcpu-4gb", 2, 4096, 80, 24.0, 0.03571000066399574, "Basic"),
                size("c-4", 4, 8192, 50, 84.0, 0.125, "CPU-Optimized"),
            )
        }
        self._ids = itertools.count(3_164_400)
        self._admitted: deque[float] = deque()
        self._key_lists: deque[float] = deque()
        super().__init__(token)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v2/account", self._account)
        router.add_get("/v2/sizes", self._list_sizes)
        router.add_get("/v2/regions", self._list_regions)
        router.add_get("/v2/droplets", self._list_droplets)
        router.add_post("/v2/droplets", self._create)
        router.add_get("/v2/droplets/{id}", self._get)
        router.add_delete("/v2/droplets/{id}", self._destroy)
        router.add_post("/v2/droplets/{id}/actions", self._act)
        router.add_get("/v2/account/keys", self._list_keys)
        router.add_post("/v2/account/keys", self._register)
        router.add_delete("/v2/account/keys/{id}", self._forget)

    def error(self, status: int, text: str | None = None) -> ApiError:
        name, words = WORDS.get(status, ("error", "Error"))
        return ApiError(status, {"id": name, "message": text or words})

    # --- limits -------------------------------------------------------------------------------------------------

    def headers(self) -> Mapping[str, str]:
        oldest = self._admitted[0] if self._admitted else time.time()
        return {
            "RateLimit-Limit": str(self.hourly_limit),
            "RateLimit-Remaining": str(max(0, self.hourly_limit - len(self._admitted))),
            "RateLimit-Reset": str(int(oldest + HOUR)),
        }

    def admit(self, request: Request) -> None:
        now = time.time()
        while self._admitted and self._admitted[0] <= now - HOUR:
            self._admitted.popleft()
        recent = [at for at in self._admitted if at > now - MINUTE]
        if len(self._admitted) >= self.hourly_limit:
            raise self.error(429)
        if len(recent) >= self.minute_limit:
            raise self._too_fast(recent[0], now)
        if request.line == "GET /account/keys":
            self._admit_key_list(now)
        self._admitted.append(now)

    def _admit_key_list(self, now: float) -> None:
        while self._key_lists and self._key_lists[0] <= now - MINUTE:
            self._key_lists.popleft()
        if len(self._key_lists) >= self.key_lists_a_minute:
            raise self._too_fast(self._key_lists[0], now)
        self._key_lists.append(now)

    def _too_fast(self, oldest: float, now: float) -> ApiError:
        wait = str(int(oldest + MINUTE - now) + 1)
        return ApiError(429, self.error(429).body, {"Retry-After": wait})

    # --- what is for sale ---------------------------------------------------------------------------------------

    async def _account(self, _: web.Request) -> web.Response:
        account = {
            "droplet_limit": self.droplet_limit, "floating_ip_limit": 5, "email": "ops@example.org", "uuid": "b6fr89db",
            "email_verified": True, "status": "active", "status_message": "",
        }  # fmt: skip
        return web.json_response({"account": account})

    async def _list_sizes(self, request: web.Request) -> web.Response:
        return self._page(request, "sizes", list(self.sizes.values()))

    async def _list_regions(self, request: web.Request) -> web.Response:
        listed = [
            {"slug": slug, "name": name, "sizes": list(self.sizes), "features": ["metadata"],
             "available": slug not in self.closed_regions}
            for slug, name in REGIONS.items()
        ]  # fmt: skip
        return self._page(request, "regions", listed)

    def _page(self, request: web.Request, key: str, items: list[dict[str, Any]]) -> web.Response:
        per_page = min(int(request.query.get("per_page", 20)), MAX_PER_PAGE)
        page = int(request.query.get("page", 1))
        last = max(1, -(-len(items) // per_page))
        link = f"{self.base}/{key}?per_page={per_page}&page="
        pages = {}
        if page > 1:
            pages |= {"first": f"{link}1", "prev": f"{link}{page - 1}"}
        if page < last:
            pages |= {"next": f"{link}{page + 1}", "last": f"{link}{last}"}
        shown = items[(page - 1) * per_page : page * per_page]
        return web.json_response(
            {key: shown, "links": {"pages": pages} if pages else {}, "meta": {"total": len(items)}}
        )

    # --- droplets -----------------------------------------------------------------------------------------------

    def add_droplet(self, name: str, *tags: str, **more: Any) -> dict[str, Any]:
        """One that is there already, made by whomever."""
        body = {"name": name, "region": "fra1", "size": "s-2vcpu-4gb", "image": "ubuntu-24-04-x64", "tags": list(tags)}
        return self._made({**body, **more})

    async def _list_droplets(self, request: web.Request) -> web.Response:
        tag, name = request.query.get("tag_name"), request.query.get("name")
        if tag is not None and name is not None:
            raise self.error(422, "tag_name can not be combined with name.")
        shown = [self._shown(droplet) for droplet in sorted(self.droplets.values(), key=lambda made: -made["id"])]
        if tag is not None:
            shown = [droplet for droplet in shown if tag in droplet["tags"]]
        if name is not None:
            shown = [droplet for droplet in shown if droplet["name"].lower() == name.lower()]
        return self._page(request, "droplets", shown)

    async def _create(self, request: web.Request) -> web.Response:
        body = request[BODY]
        self._check(body)
        return web.json_response({"droplet": self._shown(self._made(body)), "links": {"actions": []}}, status=202)

    def _check(self, body: dict[str, Any]) -> None:
        if not all(isinstance(body.get(name), str) for name in ("name", "region", "size", "image")):
            raise self.error(422, "Name, region, size and image are required.")
        if body["region"] not in REGIONS:
            raise self.error(422, "You specified an invalid region for Droplet creation.")
        if body["size"] not in self.sizes:
            raise self.error(422, "You specified an invalid size for Droplet creation.")
        if body["region"] in self.closed_regions:
            raise self.error(422, "Region is not available")
        chosen = self.sizes[body["size"]]
        if not chosen["available"] or body["region"] not in chosen["regions"]:
            raise self.error(422, "Size is not available in this region.")
        if not body["image"].startswith(("ubuntu-", "debian-")):
            raise self.error(422, "You specified an invalid image for Droplet creation.")
        if len(body.get("user_data", "").encode()) > 64 << 10:
            raise self.error(422, "User data exceeds the limit of 64 KiB.")
        unknown = [key for key in body.get("ssh_keys", []) if self._key(key) is None]
        if unknown:
            raise self.error(422, f"{unknown[0]} are invalid key identifiers for Droplet creation.")
        if len(self.droplets) >= self.droplet_limit:
            raise self.error(422, "creating this/these droplet(s) will exceed your droplet limit")

    def _made(self, body: dict[str, Any]) -> dict[str, Any]:
        droplet = {
            **body, "id": next(self._ids), "made_at": time.time(), "power": "active", "locked_until": 0.0,
        }  # fmt: skip
        self.droplets[droplet["id"]] = droplet
        return droplet

    def _shown(self, droplet: dict[str, Any]) -> dict[str, Any]:
        age, chosen = time.time() - droplet["made_at"], self.sizes[droplet["size"]]
        booted, number = age >= self.boot_seconds, droplet["id"] % 250
        addresses = [
            {"ip_address": f"10.135.0.{number}", "netmask": "255.255.0.0", "gateway": "10.135.0.1", "type": "private"},
            {"ip_address": f"203.0.113.{number}", "netmask": "255.255.240.0", "gateway": "203.0.113.1",
             "type": "public"},
        ]  # fmt: skip
        created = droplet.get("created_at") or datetime.fromtimestamp(int(droplet["made_at"]), UTC).isoformat()
        return {
            "id": droplet["id"], "name": droplet["name"], "memory": chosen["memory"], "vcpus": chosen["vcpus"],
            "disk": chosen["disk"], "locked": self._locked(droplet), "status": droplet["power"] if booted else "new",
            "kernel": None, "created_at": created.replace("+00:00", "Z"), "features": [], "backup_ids": [],
            "next_backup_window": None, "snapshot_ids": [], "volume_ids": [],
            "image": {"id": 63663980, "name": "24.04 (LTS) x64", "distribution": "Ubuntu", "slug": droplet["image"]},
            "size": chosen, "size_slug": droplet["size"],
            "networks": {"v4": addresses if booted else [], "v6": []},
            "region": {"slug": droplet["region"], "name": REGIONS[droplet["region"]], "available": True},
            "tags": droplet.get("tags", []) if age >= self.tag_seconds else [],
        }  # fmt: skip

    def _locked(self, droplet: dict[str, Any]) -> bool:
        now = time.time()
        return bool(now < droplet["locked_until"] or now < droplet["made_at"] + self.boot_seconds)

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response({"droplet": self._shown(self._found(request))})

    async def _destroy(self, request: web.Request) -> web.Response:
        del self.droplets[self._found(request)["id"]]
        return web.Response(status=204)

    async def _act(self, request: web.Request) -> web.Response:
        droplet, kind = self._found(request), request[BODY].get("type")
        if self._locked(droplet):
            raise self.error(422, "Droplet already has a pending event.")
        allowed = {"power_on": "off", "shutdown": "active", "reboot": "active", "power_off": "active"}
        if allowed.get(kind) != droplet["power"]:
            raise self.error(422, f"Droplet can't {kind} while it is {droplet['power']}.")
        droplet["locked_until"] = time.time() + self.action_seconds
        droplet["power"] = "off" if kind in ("shutdown", "power_off") else "active"
        self.actions.append((droplet["id"], kind))
        action = {"id": next(self._ids), "status": "in-progress", "type": kind, "resource_id": droplet["id"],
                  "resource_type": "droplet", "started_at": "2026-11-22T18:00:00Z", "completed_at": None,
                  "region_slug": droplet["region"]}  # fmt: skip
        return web.json_response({"action": action}, status=201)

    def _found(self, request: web.Request) -> dict[str, Any]:
        number = request.match_info["id"]
        if not number.isdecimal() or int(number) not in self.droplets:
            raise self.error(404)
        return self.droplets[int(number)]

    # --- keys ---------------------------------------------------------------------------------------------------

    async def _list_keys(self, request: web.Request) -> web.Response:
        return self._page(request, "ssh_keys", list(self.keys.values()))

    async def _register(self, request: web.Request) -> web.Response:
        body = request[BODY]
        try:
            blob = base64.b64decode(body["public_key"].split()[1], validate=True)
        except (KeyError, IndexError, ValueError):
            raise self.error(422, "Key invalid, key should be of the format `type key [comment]`") from None
        fingerprint = hashlib.md5(blob, usedforsecurity=False).digest().hex(":")
        if self._key(fingerprint) is not None:
            raise self.error(422, "SSH Key is already in use on your account")
        key = {
            "id": next(self._ids),
            "fingerprint": fingerprint,
            "public_key": body["public_key"],
            "name": body["name"],
        }
        self.keys[key["id"]] = key
        return web.json_response({"ssh_key": key}, status=201)

    async def _forget(self, request: web.Request) -> web.Response:
        key = self._key(request.match_info["id"])
        if key is None:
            raise self.error(404)
        del self.keys[key["id"]]
        return web.Response(status=204)

    def _key(self, given: int | str) -> dict[str, Any] | None:
        return next((key for key in self.keys.values() if str(given) in (str(key["id"]), key["fingerprint"])), None)


async def serve(port: int) -> None:
    fake = FakeDigitalOcean()
    await fake.start(port)
    print(f"DIGITALOCEAN_API_BASE={fake.base} DIGITALOCEAN_API_TOKEN={fake.token}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
