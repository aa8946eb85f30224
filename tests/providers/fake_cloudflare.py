"""A Cloudflare on loopback: DNS records of one zone by its API (v4) as documented, with faults on demand.

Written from the API reference without our client, so that it proves something about it. Answers no DNS queries.
"""

import ipaddress
import itertools
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.providers.fake_api import BODY, ApiError, FakeApi, Request

WINDOW_SECONDS = 300.0
WORDS = {
    400: (9005, "Content for A record is invalid. Must be a valid IPv4 address."),
    401: (10000, "Authentication error"),
    403: (10000, "Authentication error"),
    404: (7003, "Could not route to /zones/x, perhaps your object identifier is invalid?"),
    405: (10405, "Method not allowed"),
    429: (971, "Please wait and consider throttling your request speed"),
    500: (10000, "Internal error"),
}
ADDRESSES = ("A", "AAAA", "CNAME")


class FakeCloudflare(FakeApi):
    """One zone, `zone_id`, for the names under `domain`. `limit`: requests in five minutes."""

    root = "/client/v4"

    def __init__(self, token: str = "cloudflare-token-of-tests", domain: str = "cloud.example.org") -> None:
        self.zone_id, self.domain = "023e105f4ecef8ad9ca31a8372d0c353", domain
        self.limit = 1_200
        self.records: dict[str, dict[str, Any]] = {}
        self._ids = itertools.count(1)
        self._admitted: deque[float] = deque()
        super().__init__(token)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        zone = "/client/v4/zones/{zone}/dns_records"
        router.add_get(zone, self._list)
        router.add_post(zone, self._create)
        router.add_patch(f"{zone}/{{id}}", self._edit)
        router.add_delete(f"{zone}/{{id}}", self._delete)

    def error(self, status: int, text: str | None = None, code: int | None = None) -> ApiError:
        usual, words = WORDS.get(status, (10000, "Error"))
        error = {"code": code or usual, "message": text or words}
        return ApiError(status, {"success": False, "errors": [error], "messages": [], "result": None})

    def admit(self, request: Request) -> None:
        now = time.time()
        while self._admitted and self._admitted[0] <= now - WINDOW_SECONDS:
            self._admitted.popleft()
        if len(self._admitted) >= self.limit:
            wait = int(self._admitted[0] + WINDOW_SECONDS - now) + 1
            raise ApiError(429, self.error(429).body, {"retry-after": str(wait)})
        self._admitted.append(now)

    def headers(self) -> Mapping[str, str]:
        left = max(0, self.limit - len(self._admitted))
        return {
            "Ratelimit": f'"default";r={left};t={int(WINDOW_SECONDS)}',
            "Ratelimit-Policy": f'"default";q={self.limit};w={int(WINDOW_SECONDS)}',
        }

    def at(self, hostname: str) -> list[dict[str, Any]]:
        """The records of that name under the domain."""
        return [record for record in self.records.values() if record["name"] == f"{hostname}.{self.domain}"]

    def add_record(self, hostname: str, content: str, *, comment: str | None = None, kind: str = "A") -> dict[str, Any]:
        """One that is there already, made by whomever."""
        name = f"{hostname}.{self.domain}"
        return self._made({"name": name, "type": kind, "content": content, "comment": comment})

    async def _list(self, request: web.Request) -> web.Response:
        self._check_zone(request)
        query = request.query
        found = [
            record
            for record in self.records.values()
            if query.get("name.exact", record["name"]) == record["name"]
            and query.get("type", record["type"]) == record["type"]
        ]
        per_page, page = int(query.get("per_page", 100)), int(query.get("page", 1))
        shown = found[(page - 1) * per_page : page * per_page]
        totals = {
            "page": page, "per_page": per_page, "count": len(shown), "total_count": len(found),
            "total_pages": -(-len(found) // per_page),
        }  # fmt: skip
        return self._answer_with(shown, result_info=totals)

    async def _create(self, request: web.Request) -> web.Response:
        self._check_zone(request)
        body = request[BODY]
        self._check(body)
        return self._answer_with(self._made(body))

    async def _edit(self, request: web.Request) -> web.Response:
        record = self._found(request)
        self._check({**record, **request[BODY]}, but=record["id"])
        record.update(request[BODY])
        return self._answer_with(record)

    async def _delete(self, request: web.Request) -> web.Response:
        record = self._found(request)
        del self.records[record["id"]]
        return self._answer_with({"id": record["id"]})

    def _made(self, body: dict[str, Any]) -> dict[str, Any]:
        usual = {"ttl": 1, "proxied": False, "comment": None, "tags": [], "proxiable": True}
        record = {**usual, **body, "id": f"{next(self._ids):032x}", "created_on": "2026-11-22T18:00:00.000000Z"}
        self.records[record["id"]] = record
        return record

    def _check(self, body: dict[str, Any], but: str = "") -> None:
        """A CNAME stands alone; two A records of one name may differ, but not be the same."""
        try:
            ipaddress.IPv4Address(body.get("content", "") if body.get("type") == "A" else "127.0.0.1")
        except ValueError:
            raise self.error(400) from None
        if body.get("ttl", 1) != 1 and not 60 <= body["ttl"] <= 86_400:
            raise self.error(400, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.", 9021)
        others = [record for key, record in self.records.items() if key != but and record["name"] == body.get("name")]
        if any("CNAME" in (record["type"], body["type"]) for record in others if record["type"] in ADDRESSES):
            raise self.error(400, "An A, AAAA, or CNAME record with that host already exists.", 81053)
        if any((record["type"], record["content"]) == (body["type"], body["content"]) for record in others):
            raise self.error(400, "An identical record already exists.", 81058)

    def _check_zone(self, request: web.Request) -> None:
        if request.match_info["zone"] != self.zone_id:
            raise self.error(404)

    def _found(self, request: web.Request) -> dict[str, Any]:
        self._check_zone(request)
        record = self.records.get(request.match_info["id"])
        if record is None:
            raise self.error(404, "Record does not exist.", 81044)
        return record

    def _answer_with(self, result: Any, **more: Any) -> web.Response:
        return web.json_response({"success": True, "errors": [], "messages": [], "result": result, **more})
