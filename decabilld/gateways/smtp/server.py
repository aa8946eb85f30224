"""Hands one message to the operator's mail server; owns TLS, login, time-outs and what a refusal means.

Owns no word of a mail (`letters.py`) and no retry: whoever asks tries again unless it is `GivenUp`.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from functools import cached_property
from ipaddress import ip_address
from typing import Literal

import aiosmtplib
from msgspec import Struct

from decabilld.actors.ports import GivenUp

Security = Literal["tls", "starttls", "auto", "none"]
"""`tls` from the first byte; `starttls` or not at all; `auto`: STARTTLS where offered; `none`: in clear."""

STEP_SECONDS = 20.0
SEND_SECONDS = 60.0
PERMANENT = 500
_DEFAULT_PORTS = {"tls": 465, "starttls": 587, "auto": 587, "none": 25}


class PasswordInClear(Exception):
    """The server offers no TLS, so the password isn't told to it."""


class MailServer(Struct, frozen=True, kw_only=True, dict=True):
    """Where mail goes; each mail has a connection of its own, which costs 1 ms more than one kept open.

    Certificates are checked against the system's authorities, or those of `SSL_CERT_FILE`.
    """

    host: str
    port: int | None = None
    security: Security = "auto"
    user: str | None = None
    password: str | None = None

    async def send(self, message: EmailMessage, hello_name: str) -> None:
        """Returns once the server has taken the message, within a minute.

        Raises GivenUp when it refuses the recipient or the message for good (RFC 5321, 4.2.1: a reply of 5xx).
        Anything else that it raises may pass: the server away, busy, misconfigured, or too slow.
        """
        async with self._session(hello_name) as client:
            await _hand_over(client, message)

    async def try_out(self, hello_name: str) -> None:
        """Connect and log in as for a mail, and send none. Raises what would keep mails from being sent."""
        async with self._session(hello_name):
            pass

    @asynccontextmanager
    async def _session(self, hello_name: str) -> AsyncIterator[aiosmtplib.SMTP]:
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port or _DEFAULT_PORTS[self.security],
            local_hostname=hello_name,
            timeout=STEP_SECONDS,
            use_tls=self.security == "tls",
            start_tls={"starttls": True, "auto": None}.get(self.security, False),
            tls_context=None if self.security == "none" else self._authorities,
        )
        async with asyncio.timeout(SEND_SECONDS):
            await client.connect()
            try:
                await self._log_in(client)
                yield client
            finally:
                # The message is taken or refused by now; how the server says good-bye changes nothing.
                with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                    await client.quit()
                client.close()

    @cached_property
    def _authorities(self) -> ssl.SSLContext:
        """Read once: it takes 20 ms."""
        return ssl.create_default_context()

    async def _log_in(self, client: aiosmtplib.SMTP) -> None:
        if self.user is None:
            return
        encrypted = client.get_transport_info("sslcontext") is not None
        if not encrypted and self.security != "none" and not _is_this_machine(self.host):
            raise PasswordInClear(f"{self.host} offers no TLS, so no password is sent; see SMTP_SECURE")
        await client.login(self.user, self.password or "")


async def _hand_over(client: aiosmtplib.SMTP, message: EmailMessage) -> None:
    try:
        await client.send_message(message)
    except aiosmtplib.SMTPRecipientsRefused as refused:
        first = refused.recipients[0]
        if all(one.code >= PERMANENT for one in refused.recipients):
            raise GivenUp(f"the mail server refused the recipient: {first.code} {first.message}") from None
        raise
    except aiosmtplib.SMTPDataError as refused:
        if refused.code >= PERMANENT:
            raise GivenUp(f"the mail server refused the message: {refused.code} {refused.message}") from None
        raise
    except aiosmtplib.SMTPNotSupported as lacking:
        raise GivenUp(f"the mail server can't deliver to this address: {lacking}") from None


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
