"""Mails on their way over real SMTP: in clear, by STARTTLS, by TLS, with login; and what each refusal means."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiosmtplib
import pytest

from decabilld.actors.ports import GivenUp
from decabilld.gateways.smtp.letters import Letterhead, letter
from decabilld.gateways.smtp.server import MailServer, PasswordInClear
from tests.smtp.post_office import PASSWORD, USER, PostOffice, authority, text_of

# In clear on loopback, between the two ends of a test.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
HEAD = Letterhead(sender_name="Seller GmbH", sender="billing@seller.example", company="Seller GmbH", lines=("Weg 1",))
IN_AN_HOUR = datetime.now(UTC) + timedelta(hours=1)


def message(to: str = "anna@example.com", head: Letterhead = HEAD) -> Any:
    return letter(
        "confirm_email",
        effect_id="0199-id",
        to=to,
        code="ABC123",
        expires_at=IN_AN_HOUR,
        head=head,
        zone=ZoneInfo("UTC"),
    )


async def send(office: PostOffice, to: str = "anna@example.com", **server: Any) -> None:
    await MailServer(host="127.0.0.1", port=office.port, **server).send(message(to), "seller.example")


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The server's; its authority is the only one that this process trusts."""
    ca_file, context = authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return context


async def test_a_mail_arrives_in_clear() -> None:
    async with PostOffice().opened() as office:
        await send(office)
    assert office.recipients == ["anna@example.com"]
    assert office.encrypted == [False]
    assert "    ABC123" in text_of(office.received[0])


@pytest.mark.parametrize("security", ["starttls", "auto"])
async def test_a_mail_arrives_by_starttls_after_login(context: ssl.SSLContext, security: Any) -> None:
    async with PostOffice().opened(starttls=context, login=True) as office:
        await send(office, security=security, user=USER, password=PASSWORD)
    assert office.encrypted == [True]
    assert len(office.logins) == len(office.received) == 1


async def test_a_mail_arrives_by_tls_after_login(context: ssl.SSLContext) -> None:
    async with PostOffice().opened(tls=context, login=True) as office:
        await send(office, security="tls", user=USER, password=PASSWORD)
    assert office.encrypted == [True]
    assert len(office.logins) == len(office.received) == 1


@pytest.mark.parametrize("security", ["tls", "starttls", "auto"])
async def test_a_server_that_nobody_vouches_for_gets_nothing(tmp_path: Path, security: Any) -> None:
    _, context = authority(tmp_path)
    tls = {"tls": context} if security == "tls" else {"starttls": context}
    async with PostOffice().opened(**tls) as office:
        with pytest.raises((ssl.SSLError, aiosmtplib.SMTPException), match=r"CERTIFICATE_VERIFY_FAILED|certificate"):
            await send(office, security=security)
    assert office.received == []


async def test_starttls_that_is_not_offered_sends_nothing() -> None:
    async with PostOffice().opened() as office:
        with pytest.raises(aiosmtplib.SMTPException):
            await send(office, security="starttls")
    assert office.received == []


async def test_a_password_is_not_told_in_clear_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own name stands for another's: 127.0.0.1 by a name that isn't `localhost`."""
    async with PostOffice().opened(login=True) as office:
        loop = asyncio.get_running_loop()
        known = loop.getaddrinfo

        async def elsewhere(host: str, *rest: Any, **more: Any) -> Any:
            return await known("127.0.0.1" if host == "mail.example" else host, *rest, **more)

        monkeypatch.setattr(loop, "getaddrinfo", elsewhere)
        with pytest.raises(PasswordInClear):
            await MailServer(host="mail.example", port=office.port, user=USER, password=PASSWORD).send(message(), "x")
    assert office.logins == []


async def test_a_wrong_password_may_be_put_right() -> None:
    async with PostOffice().opened(login=True) as office:
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await send(office, security="none", user=USER, password="wrong")
    assert office.received == []


@pytest.mark.parametrize("reply", [{"rcpt": "550 no such user"}, {"data": "554 spam"}])
async def test_what_is_refused_for_good_is_given_up(reply: dict[str, str]) -> None:
    async with PostOffice().opened() as office:
        vars(office).update(reply)
        with pytest.raises(GivenUp, match=next(iter(reply.values()))[:3]):
            await send(office)


@pytest.mark.parametrize("reply", [{"rcpt": "450 greylisted"}, {"data": "451 later"}])
async def test_what_is_refused_for_now_may_be_tried_again(reply: dict[str, str]) -> None:
    async with PostOffice().opened() as office:
        vars(office).update(reply)
        with pytest.raises(aiosmtplib.SMTPException) as caught:
            await send(office)
    assert not isinstance(caught.value, GivenUp)


async def test_a_server_that_is_away_may_come_back() -> None:
    async with PostOffice().opened() as office:
        pass
    with pytest.raises(OSError, match=r"(?i)connect"):
        await send(office)


async def test_an_address_of_another_script_arrives() -> None:
    async with PostOffice().opened() as office:
        await send(office, "jörg@bücher.example")
    assert office.recipients == ["jörg@xn--bcher-kva.example"]
