"""Every operation against everybody who may not: status, and no trace of somebody else in body, header or PDF.

The operations are asked of the application, so that one that is added later is tried by itself.
"""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse
from structlog.testing import capture_logs

from decabilld.http.auth import Tokens
from decabilld.http.operation import Auth, Operation
from tests.http import world
from tests.http.conftest import StartEdge
from tests.http.edge import API_KEY, PASSWORD, SECRET, Edge
from tests.http.world import World

OPEN = (Auth.PUBLIC, Auth.SIGNED)


async def _document(invoice: Any, kind: str) -> bytes:
    return f"%PDF of {kind} {invoice.number} for {invoice.buyer.name}".encode()


def deploying() -> dict[str, Any]:
    """A tenant's edge that sells servers, with a cloud of its own."""
    return {"render": _document, "policy": world.DEPLOYING, "runners": world.Cloud().runners}


@pytest.fixture
async def edge(start_edge: StartEdge) -> Edge:
    return await start_edge(**deploying())


@pytest.fixture
async def victim(edge: Edge) -> World:
    return await world.built(edge)


class Intruder:
    """Somebody who tries everything. `forbidden` is what they must not meet."""

    def __init__(self, edge: Edge, victim: World, tenant: str, forbidden: tuple[str, ...]) -> None:
        self.edge, self.victim, self.tenant, self.forbidden = edge, victim, tenant, forbidden
        self.tried = 0

    def authorization(self) -> str | None:
        return None

    async def tries(self, operation: Operation) -> set[tuple[int, bool]]:
        """The statuses that it got, each with whether only the victim's private ids were in the path."""
        statuses = set()
        for path, body, is_private in world.requests_of(operation, self.victim, self.edge):
            headers = {"X_Tenant": self.tenant}
            if (authorization := self.authorization()) is not None:
                headers["Authorization"] = authorization
            status, shown, response = await self.edge.call(operation.method, path, body, **headers)
            self.tried += 1
            assert status < 500 or status == 503, (operation.id, path, shown)
            self._check_unmarked(operation, path, shown, response)
            statuses.add((status, is_private))
        return statuses

    def _check_unmarked(self, operation: Operation, path: str, shown: Any, response: ClientResponse) -> None:
        body = shown if isinstance(shown, bytes) else msgspec.json.encode(shown)
        said = body.decode("latin-1") + repr(response.headers)
        for marker in self.forbidden:
            assert marker not in said, f"{operation.id} at {path} tells {marker}: {said}"


class Bearer(Intruder):
    """With a text that is no token, or no more."""

    def __init__(self, text: str | None, *about: Any) -> None:
        super().__init__(*about)
        self.text = text

    def authorization(self) -> str | None:
        return None if self.text is None else f"Bearer {self.text}"


class LoggedIn(Intruder):
    """A user of a tenant, with a new session for each request; `at` is the tenant that is knocked at."""

    def __init__(self, email: str, home: str, *about: Any) -> None:
        super().__init__(*about)
        self.email, self.home = email, home

    def authorization(self) -> str:
        return f"Bearer {world.token_of(self.edge, self.email, self.home)}"


def all_markers(victim: World) -> tuple[str, ...]:
    return (world.PRIVATE, world.TENANTS_OWN, *victim.private, *victim.catalog)


async def test_markers_are_met_by_those_who_may(edge: Edge, victim: World) -> None:
    """Else not meeting them would prove nothing."""
    user, bought, invoice, voided, run, deployed, *_ = victim.private
    for email, paths in {
        world.VICTIM: (
            "/customer-profile", "/public/service-plan-offerings", f"/subscriptions/{bought}/items",
            f"/subscriptions/{deployed}/items", "/backorders",
            f"/invoices/ref/{invoice}/pdf", f"/invoices/ref/{voided}/void-document/pdf", f"/invoices/ref/{invoice}",
        ),
        world.ADMIN: (
            f"/users/{user}", f"/service-plans/{victim.catalog[1]}", "/admin/billing/invoices",
            f"/admin/billing/bill-now/{run}", f"/admin/billing/invoices/{invoice}/pdf",
        ),
    }.items():  # fmt: skip
        for path in paths:
            status, shown, _ = await edge.call("GET", f"/api{path}", token=world.token_of(edge, email))
            body = shown if isinstance(shown, bytes) else msgspec.json.encode(shown)
            assert status == 200, path
            if "/items" not in path:
                assert any(marker.encode() in body for marker in all_markers(victim)), path


async def test_without_a_token_only_what_is_public_answers(edge: Edge, victim: World) -> None:
    long_ago = Tokens(SECRET, lambda: edge.clock() - timedelta(days=8))
    expired = long_ago.issue(world.user_of(edge, world.VICTIM), "default")
    for text in (None, "garbage", expired):
        nobody = Bearer(text, edge, victim, "default", (world.PRIVATE, *victim.private))
        for operation in edge.operations:
            statuses = {status for status, _ in await nobody.tries(operation)}
            assert operation.auth in OPEN or statuses == {401}, (operation.id, statuses)


async def test_a_customer_meets_nothing_of_another(edge: Edge, victim: World) -> None:
    before = world.belongings(edge)
    bob = LoggedIn(world.BYSTANDER, "default", edge, victim, "default", (world.PRIVATE, *victim.private))
    for operation in edge.operations:
        statuses = await bob.tries(operation)
        if operation.auth is Auth.ADMIN:
            assert {status for status, _ in statuses} == {403}, operation.id
        if operation.auth in (Auth.USER, Auth.CUSTOMER):
            assert {status for status, is_private in statuses if is_private} <= {404}, (operation.id, statuses)
    _check_untouched(edge, before)
    assert bob.tried > len(edge.operations)


async def test_another_tenants_people_meet_nothing_of_this_one(edge: Edge, victim: World) -> None:
    before = world.belongings(edge)
    for email in (world.STRANGER, world.BOSS):
        at_home = LoggedIn(email, "acme", edge, victim, "acme", all_markers(victim))
        abroad = LoggedIn(email, "acme", edge, victim, "default", (world.PRIVATE, *victim.private))
        for operation in edge.operations:
            if operation.auth not in OPEN:
                assert {status for status, _ in await abroad.tries(operation)} == {401}, operation.id
            statuses = {status for status, _ in await at_home.tries(operation)}
            if operation.auth is Auth.ADMIN and email == world.STRANGER:
                assert statuses == {403}, operation.id
            elif operation.path_ids:
                assert statuses == {404}, (operation.id, statuses)
    _check_untouched(edge, before)


async def test_a_tenants_key_opens_nothing_of_another(edge: Edge, victim: World, start_edge: StartEdge) -> None:
    # The second edge takes the tenants over from the first.
    keyed = await start_edge(api_key=API_KEY, api_key_tenant="acme", **deploying())
    before = world.belongings(keyed)
    at_home = Bearer(API_KEY, keyed, victim, "acme", all_markers(victim))
    abroad = Bearer(API_KEY, keyed, victim, "default", (world.PRIVATE, *victim.private))
    for operation in keyed.operations:
        if operation.auth not in OPEN:
            assert {status for status, _ in await abroad.tries(operation)} == {403}, operation.id
        statuses = {status for status, _ in await at_home.tries(operation)}
        if operation.auth is Auth.CUSTOMER:
            assert statuses == {403}, operation.id
        elif operation.path_ids:
            assert statuses == {404}, (operation.id, statuses)
    _check_untouched(keyed, before)


def _check_untouched(edge: Edge, before: dict[str, Any]) -> None:
    """What strangers registered in the meantime may have come on top."""
    after = world.belongings(edge)
    assert {entity_id: after[entity_id] for entity_id in before} == before


async def test_secrets_are_in_neither_logs_nor_journal(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    secrets = {PASSWORD, SECRET, "a guess of eight", "another password"}
    with capture_logs() as logs:
        victim = await world.built(edge)
        for email, tenant in ((world.BOSS, "acme"), (world.ADMIN, "default")):
            intruder = LoggedIn(email, tenant, edge, victim, tenant, ())
            for operation in edge.operations:
                if not (operation.path_ids and operation.auth is Auth.ADMIN):
                    await intruder.tries(operation)
        token = world.token_of(edge, world.BYSTANDER)
        change = {"currentPassword": PASSWORD, "newPassword": "another password"}
        change["newPasswordConfirmation"] = change["newPassword"]
        changed = await edge.call("POST", "/api/auth/change-password", change, token=token)
        assert changed[0] == 200
        secrets |= {token.rpartition(".")[2], changed[1]["access_token"].rpartition(".")[2]}
        await edge.call("GET", f"/api/users?token={token}", token=token + "x")
        await edge.call("POST", "/api/auth/request-password-reset", {"email": world.BYSTANDER})
    codes = {line["code"] for line in logs if line["event"] == "confirmation_code"}
    assert codes
    told = [line for line in logs if line["event"] != "confirmation_code"]
    assert len(told) > 50
    journal = await edge.deps.readers._pool.fetch_value("SELECT json_agg(journal)::text FROM journal", {})
    assert "user.password_changed" in journal
    hashes = [user.password_hash for user in edge.deps.tenants.published("default").all(world.User).values()]
    for secret in secrets | codes | {world.CODE} | {str(one).rpartition("$")[2] for one in hashes}:
        assert secret not in repr(told), secret
        assert secret not in caplog.text, secret
        assert secret not in journal, secret
