"""Who gets in, and with which sentence one doesn't."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from decabilld.actors.ports import Busy
from decabilld.domain.entities import User
from decabilld.domain.refusals import Unauthenticated
from decabilld.http.auth import Tokens
from decabilld.http.passwords import WAITING_MAX, Passwords
from tests.http.conftest import StartEdge
from tests.http.edge import API_KEY, PASSWORD, SECRET, Edge, WallClock

USERS, PROFILE = "/api/users", "/api/customer-profile"


async def said(edge: Edge, authorization: str | None, **headers: str) -> tuple[int, str]:
    if authorization is not None:
        headers["Authorization"] = authorization
    status, body, _ = await edge.call("GET", PROFILE, **headers)
    return status, body.get("message", "")


async def changed(edge: Edge, email: str, **changes: Any) -> None:
    """As a later operation would change a user: there is none yet that locks or revokes."""
    actor = edge.deps.tenants.actor("default")
    user = next(user for user in actor.published().all(User).values() if user.email == email)
    actor._state = actor.published().with_changes([replace(user, **changes)])


async def test_the_first_user_is_admin_the_next_confirms_a_code(edge: Edge) -> None:
    admin = await edge.register("First@Example.org")
    assert (await edge.call("GET", USERS, token=admin))[0] == 200
    registration = {"email": "second@example.org", "password": PASSWORD}
    with capture_logs() as logs:
        status, body, _ = await edge.call("POST", "/api/auth/register", registration)
    assert (status, body["user"]["role"], body["user"]["emailConfirmedAt"]) == (201, "user", None)
    [code] = [line["code"] for line in logs if line["event"] == "confirmation_code"]
    status, body, _ = await edge.call("POST", "/api/auth/login", registration)
    assert (status, body["code"]) == (401, "EMAIL_NOT_CONFIRMED")
    wrong = "AAAAAA" if code != "AAAAAA" else "BBBBBB"
    confirmation = {"email": "SECOND@example.org", "code": wrong}
    assert (await edge.call("POST", "/api/auth/confirm-email", confirmation))[0] == 400
    confirmation["code"] = code
    assert (await edge.call("POST", "/api/auth/confirm-email", confirmation))[0] == 200
    assert (await edge.call("POST", "/api/auth/confirm-email", confirmation))[0] == 400
    second = await edge.login("second@example.org")
    status, body, _ = await edge.call("GET", USERS, token=second)
    assert (status, body["error"]) == (403, "Forbidden")
    assert (await edge.call("POST", "/api/auth/register", registration))[0] == 409


async def test_a_code_is_gone_after_five_tries(edge: Edge) -> None:
    await edge.register("first@example.org")
    registration = {"email": "second@example.org", "password": PASSWORD}
    with capture_logs() as logs:
        await edge.call("POST", "/api/auth/register", registration)
    [code] = [line["code"] for line in logs if line["event"] == "confirmation_code"]
    wrong = {"email": "second@example.org", "code": "AAAAAA" if code != "AAAAAA" else "BBBBBB"}
    for _ in range(5):
        assert (await edge.call("POST", "/api/auth/confirm-email", wrong))[0] == 400
    assert (await edge.call("POST", "/api/auth/confirm-email", {**wrong, "code": code}))[0] == 400


async def test_registering_is_refused_for_bad_addresses_and_when_switched_off(
    edge: Edge, start_edge: StartEdge
) -> None:
    for email in ("", "a", "a@b", "a@b.c", "a b@example.org", "a@example.org\n", "a@-x.org", "a\x00@example.org", 5):
        status, body, _ = await edge.call("POST", "/api/auth/register", {"email": email, "password": PASSWORD})
        assert (status, body["details"][0]["field"]) == (400, "email"), email
    short = {"email": "a@example.org", "password": "seven77"}
    assert (await edge.call("POST", "/api/auth/register", short))[1]["details"][0]["field"] == "password"
    closed = await start_edge(disable_signup=True)
    registration = {"email": "a@example.org", "password": PASSWORD}
    assert (await closed.call("POST", "/api/auth/register", registration))[0] == 503


async def test_wrong_password_and_unknown_address_sound_alike(edge: Edge) -> None:
    await edge.register("first@example.org")
    answers = [
        (await edge.call("POST", "/api/auth/login", {"email": email, "password": password}))[:2]
        for email, password in (("first@example.org", "wrong"), ("nobody@example.org", PASSWORD))
    ]
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


async def test_sentences_of_a_401(edge: Edge) -> None:
    token = await edge.register("first@example.org")
    assert (await said(edge, f"Bearer {token}"))[0] == 200
    assert (await said(edge, f"bearer {token}"))[0] == 200
    missing = (401, "Missing or invalid authorization token")
    for header in (None, "", "Bearer", "Bearer ", f"Basic {token}", f"ApiKey {token}", token):
        assert await said(edge, header) == missing, header
    expired = (401, "Invalid or expired token")
    claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    assert claims["exp"] - claims["iat"] == 7 * 24 * 3600
    for forged in (
        "nonsense",
        token[:-3],
        "x" * 8_000,
        jwt.encode(claims, "another secret of thirty-two characters", algorithm="HS256"),
        jwt.encode(claims, None, algorithm="none"),
        jwt.encode({**claims, "exp": claims["iat"] - 1}, SECRET, algorithm="HS256"),
        jwt.encode({**claims, "tv": "0"}, SECRET, algorithm="HS256"),
        jwt.encode({k: v for k, v in claims.items() if k != "exp"}, SECRET, algorithm="HS256"),
    ):
        assert await said(edge, f"Bearer {forged}") == expired, forged
    revoked = (401, "Session is no longer valid.")
    assert await said(edge, f"Bearer {token}", X_Tenant="acme") == revoked
    gone = jwt.encode({**claims, "sub": "0198c0de-0000-7000-8000-000000000000"}, SECRET, algorithm="HS256")
    assert await said(edge, f"Bearer {gone}") == revoked


async def test_a_lock_and_a_new_token_version_work_at_once(edge: Edge) -> None:
    token = await edge.register("first@example.org")
    assert (await said(edge, f"Bearer {token}"))[0] == 200
    await changed(edge, "first@example.org", token_version=1)
    assert await said(edge, f"Bearer {token}") == (401, "Session is no longer valid.")
    locked = (401, "This account is locked. Please contact an administrator.")
    await changed(edge, "first@example.org", token_version=1, locked_at=edge.clock())
    assert await said(edge, f"Bearer {token}") == locked
    login = {"email": "first@example.org", "password": PASSWORD}
    status, body, _ = await edge.call("POST", "/api/auth/login", login)
    assert (status, body["message"]) == locked


async def test_a_token_expires_though_it_was_verified_before(edge: Edge) -> None:
    token = await edge.register("first@example.org")
    edge.clock.ahead = timedelta(days=7, seconds=-60)
    assert (await said(edge, f"Bearer {token}"))[0] == 200
    edge.clock.ahead = timedelta(days=7)
    assert await said(edge, f"Bearer {token}") == (401, "Invalid or expired token")


def test_verified_tokens_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("decabilld.http.auth.VERIFIED_TOKENS_MAX", 2)
    clock = WallClock()
    tokens = Tokens(SECRET, clock)
    user = User(
        id="0198c0de-0000-7000-8000-000000000001", email="a@b.de", email_key="a@b.de", billing_day=1,
        created_at=clock(), updated_at=clock(),
    )  # fmt: skip
    issued = [tokens.issue(user, "default") for _ in range(4)]
    assert len({tokens.verify(token).jti for token in issued}) == 4
    assert len(tokens._verified) == 2
    with pytest.raises(Unauthenticated):
        tokens.verify(issued[0][:-1])


async def test_the_api_key_is_an_admin_without_a_customer(start_edge: StartEdge) -> None:
    edge = await start_edge(api_key=API_KEY)
    for scheme in ("Bearer", "ApiKey"):
        assert (await edge.call("GET", USERS, Authorization=f"{scheme} {API_KEY}"))[0] == 200
        assert await said(edge, f"{scheme} {API_KEY}") == (403, "User not authenticated")
    assert (await said(edge, f"ApiKey {API_KEY}x")) == (401, "Invalid or expired token")
    assert (await said(edge, None)) == (401, "Missing or invalid authorization token")
    login = {"email": "first@example.org", "password": PASSWORD}
    assert (await edge.call("POST", "/api/auth/login", login))[0] == 400
    of_acme = await start_edge(api_key=API_KEY, api_key_tenant="acme")
    assert (await of_acme.call("GET", USERS, token=API_KEY, X_Tenant="acme"))[0] == 200
    assert (await of_acme.call("GET", USERS, token=API_KEY))[0] == 403


async def test_a_loading_tenant_is_unavailable_not_unknown(start_edge: StartEdge) -> None:
    edge = await start_edge(start=False)
    token = Tokens(SECRET, edge.clock).issue(
        User(id="0198c0de-0000-7000-8000-000000000001", email="a@b.de", email_key="a@b.de", billing_day=1,
             created_at=edge.clock(), updated_at=edge.clock()),
        "default",
    )  # fmt: skip
    status, _, response = await edge.call("GET", PROFILE, token=token)
    assert (status, "Retry-After" in response.headers) == (503, True)


async def test_passwords_are_argon2id_and_bounded_in_number() -> None:
    passwords = Passwords()
    hashed = await passwords.hash_password(PASSWORD)
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify_password(hashed, PASSWORD)
    assert not await passwords.verify_password(hashed, PASSWORD + " ")
    assert not await passwords.verify_password(None, "nobody's")
    assert not await passwords.verify_password("not a hash", PASSWORD)
    passwords._waiting = WAITING_MAX
    with pytest.raises(Busy):
        await passwords.hash_password(PASSWORD)
    passwords.close()
