"""Puts an HTTP edge together for tests, as the daemon does, and speaks to it as a client would."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from msgspec.structs import replace
from structlog.testing import capture_logs

from decabilld.actors.ports import Runners
from decabilld.actors.registry import Tenants
from decabilld.domain.entities import Party
from decabilld.domain.policy import BillingPolicy
from decabilld.gateways.documents.storage import DocumentStorage
from decabilld.gateways.providers import Providers
from decabilld.http.app import all_operations, create_app
from decabilld.http.auth import ApiKeyAuthenticator, Tokens, UserAuthenticator
from decabilld.http.dependencies import Dependencies, HttpSettings
from decabilld.http.operation import Operation
from decabilld.http.passwords import Passwords
from decabilld.messages.commands import ConfirmEffectDone
from decabilld.messages.effects import RenderDocument
from decabilld.sealing import Keyring
from decabilld.server_setup import Servers
from decabilld.store.pool import Pool
from decabilld.store.readers import Readers
from decabilld.store.tenant_store import PostgresTenantStore
from tests.harness.audit import Audit
from tests.http.conformity import check_answer

SECRET = "a secret of at least thirty-two characters"
API_KEY = "key-of-the-operator"
PASSWORD = "correct horse battery"
SETTINGS = HttpSettings(tenant_ids=frozenset({"default", "acme"}), code_key=b"k" * 32, test_clock=True)
POLICY = BillingPolicy(
    zone=ZoneInfo("Europe/Berlin"),
    issuer=Party(name="Seller GmbH", address_line1="Weg 1", city="Leipzig", country="DE", vat_id="DE123456789"),
    test_clock=True,
)


class WallClock:
    """Real time that a test can move."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Edge:
    """A running edge. Calls answer (status, decoded body, response); JSON numbers with a point are Decimals.

    Every answer is held against its operation's declaration.
    """

    def __init__(
        self, client: TestClient[Any, Any], deps: Dependencies, clock: WallClock, operations: list[Operation]
    ) -> None:
        self.client, self.deps, self.clock, self.operations = client, deps, clock, operations

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        raw: bytes | None = None,
        **headers: str,
    ) -> tuple[int, Any, ClientResponse]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        content = msgspec.json.encode(body) if raw is None and body is not None else raw
        response = await self.client.request(method, path, data=content, headers=sent)
        answered = await response.read()
        is_json = response.content_type == "application/json" and answered
        shown = _decode(answered) if is_json else answered
        if method != "HEAD":
            check_answer(self.operations, method, path, response.status, shown)
        return response.status, shown, response

    async def register(self, email: str, **headers: str) -> str:
        """Registers, confirms if need be, logs in: the token."""
        with capture_logs() as logs:
            status, _, _ = await self.call(
                "POST", "/api/auth/register", {"email": email, "password": PASSWORD}, **headers
            )
        assert status == 201
        for line in logs:
            if line["event"] == "confirmation_code":
                confirmation = {"email": email, "code": line["code"]}
                assert (await self.call("POST", "/api/auth/confirm-email", confirmation, **headers))[0] == 200
        return await self.login(email, **headers)

    async def login(self, email: str, **headers: str) -> str:
        status, body, _ = await self.call("POST", "/api/auth/login", {"email": email, "password": PASSWORD}, **headers)
        assert status == 200, body
        return str(body["access_token"])


def _decode(answered: bytes) -> Any:
    return msgspec.json.Decoder(float_hook=Decimal).decode(answered)


@asynccontextmanager
async def running_edge(
    dsn: str,
    home: Path,
    aiohttp_client: Any,
    *,
    operations: list[Operation] | None = None,
    api_key: str | None = None,
    api_key_tenant: str | None = None,
    authenticator: Any = None,
    render: Any = None,
    policy: BillingPolicy = POLICY,
    runners: Runners | None = None,
    read_payment_event: Any = None,
    start: bool = True,
    **settings: Any,
) -> AsyncIterator[Edge]:
    clock, owner = WallClock(), str(uuid4())
    pool = await Pool.open(dsn, size=2)
    chosen = replace(SETTINGS, **settings)
    tenants = Tenants(
        sorted(chosen.tenant_ids),
        store_of=lambda tenant_id: PostgresTenantStore(dsn, tenant_id, owner, pool),
        runners={RenderDocument: _rendered, **(runners or {})},
        clock=clock,
        policy=policy,
    )
    tokens, passwords = Tokens(SECRET, clock), Passwords()
    by_key = ApiKeyAuthenticator(api_key, api_key_tenant) if api_key else None
    deps = Dependencies(
        settings=replace(chosen, authentication_method="api-key") if by_key else chosen,
        policy=policy,
        tenants=tenants,
        readers=Readers(pool),
        authenticator=authenticator(tenants, clock) if authenticator else by_key or UserAuthenticator(tokens, tenants),
        tokens=tokens,
        passwords=passwords,
        documents=DocumentStorage(home, render or _document),
        servers=Servers(Providers({}), Keyring(b"e" * 32)),
        clock=clock,
        not_ready=lambda: list(tenants.not_ready().values()),
        read_payment_event=read_payment_event,
    )
    if operations is None:
        operations = all_operations(test_clock=chosen.test_clock)
    client = await aiohttp_client(create_app(deps, operations))
    if start:
        tenants.start()
        async with asyncio.timeout(10):
            while tenants.not_ready():  # noqa: ASYNC110 - as a probe would
                await asyncio.sleep(0.005)
    audit = Audit(dsn)
    try:
        yield Edge(client, deps, clock, operations)
        for tenant_id in tenants.ids:
            await audit.sound(tenant_id, policy.zone)
    finally:
        await audit.close()
        await tenants.stop(5)
        passwords.close()
        await pool.close()


async def _rendered(tenant_id: str, effect: Any) -> ConfirmEffectDone:
    return ConfirmEffectDone()


async def _document(invoice: Any, kind: str) -> bytes:
    return f"%PDF of {kind} {invoice.number}".encode()
