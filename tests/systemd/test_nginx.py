"""The proxy as `config/nginx.conf.example` has it: TLS outside, the API and Socket.IO behind one name."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import socketio

from tests.harness.ports import free_port
from tests.smtp.post_office import authority
from tests.systemd.manager import managed
from tests.systemd.tools import run, tool

SITE = Path(__file__).parents[2] / "config" / "nginx.conf.example"


@asynccontextmanager
async def nginx(home: Path, daemon_ports: list[int]) -> AsyncIterator[tuple[int, int]]:
    """Its ports: plain, TLS."""
    plain, tls = free_port(), free_port()
    authority(home)
    site = re.sub(r"(ssl_certificate(?:_key)?\s+)\S+;", rf"\1{home}/server.pem;", SITE.read_text())
    site = re.sub(r"\n\s*listen \[::\].*", "", site)
    for before, now in (
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ", f"listen 127.0.0.1:{tls} "),
        ("127.0.0.1:3200", f"127.0.0.1:{daemon_ports[0]}"),
        ("127.0.0.1:8082", f"127.0.0.1:{daemon_ports[1]}"),
    ):
        assert site.count(before) == 1, before
        site = site.replace(before, now)
    (home / "site.conf").write_text(site)
    kept = "".join(f"{kind}_temp_path {home}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (home / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {home}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {kept} include {home}/site.conf; }}"
    )
    command = (tool("nginx"), "-c", home / "nginx.conf", "-p", home)
    assert "test is successful" in run(*command, "-t")
    process = await asyncio.create_subprocess_exec(*command)
    try:
        async with asyncio.timeout(10):
            while not _answers(tls):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        yield plain, tls
    finally:
        process.terminate()
        await process.wait()


async def test_the_api_and_sockets_are_reached_through_it(tmp_path: Path) -> None:
    secure = ssl.create_default_context()
    secure.check_hostname, secure.verify_mode = False, ssl.CERT_NONE
    async with managed(TRUSTED_PROXIES="127.0.0.1", RATE_LIMIT_ENABLED="true") as daemon:
        await daemon.start()
        admin = await daemon.admin()
        async with nginx(tmp_path, daemon.manager.ports) as (plain, tls):
            headers = {"Authorization": f"Bearer {admin.token}", "Host": "billing.example.org"}
            outside = f"https://127.0.0.1:{tls}"
            async with daemon.http.get(f"{outside}/api/service-plans", headers=headers, ssl=secure) as response:
                assert response.status == 200
                assert "Strict-Transport-Security" in response.headers, "the daemon knows that TLS was spoken"
            async with daemon.http.get(
                f"http://127.0.0.1:{plain}/api/config?a=1", headers=headers, allow_redirects=False
            ) as response:
                assert (response.status, response.headers["Location"]) == (
                    308,
                    "https://billing.example.org/api/config?a=1",
                )
            async with daemon.http.post(f"{outside}/api/users", data=b" " * 2_000_000, ssl=secure) as response:
                assert response.status == 413
            await _stream(outside, admin.token, secure)


async def _stream(outside: str, token: str, secure: ssl.SSLContext) -> None:
    """By WebSocket from the start, so that nothing but the upgrade can carry it."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=secure)) as http:
        client = socketio.AsyncClient(http_session=http)
        seen: asyncio.Queue[Any] = asyncio.Queue()
        client.on("dashboardStatusUpdate", seen.put_nowait, namespace="/billing")
        await client.connect(
            outside, namespaces=["/billing"], transports=["websocket"], auth={"Authorization": f"Bearer {token}"}
        )
        await client.emit("subscribeDashboardStatus", {}, namespace="/billing")
        assert (await asyncio.wait_for(seen.get(), 10))["items"] == []
        await client.disconnect()


def _answers(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0
