"""A Hetzner Cloud on loopback: its API (v1) as documented, for servers, types, keys and actions, faults on demand.

Written from the API reference; `test_fake_hetzner.py` holds it to Hetzner's own `hcloud` client. Owns one project;
nothing runs on its servers. `python -m tests.providers.fake_hetzner 8401` serves it by itself.
"""

import asyncio
import hashlib
import itertools
import re
import secrets
import sys
import time
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.providers.fake_api import BODY, ApiError, FakeApi, Fault, Request
from tests.providers.hetzner_catalogue import IMAGES, LOCATIONS, server_types

MAX_PER_PAGE = 50
HOUR = 3600.0
LABEL = "decabilld-item"
HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9-]{1,63})*")
STATUS_OF = {
    "json_error": 400, "unauthorized": 401, "forbidden": 403, "resource_limit_exceeded": 403, "not_found": 404,
    "uniqueness_error": 409, "conflict": 409, "deprecated_api_endpoint": 410, "resource_unavailable": 412,
    "placement_error": 412, "invalid_input": 422, "invalid_server_type": 422, "unsupported_error": 422, "locked": 423,
    "rate_limit_exceeded": 429, "server_error": 500, "bad_gateway": 502, "unavailable": 503, "timeout": 504,
}  # fmt: skip
CODE_OF = {status: code for code, status in reversed(STATUS_OF.items())} | {405: "not_found"}


class Refused(ApiError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(STATUS_OF[code], _body(code, message))


def coded(on: str, code: str, headers: Mapping[str, str] | None = None) -> Fault:
    """The next request that begins with `on` is refused with that code."""
    return Fault(on, status=STATUS_OF[code], body=_body(code, f"{code} on demand"), headers=headers or {})


class FakeHetzner(FakeApi):
    """Everything below may be changed by a test while it serves.

    `sold_out`: pairs of type and location. `server_limit`: of the project. `boot_seconds`: until a server runs,
    `address_seconds`: until it has its address, `action_seconds`: how long an action locks it. `remaining`: requests
    left of `rate_limit`, filling again evenly, a whole limit an hour.
    """

    root = "/v1"

    def __init__(self, token: str = "hetzner-token-of-tests") -> None:
        self.boot_seconds = self.address_seconds = self.action_seconds = 0.0
        self.sold_out: set[tuple[str, str]] = set()
        self.server_limit = 100_000
        self.rate_limit, self.remaining = 3_600, 3_600.0
        self.server_types = server_types()
        self.servers: dict[int, dict[str, Any]] = {}
        self.ssh_keys: dict[int, dict[str, Any]] = {}
        self.actions: dict[int, dict[str, Any]] = {}
        self._refilled_at = time.monotonic()
        self._ids = itertools.count(4_711)
        super().__init__(token)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        for method, path, handler in (
            ("GET", "/server_types", self._list_types),
            ("GET", "/locations", self._list_locations),
            ("GET", "/datacenters", self._gone),
            ("GET", "/images", self._list_images),
            ("GET", "/ssh_keys", self._list_keys),
            ("POST", "/ssh_keys", self._create_key),
            ("DELETE", "/ssh_keys/{id}", self._delete_key),
            ("GET", "/servers", self._list_servers),
            ("POST", "/servers", self._create_server),
            ("GET", "/servers/{id}", self._get_server),
            ("DELETE", "/servers/{id}", self._delete_server),
            ("POST", "/servers/{id}/actions/{command}", self._act),
            ("GET", "/actions/{id}", self._get_action),
        ):
            router.add_route(method, self.root + path, handler)

    def error(self, status: int, text: str | None = None) -> ApiError:
        code = CODE_OF.get(status, "server_error")
        return ApiError(status, _body(code, text or code.replace("_", " ")))

    def headers(self) -> Mapping[str, str]:
        full_at = time.time() + (self.rate_limit - self.remaining) * HOUR / self.rate_limit
        return {
            "RateLimit-Limit": str(self.rate_limit),
            "RateLimit-Remaining": str(int(self.remaining)),
            "RateLimit-Reset": str(int(full_at)),
            "X-Correlation-Id": secrets.token_hex(8),
        }

    def admit(self, request: Request) -> None:
        now = time.monotonic()
        grown = self.remaining + (now - self._refilled_at) * self.rate_limit / HOUR
        self.remaining, self._refilled_at = min(grown, float(self.rate_limit)), now
        if self.remaining < 1:
            raise Refused("rate_limit_exceeded", f"limit of {self.rate_limit} requests per hour reached")
        self.remaining -= 1

    def of_item(self, item_id: str) -> list[dict[str, Any]]:
        return [server for server in self.servers.values() if server["labels"].get(LABEL) == item_id]

    def add_server(self, name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
        """One that is there already, made by whomever."""
        return self._new_server(name, "cx23", "fsn1", "ubuntu-24.04", labels or {})

    # Catalogue

    async def _list_types(self, request: web.Request) -> web.Response:
        return _page(request, "server_types", [self._listed(kind) for kind in self.server_types.values()])

    def _listed(self, kind: dict[str, Any]) -> dict[str, Any]:
        if "locations" not in kind:
            return kind
        places = [
            {**place, "available": place["available"] and (kind["name"], place["name"]) not in self.sold_out}
            for place in kind["locations"]
        ]
        return {**kind, "locations": places}

    async def _list_locations(self, request: web.Request) -> web.Response:
        return _page(request, "locations", list(LOCATIONS.values()))

    async def _list_images(self, request: web.Request) -> web.Response:
        return _page(request, "images", list(IMAGES.values()))

    async def _gone(self, request: web.Request) -> web.Response:
        raise Refused("deprecated_api_endpoint", "datacenters were removed on 2026-10-01")

    # SSH keys

    async def _list_keys(self, request: web.Request) -> web.Response:
        return _page(request, "ssh_keys", list(self.ssh_keys.values()))

    async def _create_key(self, request: web.Request) -> web.Response:
        wanted = request[BODY]
        fingerprint = _fingerprint(str(wanted.get("public_key", "")))
        for key in self.ssh_keys.values():
            if key["name"] == wanted["name"] or key["fingerprint"] == fingerprint:
                raise Refused("uniqueness_error", "SSH key with the same fingerprint or name already exists")
        number = next(self._ids)
        self.ssh_keys[number] = {
            "id": number,
            "name": wanted["name"],
            "fingerprint": fingerprint,
            "public_key": wanted["public_key"],
            "labels": wanted.get("labels") or {},
            "created": _now(),
        }
        return web.json_response({"ssh_key": self.ssh_keys[number]}, status=201)

    async def _delete_key(self, request: web.Request) -> web.Response:
        if self.ssh_keys.pop(_number(request), None) is None:
            raise Refused("not_found", "ssh_key not found")
        return web.Response(status=204)

    # Servers

    async def _list_servers(self, request: web.Request) -> web.Response:
        return _page(request, "servers", [self._shown(server) for server in self.servers.values()])

    async def _get_server(self, request: web.Request) -> web.Response:
        return web.json_response({"server": self._shown(self._server(request))})

    async def _create_server(self, request: web.Request) -> web.Response:
        wanted = request[BODY]
        name, location = str(wanted.get("name", "")), wanted.get("location", "fsn1")
        kind = _by_id_or_name(self.server_types, wanted.get("server_type"), "server type")
        place = _by_id_or_name(LOCATIONS, location, "location")["name"]
        image = _by_id_or_name(IMAGES, wanted.get("image"), "image")["name"]
        if not HOSTNAME.fullmatch(name):
            raise Refused("invalid_input", "invalid input in field 'name': must be a valid hostname")
        if len((wanted.get("user_data") or "").encode()) > 32 * 1024:
            raise Refused("invalid_input", "invalid input in field 'user_data': longer than 32 KiB")
        for key in wanted.get("ssh_keys", []):
            if not any(key in (known["id"], known["name"]) for known in self.ssh_keys.values()):
                raise Refused("not_found", f"ssh key '{key}' not found")
        if any(server["name"] == name for server in self.servers.values()):
            raise Refused("uniqueness_error", "server name is already used")
        self._check_room(kind, place)
        server = self._new_server(name, kind["name"], place, image, wanted.get("labels") or {})
        server["user_data"], server["key_ids"] = wanted.get("user_data"), wanted.get("ssh_keys", [])
        on = wanted.get("start_after_create", True)
        server["status"] = "running" if on else "off"
        return web.json_response(
            {
                "server": self._shown(server),
                "action": self._action("create_server", server),
                "next_actions": [self._action("start_server", server)] if on else [],
                "root_password": None if wanted.get("ssh_keys") else secrets.token_urlsafe(12),
            },
            status=201,
        )

    def _check_room(self, kind: dict[str, Any], place: str) -> None:
        sold_there = {location["name"]: location for location in kind["locations"]}
        if place not in sold_there:
            raise Refused("invalid_input", "unsupported location for server type")
        if kind["deprecation"]:
            raise Refused("invalid_server_type", "server type is deprecated")
        if (kind["name"], place) in self.sold_out or not sold_there[place]["available"]:
            raise Refused("resource_unavailable", "error during placement")
        if len(self.servers) >= self.server_limit:
            raise Refused("resource_limit_exceeded", "server limit exceeded")

    def _new_server(self, name: str, kind: str, place: str, image: str, labels: dict[str, str]) -> dict[str, Any]:
        number = next(self._ids)
        self.servers[number] = {
            "id": number, "name": name, "status": "running", "kind": kind, "place": place, "image": image,
            "labels": labels, "created": _now(), "created_at": time.monotonic(), "busy_until": 0.0,
            "ip": f"203.0.{number // 250 % 250}.{number % 250 + 1}",
        }  # fmt: skip
        return self.servers[number]

    async def _delete_server(self, request: web.Request) -> web.Response:
        server = self._server(request)
        self._check_unlocked(server)
        del self.servers[server["id"]]
        return web.json_response({"action": self._action("delete_server", server)})

    async def _act(self, request: web.Request) -> web.Response:
        server, command = self._server(request), request.match_info["command"]
        self._check_unlocked(server)
        ends = {"poweron": "running", "poweroff": "off", "shutdown": "off", "reboot": "running", "reset": "running"}
        if command not in ends:
            raise Refused("not_found", "no such action")
        if command in ("reboot", "reset") and server["status"] == "off":
            raise Refused("unsupported_error", "server is off")
        server["status"] = ends[command]
        action = self._action(command if command != "poweron" else "start_server", server)
        return web.json_response({"action": action}, status=201)

    def _check_unlocked(self, server: dict[str, Any]) -> None:
        if time.monotonic() < server["busy_until"]:
            raise Refused("locked", "server is locked")

    def _server(self, request: web.Request) -> dict[str, Any]:
        if (server := self.servers.get(_number(request))) is None:
            raise Refused("not_found", "server not found")
        return server

    def _shown(self, server: dict[str, Any]) -> dict[str, Any]:
        age = time.monotonic() - server["created_at"]
        address = {"id": server["id"], "ip": server["ip"], "blocked": False, "dns_ptr": "static.example"}
        return {
            "id": server["id"],
            "name": server["name"],
            "status": "initializing" if age < self.boot_seconds else server["status"],
            "created": server["created"],
            "public_net": {
                "ipv4": address if age >= self.address_seconds else None,
                "ipv6": {"id": server["id"] + 1, "ip": "2001:db8::/64", "blocked": False, "dns_ptr": []},
                "floating_ips": [],
                "firewalls": [],
            },
            "private_net": [],
            "server_type": self.server_types[server["kind"]],
            "location": LOCATIONS[server["place"]],
            "image": IMAGES[server["image"]],
            "iso": None,
            "rescue_enabled": False,
            "locked": time.monotonic() < server["busy_until"],
            "backup_window": None,
            "outgoing_traffic": 0,
            "ingoing_traffic": 0,
            "included_traffic": 20 * 2**40,
            "protection": {"delete": False, "rebuild": False},
            "labels": server["labels"],
            "volumes": [],
            "load_balancers": [],
            "primary_disk_size": self.server_types[server["kind"]]["disk"],
            "placement_group": None,
        }

    # Actions

    def _action(self, command: str, server: dict[str, Any]) -> dict[str, Any]:
        number = next(self._ids)
        now = time.monotonic()
        server["busy_until"] = now + self.action_seconds
        self.actions[number] = {"id": number, "command": command, "server_id": server["id"], "at": now, "from": _now()}
        return self._shown_action(self.actions[number])

    async def _get_action(self, request: web.Request) -> web.Response:
        if (action := self.actions.get(_number(request))) is None:
            raise Refused("not_found", "action not found")
        return web.json_response({"action": self._shown_action(action)})

    def _shown_action(self, action: dict[str, Any]) -> dict[str, Any]:
        share = min(1.0, (time.monotonic() - action["at"]) / self.action_seconds) if self.action_seconds else 1.0
        return {
            "id": action["id"],
            "command": action["command"],
            "status": "success" if share == 1.0 else "running",
            "progress": int(share * 100),
            "started": action["from"],
            "finished": _now() if share == 1.0 else None,
            "resources": [{"id": action["server_id"], "type": "server"}],
            "error": None,
        }


def _page(request: web.Request, key: str, rows: list[dict[str, Any]]) -> web.Response:
    query = request.query
    for name in ("name", "fingerprint"):
        if name in query:
            rows = [row for row in rows if row.get(name) == query[name]]
    if "label_selector" in query:
        rows = [row for row in rows if _selected(row["labels"], query["label_selector"])]
    number, size = int(query.get("page", 1)), min(int(query.get("per_page", 25)), MAX_PER_PAGE)
    last = max(1, -(-len(rows) // size))
    meta = {
        "page": number,
        "per_page": size,
        "previous_page": number - 1 if number > 1 else None,
        "next_page": number + 1 if number < last else None,
        "last_page": last,
        "total_entries": len(rows),
    }
    return web.json_response({key: rows[(number - 1) * size : number * size], "meta": {"pagination": meta}})


def _selected(labels: dict[str, str], selector: str) -> bool:
    """`k`, `!k`, `k=v`, `k==v`, `k!=v`, all of several parted by commas."""
    for term in selector.split(","):
        if match := re.fullmatch(r"([^!=]+)(==|=|!=)(.*)", term):
            name, sign, value = match.groups()
            if (labels.get(name) == value) is (sign == "!="):
                return False
        elif (term.lstrip("!") in labels) is term.startswith("!"):
            return False
    return True


def _by_id_or_name(known: dict[str, dict[str, Any]], wanted: Any, what: str) -> dict[str, Any]:
    for one in known.values():
        if wanted in (one["name"], one["id"], str(one["id"])):
            return one
    raise Refused("invalid_input", f"{what} '{wanted}' not found")


def _fingerprint(public_key: str) -> str:
    parts = public_key.split()
    if len(parts) < 2 or not parts[0].startswith(("ssh-", "ecdsa-")):
        raise Refused("invalid_input", "invalid input in field 'public_key'")
    return hashlib.md5(b64decode(parts[1]), usedforsecurity=False).digest().hex(":")


def _body(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "details": {}}}


def _number(request: web.Request) -> int:
    try:
        return int(request.match_info["id"])
    except ValueError:
        raise Refused("not_found", "no such id") from None


def _now() -> str:
    return datetime.now(UTC).isoformat()


async def _serve(port: int) -> None:
    fake = FakeHetzner()
    await fake.start(port)
    print(f"HETZNER_API_BASE={fake.base} HETZNER_API_TOKEN={fake.token}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
