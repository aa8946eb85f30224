"""Who a realm's tokens let in, where, and as whom; with a real endpoint of keys on loopback."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from decabilld.domain.entities import LinkedSubject, User
from decabilld.gateways.keycloak.jwks import RealmKeys
from decabilld.http.keycloak import KeycloakAuthenticator
from tests.http.edge import PASSWORD, Edge, running_edge
from tests.keycloak.realm import CLIENT, Realm, running_realm

USERS, PROFILE = "/api/users", "/api/customer-profile"
EXPIRED, REVOKED = (401, "Invalid or expired token"), (401, "Session is no longer valid.")


class Now:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class House:
    """An edge in keycloak mode, its realm, and the clock of its key fetches."""

    def __init__(self, edge: Edge, realm: Realm, now: Now) -> None:
        self.edge, self.realm, self.now = edge, realm, now

    async def said(self, token: str | None = None, tenant: str = "default", path: str = PROFILE) -> tuple[int, str]:
        token = self.realm.token() if token is None else token
        status, body, _ = await self.edge.call("GET", path, token=token, X_Tenant=tenant)
        return status, body["message"] if status >= 400 else ""

    def users(self, tenant: str = "default") -> list[tuple[str, str]]:
        found = self.edge.deps.tenants.published(tenant).all(User).values()
        return sorted((user.email, user.role) for user in found)


@pytest.fixture
async def realm() -> AsyncIterator[Realm]:
    async with running_realm() as realm:
        yield realm


@pytest.fixture
def open_house(realm: Realm, database: str, tmp_path: Path, aiohttp_client: Any) -> Any:
    def opened(tenant_claim: str = "tenants", **settings: Any) -> Any:
        now = Now()

        def authenticator(tenants: Any, clock: Any) -> KeycloakAuthenticator:
            keys = RealmKeys(realm.certs, now)
            return KeycloakAuthenticator(
                keys, issuer=realm.issuer, client_id=CLIENT, tenant_claim=tenant_claim, tenants=tenants, clock=clock
            )

        running = running_edge(
            database,
            tmp_path,
            aiohttp_client,
            authentication_method="keycloak",
            authenticator=authenticator,
            **settings,
        )
        return now, running

    return opened


@pytest.fixture
async def house(open_house: Any, realm: Realm) -> AsyncIterator[House]:
    now, running = open_house()
    async with running as edge:
        yield House(edge, realm, now)


async def test_the_first_to_come_is_admin_and_the_next_a_user(house: House) -> None:
    assert await house.said(path=USERS) == (200, "")
    bob = house.realm.token(sub="bob", email="bob@example.org", aud="account", azp=CLIENT)
    assert await house.said(bob) == (200, "")
    assert await house.said(bob, path=USERS) == (403, "Only administrators may do this")
    assert house.users() == [("ada@example.org", "admin"), ("bob@example.org", "user")]
    for roles in ({"realm_access": {"roles": ["admin"]}}, {"resource_access": {CLIENT: {"roles": ["admin"]}}}):
        assert await house.said(house.realm.token(sub="bob", **roles), path=USERS) == (200, "")
    assert house.realm.asked == 1
    login = {"email": "ada@example.org", "password": PASSWORD}
    assert (await house.edge.call("POST", "/api/auth/login", login))[0] == 400


async def test_tokens_that_this_realm_has_not_made_for_us(house: House) -> None:
    realm = house.realm
    assert await house.said() == (200, "")
    claims, key = realm.claims(), realm.keys["first"]
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    stranger = Realm()
    stranger.url = realm.url
    forged = [
        realm.token(iss="https://evil.example/realms/shop"),
        realm.token(iss=realm.issuer + "/"),
        realm.token(aud="account"),
        realm.token(aud=None, azp=None),
        realm.token(typ="ID"),
        realm.token(typ="Refresh"),
        realm.token(sub=None),
        realm.token(exp=None),
        realm.token(exp="soon"),
        realm.token(tenants=5),
        jwt.encode(claims, None, algorithm="none", headers={"kid": "first"}),
        by_public_key(claims, public),
        jwt.encode(claims, key, algorithm="RS512", headers={"kid": "first"}),
        jwt.encode(claims, key, algorithm="RS256"),
        stranger.token(),
        realm.token()[:-4] + "AAAA",
        "nonsense",
        "a.b.c",
    ]
    for token in forged:
        assert await house.said(token) == EXPIRED, token
    assert realm.asked == 1
    assert house.users() == [("ada@example.org", "admin")]


def by_public_key(claims: dict[str, Any], public: bytes) -> str:
    """HS256 under the public key's text, which PyJWT itself refuses to make."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    header = {"alg": "HS256", "typ": "JWT", "kid": "first"}
    signed = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(hmac.new(public, signed.encode(), hashlib.sha256).digest())}"


async def test_a_minute_of_skew_is_borne(house: House) -> None:
    now = house.edge.clock().timestamp()
    assert await house.said(house.realm.token(exp=now - 50)) == (200, "")
    assert await house.said(house.realm.token(exp=now - 61)) == EXPIRED
    assert await house.said(house.realm.token(nbf=now + 50, iat=now + 50)) == (200, "")
    assert await house.said(house.realm.token(nbf=now + 70)) == EXPIRED
    token = house.realm.token()
    assert await house.said(token) == (200, "")
    house.edge.clock.ahead = timedelta(seconds=362)
    assert await house.said(token) == EXPIRED


async def test_rotated_keys_are_fetched_once_a_minute_at_most(house: House) -> None:
    realm = house.realm
    assert await house.said() == (200, "")
    realm.rotate("second")
    assert await house.said(realm.token(sub="bob", email="b@example.org")) == EXPIRED
    house.now.seconds = 59
    assert await house.said(realm.token()) == EXPIRED
    assert realm.asked == 1
    house.now.seconds = 60
    assert await house.said(realm.token()) == (200, "")
    assert await house.said(realm.token(kid="for-encryption")) == EXPIRED
    assert await house.said(realm.token(kid="unknown")) == EXPIRED
    assert realm.asked == 2


async def test_a_realm_that_is_down_stops_only_those_whose_key_is_unknown(house: House) -> None:
    realm = house.realm
    realm.down = True
    for _ in range(3):
        status, message = await house.said()
        assert (status, "identity provider" in message) == (503, True)
    assert realm.asked == 1
    realm.down, house.now.seconds = False, 60
    assert await house.said() == (200, "")
    realm.down = True
    old = realm.token(sub="bob", email="bob@example.org")
    realm.rotate("second")
    assert await house.said(realm.token()) == EXPIRED
    house.now.seconds = 120
    assert (await house.said(realm.token()))[0] == 503
    assert await house.said(old) == (200, "")
    assert realm.asked == 3


async def test_the_claim_says_which_tenants_may_be_entered(house: House) -> None:
    of_acme = house.realm.token(tenants="acme", sub="bob", email="bob@example.org")
    of_both = house.realm.token(tenants=["acme", "default"])
    nowhere = house.realm.token(tenants=None)
    assert [await house.said(of_acme), await house.said(of_acme, "acme")] == [REVOKED, (200, "")]
    assert [await house.said(of_both), await house.said(of_both, "acme")] == [(200, "")] * 2
    assert [await house.said(nowhere), await house.said(nowhere, "acme")] == [REVOKED] * 2
    assert house.users("acme") == [("ada@example.org", "user"), ("bob@example.org", "admin")]


async def test_without_the_claim_one_tenant_is_entered(open_house: Any, realm: Realm) -> None:
    now, running = open_house(tenant_ids=frozenset({"default"}))
    async with running as edge:
        house = House(edge, realm, now)
        assert await house.said(realm.token(tenants=None)) == (200, "")
        assert await house.said(realm.token(tenants=["acme"])) == REVOKED


async def test_claim_none_binds_to_the_tenant_first_seen(open_house: Any, realm: Realm) -> None:
    now, running = open_house("none")
    async with running as edge:
        house = House(edge, realm, now)
        token = realm.token()
        assert await house.said(token, "acme") == (200, "")
        assert [await house.said(token), await house.said(token, "acme")] == [REVOKED, (200, "")]
        assert house.users() == []


async def test_a_known_address_is_taken_over_only_when_verified(house: House) -> None:
    await house.said()
    body = {"email": "Eva@example.org", "password": PASSWORD}
    assert (await house.edge.call("POST", USERS, body, token=house.realm.token()))[0] == 201
    eva = {"sub": "eva", "email": "eva@example.org"}
    assert (await house.said(house.realm.token(**eva, email_verified=False)))[0] == 403
    assert await house.said(house.realm.token(**eva)) == (200, "")
    assert len(house.users()) == 2
    assert (await house.said(house.realm.token(sub="carl", email=None)))[0] == 403
    moved = house.realm.token(sub="eva", email="eva@new.example.org")
    assert await house.said(moved) == (200, "")
    assert ("eva@new.example.org", "user") in house.users()


async def test_locked_and_deleted_users_stay_out(house: House) -> None:
    admin = house.realm.token()
    await house.said(admin)
    bob = house.realm.token(sub="bob", email="bob@example.org")
    await house.said(bob)
    bob_id = next(
        u.id for u in house.edge.deps.tenants.published("default").all(User).values() if u.email == "bob@example.org"
    )
    assert (await house.edge.call("POST", f"{USERS}/{bob_id}/lock", token=admin))[0] == 200
    assert (await house.said(bob))[1].startswith("This account is locked")
    assert (await house.edge.call("DELETE", f"{USERS}/{bob_id}", token=admin))[0] == 204
    assert await house.said(bob) == REVOKED
    assert await house.said(house.realm.token(sub="bob", email="bob@example.org")) == REVOKED
    assert len(house.edge.deps.tenants.published("default").all(LinkedSubject)) == 2
