"""Looks at whom the daemon talks to: mail server, Stripe, clouds, identity provider, names and certificates.

Only questions that change nothing; whoever isn't configured isn't asked. No finding holds a token or a key.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import aiosmtplib

from decabilld.doctor.finding import Finding, well, wrong
from decabilld.gateways.smtp.server import PasswordInClear
from decabilld.mail_setup import letterhead, mail_server
from decabilld.settings import Settings

CALL_SECONDS = 15.0
DAYS_LEFT_MIN = 14


@asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """For the questions of one look."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_SECONDS)) as http:
        yield http


async def outsiders(settings: Settings, http: aiohttp.ClientSession) -> list[Finding]:
    """All of them at once."""
    return list(await asyncio.gather(*_looks(settings, http)))


def _looks(settings: Settings, http: aiohttp.ClientSession) -> list[Coroutine[Any, Any, Finding]]:
    looks = [_mail(settings)] if settings.smtp_host else []
    for name, variable, token, url in _apis(settings):
        if token is not None:
            looks.append(_api(http, name, variable, token, url))
    if settings.authentication == "keycloak":
        looks.append(_realm(http, settings))
    if settings.dns_base_domain:
        looks.append(_domain(settings.dns_base_domain))
    if settings.public_url:
        looks.append(_certificate(settings, settings.public_url))
    return looks


def _apis(settings: Settings) -> list[tuple[str, str, str | None, str]]:
    """Name, variable of the token, token, and a question that it must be allowed to ask."""
    zone = settings.cloudflare_zone_id or ""
    return [
        ("Stripe", "STRIPE_SECRET_KEY", settings.stripe_secret_key, f"{settings.stripe_api_base}/v1/balance"),
        ("Hetzner", "HETZNER_API_TOKEN", settings.hetzner_api_token, f"{settings.hetzner_api_base}/servers?per_page=1"),
        ("DigitalOcean", "DIGITALOCEAN_API_TOKEN", settings.digitalocean_api_token,
         f"{settings.digitalocean_api_base}/account"),
        ("Cloudflare", "CLOUDFLARE_API_TOKEN", settings.cloudflare_api_token,
         f"{settings.cloudflare_api_base}/zones/{zone}/dns_records?per_page=1"),
    ]  # fmt: skip


async def _api(http: aiohttp.ClientSession, name: str, variable: str, token: str, url: str) -> Finding:
    host = urlsplit(url).netloc
    try:
        headers = {"Authorization": f"Bearer {token}"}
        async with http.get(url, headers=headers, allow_redirects=False) as response:
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return wrong(name, f"{host} can't be reached ({_said(error)}): look at the network and the firewall")
    if status in (400, 401, 403):
        return wrong(name, f"{host} refuses {variable} (status {status}): make a new one with the rights needed")
    if status == 404:
        return wrong(name, f"{host} knows nothing at {urlsplit(url).path} (404): is the account's id right?")
    if not 200 <= status < 300:
        return wrong(name, f"{host} answers with status {status}: look at its status page, try again later")
    return well(name, f"{host} accepts {variable}")


async def _mail(settings: Settings) -> Finding:
    server, sender = mail_server(settings), letterhead(settings).sender
    assert server is not None, "asked only if it is set"
    try:
        await server.try_out(parseaddr(sender)[1].partition("@")[2] or "localhost")
    except PasswordInClear as error:
        return wrong("mail", str(error))
    except aiosmtplib.SMTPAuthenticationError as error:
        return wrong("mail", f"{server.host} refuses SMTP_USER and SMTP_PASSWORD ({error.code} {error.message})")
    except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
        return wrong("mail", f"{server.host}: {_said(error)}; see SMTP_HOST, SMTP_PORT and SMTP_SECURE")
    return well("mail", f"{server.host} takes mail" + (f" from {server.user}" if server.user else ""))


async def _realm(http: aiohttp.ClientSession, settings: Settings) -> Finding:
    url = f"{settings.keycloak_auth_server_url}/realms/{settings.keycloak_realm}/protocol/openid-connect/certs"
    try:
        async with http.get(url, allow_redirects=False) as response:
            answer = await response.json(content_type=None) if response.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return wrong("Keycloak", f"{url}: {_said(error)}; see KEYCLOAK_AUTH_SERVER_URL")
    if not (isinstance(answer, dict) and answer.get("keys")):
        return wrong("Keycloak", f"{url} tells no keys; see KEYCLOAK_AUTH_SERVER_URL and KEYCLOAK_REALM")
    return well("Keycloak", f"the realm {settings.keycloak_realm} tells its keys")


async def _domain(domain: str) -> Finding:
    try:
        async with asyncio.timeout(CALL_SECONDS):
            await asyncio.get_running_loop().getaddrinfo(domain, None)
    except (socket.gaierror, TimeoutError) as error:
        # A domain without an address of its own is fine: its servers have theirs.
        if getattr(error, "errno", None) not in (socket.EAI_NODATA, socket.EAI_ADDRFAMILY):
            return wrong("DNS", f"{domain} isn't known ({_said(error)}): register it, or correct DNS_BASE_DOMAIN")
    return well("DNS", f"{domain} is known")


async def _certificate(settings: Settings, url: str) -> Finding:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        if settings.production:
            return wrong("certificate", f"PUBLIC_URL is {url}: passwords travel in clear; put TLS in front")
        return well("certificate", "PUBLIC_URL has none")
    try:
        async with asyncio.timeout(CALL_SECONDS):
            _, writer = await asyncio.open_connection(host, parts.port or 443, ssl=ssl.create_default_context())
            certificate = writer.get_extra_info("peercert")
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    except (ssl.SSLError, OSError, TimeoutError) as error:
        return wrong("certificate", f"{host}: {_said(error)}; renew it, or correct PUBLIC_URL")
    days = (ssl.cert_time_to_seconds(certificate["notAfter"]) - datetime.now(UTC).timestamp()) / 86_400
    if days < DAYS_LEFT_MIN:
        return wrong("certificate", f"{host}: it expires in {days:.0f} days: renew it now")
    return well("certificate", f"{host}: it is good for {days:.0f} more days")


def _said(error: BaseException) -> str:
    """The error in one line, with its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
