"""What an operation of the API is: declared once, from which come its route, its checks and its documentation."""

import re
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING

from aiohttp import web
from msgspec import Struct

from decabilld.http.schemas.base import Answer, Query, Request

if TYPE_CHECKING:
    from decabilld.http.call import Call

PDF = "application/pdf"
AnswerShape = type[Answer] | list[type[Answer]] | str | None
Handler = Callable[["Call"], Awaitable[web.StreamResponse]]
_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
PATH_TEXTS = frozenset({"providerId"})
"""Path parameters that are no UUIDs."""


class Auth(Enum):
    """Who may call. CUSTOMER is a user with an identity, hence not the API key; SIGNED needs neither tenant nor
    token, since its body is proven by its own signature."""

    PUBLIC = "public"
    SIGNED = "signed"
    USER = "user"
    CUSTOMER = "customer"
    ADMIN = "admin"


class Operation(Struct, frozen=True, kw_only=True):
    """`path` is without the prefix `/api`; its parameters are UUIDs, but for PATH_TEXTS.

    `answer` is what `status` carries.

    `refusals` are statuses beyond those that every operation of its kind may answer. `throttled` ones are those
    where passwords or codes could be guessed: few a minute, whatever the operator's limit is.
    """

    method: str
    path: str
    id: str
    auth: Auth
    tag: str
    summary: str
    description: str
    status: int
    answer: AnswerShape
    query: type[Query] | None
    body: type[Request] | None
    body_required: bool
    refusals: tuple[int, ...]
    throttled: bool
    handler: Handler

    @property
    def path_ids(self) -> list[str]:
        return [name for name in _PATH_PARAMETER.findall(self.path) if name not in PATH_TEXTS]

    @property
    def path_texts(self) -> list[str]:
        return [name for name in _PATH_PARAMETER.findall(self.path) if name in PATH_TEXTS]


def operation(
    method: str,
    path: str,
    *,
    id: str,
    auth: Auth,
    tag: str,
    summary: str,
    description: str,
    status: int = 200,
    answer: AnswerShape,
    query: type[Query] | None = None,
    body: type[Request] | None = None,
    body_required: bool = True,
    refusals: tuple[int, ...] = (),
    throttled: bool = False,
) -> Callable[[Handler], Operation]:
    """Makes an operation of the coroutine function that handles it."""

    def declare(handler: Handler) -> Operation:
        return Operation(
            method=method,
            path=path,
            id=id,
            auth=auth,
            tag=tag,
            summary=summary,
            description=description,
            status=status,
            answer=answer,
            query=query,
            body=body,
            body_required=body_required,
            refusals=refusals,
            throttled=throttled,
            handler=handler,
        )

    return declare


def operations_of(modules: Iterable[ModuleType]) -> list[Operation]:
    """The operations that modules declare. Raises ValueError for one that is declared badly or twice."""
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Operation)]
    routes: set[str] = set()
    for one in found:
        if not (one.id and one.tag and one.summary and one.description):
            raise ValueError(f"{one.method} {one.path} needs an id, a tag, a summary and a description")
        if one.answer is None and one.status != 204 and one.auth is not Auth.SIGNED:
            raise ValueError(f"{one.id} doesn't say what it answers")
        for name in (one.id, f"{one.method} {one.path}"):
            if name in routes:
                raise ValueError(f"{name} is declared twice")
            routes.add(name)
    return found
