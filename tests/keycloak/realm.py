"""A realm that signs tokens with keys of its own making and serves them as Keycloak does, over loopback."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT = "billing"


class Realm:
    """`asked` counts how often its keys were fetched; `down` makes it answer 500."""

    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self.asked, self.down = 0, False
        self.url = ""
        self.rotate("first")

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/shop"

    @property
    def certs(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/certs"

    def rotate(self, kid: str) -> None:
        """A new key, and no other."""
        self.keys = {kid: rsa.generate_private_key(public_exponent=65537, key_size=2048)}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of an access token; None leaves one out."""
        now = int(time.time())
        usual = {
            "exp": now + 300, "iat": now, "jti": str(uuid4()), "iss": self.issuer, "aud": ["account", CLIENT],
            "sub": "ada", "typ": "Bearer", "azp": "shop-page", "sid": str(uuid4()), "acr": "1", "scope": "email",
            "realm_access": {"roles": ["offline_access"]}, "resource_access": {"account": {"roles": ["view-profile"]}},
            "email_verified": True, "email": "ada@example.org", "tenants": ["default"],
        }  # fmt: skip
        return {name: value for name, value in {**usual, **changes}.items() if value is not None}

    def token(self, *, kid: str | None = None, **changes: Any) -> str:
        name = next(iter(self.keys))
        key: Any = self.keys[name]
        return jwt.encode(self.claims(**changes), key, algorithm="RS256", headers={"kid": kid or name})

    async def serve_keys(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.down:
            return web.Response(status=500)
        listed = [
            {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "RS256"}
            for kid, key in self.keys.items()
        ]
        encryption = {**listed[0], "kid": "for-encryption", "use": "enc", "alg": "RSA-OAEP"}
        return web.json_response({"keys": [encryption, *listed]})


@asynccontextmanager
async def running_realm() -> AsyncIterator[Realm]:
    realm = Realm()
    app = web.Application()
    app.router.add_get("/realms/shop/protocol/openid-connect/certs", realm.serve_keys)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    realm.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield realm
    finally:
        await runner.cleanup()
