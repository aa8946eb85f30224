"""Passwords, sessions and users over their life: reset, change, logout, lock, delete."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import bcrypt
from msgspec.structs import replace
from structlog.testing import capture_logs

from decabilld.domain.entities import RevokedToken, User
from decabilld.http.passwords import Passwords
from tests.http.edge import PASSWORD, Edge

NEW = "another good password"
REVOKED = (401, "Session is no longer valid.")
LOCKED = (401, "This account is locked. Please contact an administrator.")


async def said(edge: Edge, token: str) -> tuple[int, str]:
    status, body, _ = await edge.call("GET", "/api/customer-profile", token=token)
    return status, body.get("message", "")


async def created(edge: Edge, admin: str, email: str, role: str = "user") -> str:
    body = {"email": email, "password": PASSWORD, "role": role}
    status, user, _ = await edge.call("POST", "/api/users", body, token=admin)
    assert status == 201
    return str(user["id"])


async def code_for(edge: Edge, email: str) -> str | None:
    """The code that a request for a reset tells, if any."""
    with capture_logs() as logs:
        status, body, _ = await edge.call("POST", "/api/auth/request-password-reset", {"email": email})
    assert (status, "If this address" in body["message"]) == (200, True)
    return next((line["code"] for line in logs if line["event"] == "confirmation_code"), None)


async def login(edge: Edge, email: str, password: str) -> int:
    return (await edge.call("POST", "/api/auth/login", {"email": email, "password": password}))[0]


def user_of(edge: Edge, email: str) -> User:
    return next(u for u in edge.deps.tenants.published("default").all(User).values() if u.email == email)


async def test_a_reset_takes_the_code_once_and_ends_every_session(edge: Edge) -> None:
    old = await edge.register("ada@example.org")
    code = await code_for(edge, "ADA@example.org")
    assert code is not None
    reset = {"email": "ada@example.org", "code": "AAAAAA" if code != "AAAAAA" else "BBBBBB", "newPassword": NEW}
    wrong = (await edge.call("POST", "/api/auth/reset-password", reset))[:2]
    assert wrong[0] == 400
    assert (await edge.call("POST", "/api/auth/confirm-email", {"email": reset["email"], "code": code}))[0] == 400
    reset["code"] = code
    assert (await edge.call("POST", "/api/auth/reset-password", {**reset, "newPassword": "x" * 129}))[0] == 400
    assert (await edge.call("POST", "/api/auth/reset-password", {**reset, "email": "b@example.org"}))[:2] == wrong
    assert (await edge.call("POST", "/api/auth/reset-password", reset))[0] == 200
    assert (await edge.call("POST", "/api/auth/reset-password", reset))[:2] == wrong
    assert await said(edge, old) == REVOKED
    assert (await login(edge, "ada@example.org", PASSWORD), await login(edge, "ada@example.org", NEW)) == (401, 200)


async def test_addresses_that_differ_in_more_than_case_are_two_peoples(edge: Edge) -> None:
    """`strasse.de` and `straße.de` are two domains: who has the one doesn't own the other's mailboxes."""
    await edge.register("Ada@straße.example")
    registration = {"email": "ada@STRAßE.example", "password": PASSWORD}
    assert (await edge.call("POST", "/api/auth/register", registration))[0] == 409
    await edge.register("ada@strasse.example")
    assert {user_of(edge, "Ada@straße.example").role, user_of(edge, "ada@strasse.example").role} == {"admin", "user"}


async def test_a_code_counts_for_the_address_and_password_that_it_was_made_for(edge: Edge) -> None:
    """Whoever reads somebody's former mailbox must not get in by what was sent there."""
    admin = await edge.register("ada@example.org")
    bob = await created(edge, admin, "bob@example.org")
    for change in ({"email": "new@example.org"}, {"password": "a third good password"}):
        code = await code_for(edge, user_of(edge, "bob@example.org" if "email" in change else "new@example.org").email)
        assert (await edge.call("POST", f"/api/users/{bob}", change, token=admin))[0] == 200
        reset = {"email": "new@example.org", "code": code, "newPassword": NEW}
        assert (await edge.call("POST", "/api/auth/reset-password", reset))[0] == 400, change
    code = await code_for(edge, "ada@example.org")
    change = {"currentPassword": PASSWORD, "newPassword": NEW, "newPasswordConfirmation": NEW}
    assert (await edge.call("POST", "/api/auth/change-password", change, token=admin))[0] == 200
    reset = {"email": "ada@example.org", "code": code, "newPassword": PASSWORD}
    assert (await edge.call("POST", "/api/auth/reset-password", reset))[0] == 400


async def test_reset_codes_expire_and_bear_five_tries(edge: Edge) -> None:
    await edge.register("ada@example.org")
    late, tried = await code_for(edge, "ada@example.org"), None
    edge.clock.ahead = timedelta(minutes=60)
    reset = {"email": "ada@example.org", "code": late, "newPassword": NEW}
    assert (await edge.call("POST", "/api/auth/reset-password", reset))[0] == 400
    tried = await code_for(edge, "ada@example.org")
    wrong = "AAAAAA" if tried != "AAAAAA" else "BBBBBB"
    for _ in range(5):
        assert (await edge.call("POST", "/api/auth/reset-password", {**reset, "code": wrong}))[0] == 400
    assert (await edge.call("POST", "/api/auth/reset-password", {**reset, "code": tried}))[0] == 400


async def test_a_request_for_nobody_answers_and_costs_the_same(edge: Edge) -> None:
    await edge.register("ada@example.org")
    actor = edge.deps.tenants.actor("default")
    heads, answers = [actor._head], []
    for email in ("ada@example.org", "nobody@example.org", "else@example.org"):
        answers.append((await edge.call("POST", "/api/auth/request-password-reset", {"email": email}))[:2])
        heads.append(actor._head)
    assert answers[0] == answers[1] == answers[2]
    assert await code_for(edge, "nobody@example.org") is None
    steps = [(after.n - before.n, after.seq - before.seq) for before, after in pairwise(heads)]
    assert steps == [(1, 1)] * 3


async def test_login_verifies_as_often_for_nobody(edge: Edge, monkeypatch: Any) -> None:
    await edge.register("ada@example.org")
    verified: list[str] = []
    matches = Passwords._matches
    monkeypatch.setattr(Passwords, "_matches", lambda self, h, p: verified.append(h) or matches(self, h, p))
    for email in ("ada@example.org", "nobody@example.org"):
        assert await login(edge, email, "wrong password") == 401
    assert len(verified) == 2
    parameters = [one.rsplit("$", 2)[0] for one in verified]
    assert parameters == ["$argon2id$v=19$m=19456,t=2,p=1"] * 2


async def test_a_changed_password_keeps_only_the_session_that_it_answers(edge: Edge) -> None:
    token = await edge.register("ada@example.org")
    other = await edge.login("ada@example.org")
    change = {"currentPassword": "wrong", "newPassword": NEW, "newPasswordConfirmation": NEW}
    assert (await edge.call("POST", "/api/auth/change-password", change, token=token))[0] == 400
    change |= {"currentPassword": PASSWORD, "newPasswordConfirmation": NEW + "x"}
    assert (await edge.call("POST", "/api/auth/change-password", change, token=token))[0] == 400
    assert (await said(edge, other))[0] == 200
    change["newPasswordConfirmation"] = NEW
    status, body, _ = await edge.call("POST", "/api/auth/change-password", change, token=token)
    assert (status, sorted(body)) == (200, ["access_token", "message"])
    assert [await said(edge, token), await said(edge, other)] == [REVOKED] * 2
    assert (await said(edge, body["access_token"]))[0] == 200
    assert await login(edge, "ada@example.org", NEW) == 200


async def test_logout_ends_this_session_or_all(edge: Edge) -> None:
    await edge.register("ada@example.org")
    first, second, third = [await edge.login("ada@example.org") for _ in range(3)]
    assert (await edge.call("POST", "/api/auth/logout", token=first))[:2] == (204, b"")
    assert await said(edge, first) == REVOKED
    assert (await said(edge, second))[0] == 200
    everything = {"invalidateAllSessions": True}
    assert (await edge.call("POST", "/api/auth/logout", everything, token=second))[0] == 204
    assert [await said(edge, second), await said(edge, third)] == [REVOKED] * 2


async def test_revocations_are_forgotten_once_their_tokens_have_expired(edge: Edge) -> None:
    await edge.register("ada@example.org")
    for days in (0, 1, 9):
        edge.clock.ahead = timedelta(days=days)
        token = await edge.login("ada@example.org")
        assert (await edge.call("POST", "/api/auth/logout", token=token))[0] == 204
    kept = edge.deps.tenants.published("default").all(RevokedToken)
    assert len(kept) == 1
    in_database = await edge.deps.readers._pool.fetch_value("SELECT count(*) FROM revoked_tokens", {})
    assert in_database == 1


async def test_an_admin_changes_a_user(edge: Edge) -> None:
    admin = await edge.register("admin@example.org")
    ada = await created(edge, admin, "ada@example.org")
    token = await edge.login("ada@example.org")
    path = f"/api/users/{ada}"
    assert (await edge.call("POST", path, {"email": "admin@EXAMPLE.org"}, token=admin))[0] == 409
    status, user, _ = await edge.call("POST", path, {"email": "eva@example.org"}, token=admin)
    assert (status, user["email"], user["role"]) == (200, "eva@example.org", "user")
    assert (await said(edge, token))[0] == 200
    assert (await edge.call("POST", path, {"role": "admin"}, token=admin))[1]["role"] == "admin"
    assert await said(edge, token) == REVOKED
    token = await edge.login("eva@example.org")
    assert (await edge.call("POST", path, {"password": NEW}, token=admin))[0] == 200
    assert await said(edge, token) == REVOKED
    assert await login(edge, "eva@example.org", NEW) == 200
    assert (await edge.call("POST", path, {"email": "eva@example.org"}, token=token))[0] == 401


async def test_a_lock_ends_sessions_for_good(edge: Edge) -> None:
    admin = await edge.register("admin@example.org")
    ada = await created(edge, admin, "ada@example.org")
    token = await edge.login("ada@example.org")
    status, user, _ = await edge.call("POST", f"/api/users/{ada}/lock", token=admin)
    assert (status, user["lockedAt"] is None) == (200, False)
    assert await said(edge, token) == LOCKED
    assert (await edge.call("GET", f"/api/users/{ada}", token=admin))[1]["lockedAt"] == user["lockedAt"]
    assert (await edge.call("POST", f"/api/users/{ada}/unlock", token=admin))[1]["lockedAt"] is None
    assert await said(edge, token) == REVOKED
    assert (await said(edge, await edge.login("ada@example.org")))[0] == 200


async def test_an_administrator_is_always_left(edge: Edge) -> None:
    admin = await edge.register("admin@example.org")
    own = f"/api/users/{user_of(edge, 'admin@example.org').id}"
    ada = f"/api/users/{await created(edge, admin, 'ada@example.org', 'admin')}"
    as_ada = await edge.login("ada@example.org")
    assert (await edge.call("POST", f"{own}/lock", token=admin))[0] == 400
    assert (await edge.call("POST", f"{ada}/lock", token=admin))[0] == 200
    for attempt in (("DELETE", own, None), ("POST", own, {"role": "user"})):
        status, body, _ = await edge.call(*attempt, token=admin)
        assert (status, "last administrator" in body["message"]) == (400, True)
    assert (await edge.call("POST", f"{ada}/unlock", token=admin))[0] == 200
    as_ada = await edge.login("ada@example.org")
    assert (await edge.call("POST", f"{own}/lock", token=as_ada))[0] == 200
    assert (await edge.call("POST", f"{ada}/lock", token=as_ada))[0] == 400
    assert (await edge.call("DELETE", ada, token=as_ada))[0] == 400
    assert (await edge.call("DELETE", own, token=as_ada))[0] == 204


async def test_a_deleted_user_leaves_nothing_but_the_row(edge: Edge) -> None:
    admin = await edge.register("admin@example.org")
    ada = await created(edge, admin, "ada@example.org")
    token = await edge.login("ada@example.org")
    profile = {"firstName": "Ada", "lastName": "Lovelace", "city": "London"}
    assert (await edge.call("POST", "/api/customer-profile", profile, token=token))[0] == 200
    await code_for(edge, "ada@example.org")
    assert (await edge.call("DELETE", f"/api/users/{ada}", token=admin))[:2] == (204, b"")
    assert await said(edge, token) == REVOKED
    for method in ("GET", "DELETE"):
        assert (await edge.call(method, f"/api/users/{ada}", token=admin))[0] == 404
    assert [user["email"] for user in (await edge.call("GET", "/api/users", token=admin))[1]] == ["admin@example.org"]
    pool = edge.deps.readers._pool
    for table in ("users", "customer_profiles"):
        rows = await pool.fetch_value(f"SELECT json_agg({table})::text FROM {table}", {})
        assert "Lovelace" not in rows
        assert "ada@" not in rows
    assert await created(edge, admin, "ada@example.org") != ada


async def test_who_has_ordered_is_locked_not_deleted(edge: Edge) -> None:
    admin = await edge.register("admin@example.org")
    ada = await created(edge, admin, "ada@example.org")
    token = await edge.login("ada@example.org")
    person = {
        "firstName": "A", "lastName": "L", "addressLine1": "1", "postalCode": "04109", "city": "L", "country": "DE",
        "email": "ada@example.org",
    }  # fmt: skip
    assert (await edge.call("POST", "/api/customer-profile", person, token=token))[0] == 200
    plan = {"name": "M", "basePrice": "10.00", "billingIntervalType": "month", "billingIntervalValue": 1,
            "cancelAtPeriodEnd": False}  # fmt: skip
    plan_id = (await edge.call("POST", "/api/service-plans", plan, token=admin))[1]["id"]
    status, bought, _ = await edge.call("POST", "/api/subscriptions", {"planId": plan_id}, token=token)
    assert status == 201, bought
    status, body, _ = await edge.call("DELETE", f"/api/users/{ada}", token=admin)
    assert (status, "1 subscription" in body["message"]) == (400, True)
    assert (await edge.call("POST", f"/api/subscriptions/{bought['id']}/cancel", {}, token=token))[0] == 200
    status, body, _ = await edge.call("DELETE", f"/api/users/{ada}", token=admin)
    assert (status, "subscription" in body["message"]) == (400, True)


async def test_a_bcrypt_hash_lets_in_and_is_renewed(edge: Edge) -> None:
    await edge.register("ada@example.org")
    long = "ä" * 50
    actor = edge.deps.tenants.actor("default")
    for prefix, password in ((b"2a", PASSWORD), (b"2b", long)):
        moved = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4, prefix)).decode()
        user = replace(user_of(edge, "ada@example.org"), password_hash=moved)
        actor._state = actor.published().with_changes([user])
        assert await login(edge, "ada@example.org", password + "x" if password is PASSWORD else "wrong") == 401
        body = {"email": user.email, "password": password}
        both = await asyncio.gather(*(edge.call("POST", "/api/auth/login", body) for _ in range(2)))
        assert [status for status, _, _ in both] == [200, 200]
        token = both[1][1]
        assert user_of(edge, "ada@example.org").password_hash.startswith("$argon2id$")
        assert (await said(edge, token["access_token"]))[0] == 200
        assert await login(edge, "ada@example.org", password) == 200
