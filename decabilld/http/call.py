"""One call of an operation, parsed and authenticated: all that a handler sees of HTTP."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec
from aiohttp import web

from decabilld.actors.actor import ASK_SECONDS
from decabilld.actors.draft import Replayed
from decabilld.actors.ports import IdempotencyKey
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Id
from decabilld.http.dependencies import Dependencies
from decabilld.http.middlewares import CORRELATION_ID
from decabilld.http.operation import Operation
from decabilld.http.principal import Principal
from decabilld.messages.decision import Command

LONGEST_IDEMPOTENCY_KEY = 255
_JSON = {"Content-Type": "application/json; charset=utf-8"}
encode = msgspec.json.Encoder(decimal_format="number").encode
"""The only JSON writer of answers: decimals become exact numbers."""

D = TypeVar("D", bound="Dated")
View = Callable[[Any], object]


class Dated(Protocol):
    """An entity that lists are ordered by."""

    @property
    def id(self) -> Id: ...

    @property
    def created_at(self) -> datetime: ...


class Call:
    """`ids` and `texts` are the path's, `query` and `body` what the schemas loaded; all empty where there are none."""

    __slots__ = (
        "_principal",
        "body",
        "correlation_id",
        "deps",
        "idempotency_key",
        "ids",
        "operation",
        "query",
        "raw_body",
        "request",
        "tenant_id",
        "texts",
    )

    def __init__(
        self,
        request: web.Request,
        operation: Operation,
        deps: Dependencies,
        tenant_id: str,
        principal: Principal | None,
    ) -> None:
        self.request, self.operation, self.deps = request, operation, deps
        self.tenant_id, self._principal = tenant_id, principal
        self.correlation_id = request[CORRELATION_ID]
        self.ids: dict[str, Id] = {}
        self.texts = {name: request.match_info[name] for name in operation.path_texts}
        self.query: dict[str, Any] = {}
        self.body: dict[str, Any] = {}
        self.raw_body = b""
        self.idempotency_key: str | None = None

    @property
    def principal(self) -> Principal:
        assert self._principal is not None, "a public operation has no principal"
        return self._principal

    @property
    def user_id(self) -> Id:
        """The customer's; only operations with Auth.CUSTOMER have one for sure."""
        assert self.principal.user_id is not None, "the API key is no customer"
        return self.principal.user_id

    @property
    def state(self) -> TenantState:
        """What is durable now. Raises Unavailable while the tenant isn't loaded."""
        return self.deps.tenants.published(self.tenant_id)

    @property
    def now(self) -> datetime:
        """The tenant's time."""
        return self.deps.tenants.now(self.tenant_id)

    def page_of(self, found: Iterable[D]) -> list[D]:
        """The page that the query asks for, newest first."""
        offset: int = self.query["offset"]
        newest_first = sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)
        return newest_first[offset : offset + self.query["limit"]]

    async def tell(self, command: Command, *, timeout_seconds: float = ASK_SECONDS) -> Any:
        """The actor's reply to a command, without an idempotency key."""
        return await self.deps.tenants.ask(
            self.tenant_id, command, who=self._who, cause=self.correlation_id, timeout_seconds=timeout_seconds
        )

    async def ask(self, command: Command, view: View, *, timeout_seconds: float = ASK_SECONDS) -> web.Response:
        """The answer that `view` makes of the actor's reply; with an Idempotency-Key the same one each time."""

        def render(reply: object) -> tuple[int, bytes]:
            return self.operation.status, encode(view(reply))

        reply = await self.deps.tenants.ask(
            self.tenant_id,
            command,
            who=self._who,
            cause=self.correlation_id,
            timeout_seconds=timeout_seconds,
            idempotency=self._idempotency(render),
        )
        status, body = (reply.status, reply.body) if isinstance(reply, Replayed) else render(reply)
        return json_response(status, body)

    def answer(self, shown: object) -> web.Response:
        """The operation's answer; `shown` is what a view made."""
        return json_response(self.operation.status, encode(shown))

    def answer_pdf(self, content: bytes, name: str) -> web.Response:
        headers = {"Content-Type": "application/pdf", "Content-Disposition": f'attachment; filename="{name}.pdf"'}
        return web.Response(body=content, headers=headers)

    @property
    def _who(self) -> str:
        return self._principal.who if self._principal else "anonymous"

    def _idempotency(self, render: Callable[[object], tuple[int, bytes]]) -> IdempotencyKey | None:
        key = self.idempotency_key
        if key is None:
            return None
        digest = hashlib.sha256(f"{self.request.method} {self.request.rel_url}\n".encode() + self.raw_body).hexdigest()
        return IdempotencyKey(who=self._who, key=key, request_digest=digest, render=render)


def json_response(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, headers=_JSON)
