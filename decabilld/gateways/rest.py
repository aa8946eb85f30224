"""JSON calls to the HTTP API of a cloud: bearer token, time-outs, bounded bodies, tries with pauses, rate limits.

Owns how often and how long to try, and what may be said of a failure: never the token, never a body. Owns no API: paths
are its callers', and so is what an error's body means, by the `ReadError` that each gives.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeVar, runtime_checkable

import aiohttp
import msgspec
import structlog
from msgspec import Struct

from decabilld.actors.provider import ProviderAway, ProviderRefused

CALL_SECONDS = 40.0
CONNECT_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 8.0
MAX_TRIES = 4
QUIET_SECONDS_MAX = 3_600.0
"""Limits are counted by the hour; whoever wants silence for longer can say so again."""
MAX_BODY_BYTES = 8 << 20
MAX_CONNECTIONS = 16
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Query = Mapping[str, str | int]
_Answer = TypeVar("_Answer", bound=Struct)

# A price is written as a JSON number; a float would change it.
_decoder = msgspec.json.Decoder(float_hook=Decimal)
_log = structlog.get_logger("rest")


class NotThere(ProviderRefused):
    """404: what was asked for is unknown or gone."""


class ErrorAnswer(Struct, frozen=True):
    """An answer that isn't a 2xx. `body`: its JSON; None if it isn't JSON."""

    status: int
    body: Any

    def text(self, *path: str) -> str:
        """The text at that path of keys in the body; empty if there is none."""
        found = self.body
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, str) else ""


ReadError = Callable[[ErrorAnswer], Exception]
"""What an error means: ProviderAway is tried again (below 500 always, from 500 on if repeatable), others are final."""


class RateLimit(Struct, frozen=True):
    """What the last answer's `RateLimit-*` headers said; `resets_at` in seconds since 1970."""

    limit: int
    remaining: int
    resets_at: int


@runtime_checkable
class TakesToken(Protocol):
    """Whoever asks with a token, and can go on with another."""

    def change_token(self, token: str) -> None:
        """From the next request on."""
        ...


class Rest:
    """One account at one API. `name` is said in errors and logs. The connections live until `close()`."""

    def __init__(
        self,
        name: str,
        base: str,
        token: str,
        read_error: ReadError,
        *,
        call_seconds: float = CALL_SECONDS,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        self.name, self.base, self.read_error = name, base.rstrip("/"), read_error
        self.call_seconds, self.first_pause_seconds = call_seconds, first_pause_seconds
        self.before_try: Callable[[], Awaitable[None]] | None = None
        """Waits, or raises ProviderAway, where requests are short."""
        self.rate_limit: RateLimit | None = None
        self.quiet_until = 0.0
        """The loop's time until which the API wants to hear nothing (429 with Retry-After)."""
        self._token = token
        self._http: aiohttp.ClientSession | None = None

    @property
    def authorization(self) -> Mapping[str, str]:
        """The header that proves who asks."""
        return {"Authorization": f"Bearer {self._token}"}

    def change_token(self, token: str) -> None:
        """From the next try on."""
        self._token = token

    def calls(self) -> "Calls":
        """`async with rest.calls() as ask:` all that is asked in there ends within `call_seconds` together."""
        return Calls(self)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator["Calls"]:
        """`calls()` for questions only. Just a bad token gets these refused, and the next one is answered: away."""
        try:
            async with self.calls() as ask:
                yield ask
        except ProviderRefused as refused:
            raise ProviderAway(str(refused)) from None

    @property
    def http(self) -> aiohttp.ClientSession:
        if self._http is None or self._http.closed:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
                headers={"User-Agent": "decabilld"},
            )
        return self._http

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()


class Calls:
    """Requests that share one deadline."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._deadline = 0.0
        self._timeout: asyncio.Timeout | None = None

    async def __aenter__(self) -> Self:
        self._deadline = asyncio.get_running_loop().time() + self._rest.call_seconds
        self._timeout = asyncio.timeout_at(self._deadline)
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._timeout is not None
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise ProviderAway(f"{self._rest.name} did not answer in time") from None

    async def __call__(
        self,
        method: Method,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        repeatable: bool | None = None,
    ) -> Any:
        """The JSON answered (None for an empty answer); its fractions are Decimals.

        `repeatable`: may be sent again though it may have been taken; default: everything but a POST. One that isn't
        is sent again only if it surely wasn't taken. Raises what `read_error` makes of an error, and ProviderAway.
        """
        again = method != "POST" if repeatable is None else repeatable
        content = None if body is None else msgspec.json.encode(body)
        tries = 0
        while True:
            await self._keep_quiet()
            if self._rest.before_try is not None:
                await self._rest.before_try()
            tries += 1
            try:
                return await _once(self._rest, method, path, query, content)
            except _Passing as failed:
                passing = failed
            pause = self._pause(tries, passing.retry_after_seconds)
            more = (again or not passing.maybe_taken) and tries < MAX_TRIES and self._has_time_for(pause)
            _log.warning(
                "call_failed", provider=self._rest.name, method=method, path=path, tries=tries, again=more,
                reason=passing.reason,
            )  # fmt: skip
            if not more:
                raise ProviderAway(f"{self._rest.name}: {passing.reason}")
            await asyncio.sleep(pause)

    async def delete(self, path: str) -> None:
        """One that is gone already is fine."""
        with suppress(NotThere):
            await self("DELETE", path)

    async def _keep_quiet(self) -> None:
        wait = self._rest.quiet_until - asyncio.get_running_loop().time()
        if wait > 0:
            if not self._has_time_for(wait):
                raise ProviderAway(f"{self._rest.name} wants no requests for {wait:.0f} s (rate limit)")
            await asyncio.sleep(wait)

    def _has_time_for(self, pause: float) -> bool:
        return asyncio.get_running_loop().time() + pause < self._deadline

    def _pause(self, tries: int, retry_after_seconds: float) -> float:
        """Full jitter: anything up to a bound that doubles, so that many who failed together don't return together."""
        longest = min(self._rest.first_pause_seconds * (1 << (tries - 1)), MAX_PAUSE_SECONDS)
        return retry_after_seconds + random.uniform(0, longest)  # noqa: S311 - spreads load, guards nothing


class _Passing(Exception):
    """A try failed that may fare better later. `maybe_taken`: what was asked may have been done all the same."""

    def __init__(self, reason: str, *, maybe_taken: bool, retry_after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.maybe_taken, self.retry_after_seconds = reason, maybe_taken, retry_after_seconds


async def _once(rest: Rest, method: Method, path: str, query: Query | None, content: bytes | None) -> Any:
    try:
        async with rest.http.request(
            method,
            rest.base + path,
            params=query,
            data=content,
            headers={**rest.authorization, **({"Content-Type": "application/json"} if content is not None else {})},
            allow_redirects=False,  # the token is for this host alone
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),  # Calls has the deadline
        ) as response:
            _note_rate_limit(rest, response.headers)
            raw = await _body(response)
            status, retry_after = response.status, response.headers.get("Retry-After", "")
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise _Passing(f"can't be reached ({type(error).__name__})", maybe_taken=False) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _Passing(f"the connection broke ({type(error).__name__})", maybe_taken=True) from None
    if 200 <= status < 300:
        return _decoded(raw, status)
    raise _failure(rest, status, raw, float(retry_after) if re.fullmatch(r"\d{1,6}", retry_after) else 0.0)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise _Passing(f"the answer is longer than {MAX_BODY_BYTES} bytes", maybe_taken=True)
    return bytes(raw)


def _decoded(raw: bytes, status: int) -> Any:
    if not raw.strip():
        return None
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError):
        raise _Passing(f"the answer (status {status}) is not JSON", maybe_taken=True) from None


def _failure(rest: Rest, status: int, raw: bytes, retry_after_seconds: float) -> Exception:
    try:
        body = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError):
        body = None
    if status == 429 and retry_after_seconds:
        rest.quiet_until = asyncio.get_running_loop().time() + min(retry_after_seconds, QUIET_SECONDS_MAX)
    error = rest.read_error(ErrorAnswer(status, body))
    if isinstance(error, ProviderAway):
        return _Passing(str(error), maybe_taken=status >= 500, retry_after_seconds=retry_after_seconds)
    return error


def _note_rate_limit(rest: Rest, headers: Mapping[str, str]) -> None:
    said = [headers.get(f"RateLimit-{name}", "") for name in ("Limit", "Remaining", "Reset")]
    if all(re.fullmatch(r"\d{1,12}", number) for number in said):
        rest.rate_limit = RateLimit(*map(int, said))


def read_as(kind: type[_Answer], body: Any, provider: str) -> _Answer:
    """The JSON answered, as that kind. Raises ProviderAway, naming `provider`, for one unlike what is documented."""
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise ProviderAway(f"{provider} answered something unknown: {error}") from None


def token_in(environment: Mapping[str, str], variable: str) -> str | None:
    """The token in that variable; None if it is unset or blank. Raises ValueError, without the value, for a bad one."""
    token = environment.get(variable, "").strip()
    if token and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ValueError(f"{variable} must be a token: visible ASCII characters, no spaces")
    return token or None


def base_in(environment: Mapping[str, str], variable: str, default: str) -> str:
    """The address in that variable, without a slash at its end. Raises ValueError for one that isn't http(s)."""
    base = environment.get(variable, "").strip() or default
    if not re.fullmatch(r"https?://[^\s?#@/]+[^\s?#]*", base):
        raise ValueError(f"{variable} must be an address such as {default}")
    return base.rstrip("/")
