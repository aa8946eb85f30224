"""The mail gateway as the settings want it: which server, who writes, what stands below each mail."""

from email.utils import parseaddr
from typing import cast

from decabilld.clock import Clock
from decabilld.gateways.smtp.code_mail import CodeMail
from decabilld.gateways.smtp.letters import Letterhead, one_line
from decabilld.gateways.smtp.notice_mail import NoticeMail
from decabilld.gateways.smtp.server import MailServer, Security
from decabilld.messages.effects import SendMail
from decabilld.sealing import Keyring
from decabilld.settings import Settings


def code_mail(settings: Settings, keyring: Keyring, clock: Clock) -> CodeMail | None:
    """None while SMTP_HOST is unset."""
    server = mail_server(settings)
    if server is None:
        return None
    return CodeMail(
        server,
        letterhead(settings),
        zone=settings.billing_timezone,
        open_code=lambda sealed, tenant_id: keyring.open(sealed, tenant_id, SendMail.SEALED_CODE),
        clock=clock,
    )


def notice_mail(settings: Settings) -> NoticeMail | None:
    """None while SMTP_HOST is unset."""
    server = mail_server(settings)
    return None if server is None else NoticeMail(server, letterhead(settings), zone=settings.billing_timezone)


def mail_server(settings: Settings) -> MailServer | None:
    """None while SMTP_HOST is unset."""
    if settings.smtp_host is None:
        return None
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=cast(Security, settings.smtp_secure),
        user=settings.smtp_user,
        password=settings.smtp_password,
    )


def letterhead(settings: Settings) -> Letterhead:
    """EMAIL_COMPANY_* over BILLING_ISSUER_*. The settings have made sure that there is an address to send from."""
    given_name, sender = parseaddr(settings.email_from or settings.issuer_email or "")
    company = one_line(settings.email_company_name or settings.issuer_name or given_name or sender)
    contact = settings.email_company_email or settings.issuer_email
    reply_to = parseaddr(contact)[1] if contact else None
    vat_id = f"VAT ID {settings.issuer_vat_id}" if settings.issuer_vat_id else None
    lines = (
        _joined(company, settings.email_company_address or _issuer_address(settings)),
        _joined(
            settings.email_company_phone or settings.issuer_phone,
            reply_to,
            settings.email_company_website or settings.issuer_website,
        ),
        _joined(settings.issuer_register_entry, settings.issuer_managing_director, vat_id),
    )
    return Letterhead(
        sender_name=given_name or company,
        sender=sender,
        company=company,
        lines=tuple(line for line in lines if line),
        reply_to=reply_to if reply_to != sender else None,
    )


def _issuer_address(settings: Settings) -> str:
    town = " ".join(part for part in (settings.issuer_postal_code, settings.issuer_city) if part)
    parts = (settings.issuer_address_line1, settings.issuer_address_line2, town, settings.issuer_country)
    return ", ".join(part for part in parts if part)


def _joined(*parts: str | None) -> str:
    return " · ".join(one_line(part) for part in parts if part)
