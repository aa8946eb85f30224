"""A whole daemon that is set to a realm: the parts are put together as the settings say."""

from pathlib import Path

import aiohttp

from tests.harness.daemons import running_daemon
from tests.keycloak.realm import CLIENT, running_realm


async def test_a_daemon_believes_its_realm(database: str, tmp_path: Path) -> None:
    async with (
        running_realm() as realm,
        running_daemon(
            database,
            tmp_path,
            keycloak_auth_server_url=realm.url,
            keycloak_realm="shop",
            keycloak_client_id=CLIENT,
        ) as daemon,
        aiohttp.ClientSession() as http,
    ):
        async with http.get(f"{daemon.url}/config") as response:
            config = await response.json()
        assert config["authenticationMethod"] == "keycloak"
        assert config["keycloak"] == {"authServerUrl": realm.url, "realm": "shop", "clientId": CLIENT}
        # The story's clock stands in 2023: the token is of then.
        now = daemon.tenants.now("default").timestamp()
        token = realm.token(exp=now + 300, iat=now, tenants=None)
        async with http.get(f"{daemon.url}/users", headers={"Authorization": f"Bearer {token}"}) as response:
            assert (response.status, [user["role"] for user in await response.json()]) == (200, ["admin"])
