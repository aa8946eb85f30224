"""What a mail says: its templates, in text and HTML, between the company's header and footer.

Owns the words and headers of a message. How it is sent is `server.py`'s, when `actors/outbox.py`'s.
"""

import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from msgspec import Struct

from decabilld.domain.entities import Id
from decabilld.messages.effects import MailTemplate

SUBJECTS: dict[MailTemplate, str] = {
    "confirm_email": "Confirm your e-mail address",
    "reset_password": "Reset your password",
}
_ADDRESS = re.compile(r"[^\s@\"'<>(),;:\\\[\]\x00-\x1f\x7f]+@[^\s@\"'<>(),;:\\\[\]\x00-\x1f\x7f]+")
_templates = Environment(
    loader=PackageLoader("decabilld.gateways.smtp"),
    autoescape=select_autoescape(["html.j2"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


class Letterhead(Struct, frozen=True, kw_only=True):
    """Who writes. `sender` is the address that mail comes from; `lines` stand below each mail, as the law wants it."""

    sender_name: str
    sender: str
    company: str
    lines: tuple[str, ...] = ()
    reply_to: str | None = None

    @property
    def domain(self) -> str:
        """Of the sender, as a mail server writes it."""
        return ascii_address(self.sender).rpartition("@")[2]


class Attachment(Struct, frozen=True):
    """A PDF."""

    filename: str
    content: bytes


def letter(
    template: MailTemplate, *, effect_id: Id, to: str, code: str, expires_at: datetime, head: Letterhead, zone: ZoneInfo
) -> EmailMessage:
    """The message that tells `code`. Made again for the same effect it has the same Message-ID.

    Raises ValueError for an address that no header can hold.
    """
    return message(
        template,
        {"code": code, "until": local_time(expires_at, zone)},
        effect_id=effect_id,
        to=to,
        subject=SUBJECTS[template],
        head=head,
    )


def message(
    template: str,
    words: dict[str, Any],
    *,
    effect_id: Id,
    to: str,
    subject: str,
    head: Letterhead,
    attachment: Attachment | None = None,
) -> EmailMessage:
    """The message of a template in text and HTML. Raises ValueError for an address that no header can hold."""
    words = {**words, "subject": subject, "company": head.company, "lines": head.lines}
    # RFC 6531 where the part before the @ needs it; such mail only goes through servers that know it.
    made = EmailMessage(policy=SMTP.clone(utf8=not to.rpartition("@")[0].isascii()))
    made["From"] = _mailbox(head.sender, one_line(head.sender_name))
    made["To"] = _mailbox(to)
    if head.reply_to is not None:
        made["Reply-To"] = _mailbox(head.reply_to)
    made["Subject"] = one_line(f"{subject} - {head.company}")
    made["Date"] = datetime.now(UTC)
    made["Message-ID"] = f"<{effect_id}@{head.domain}>"
    # RFC 3834: an automatic answer to this would reach nobody.
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(rendered(f"{template}.txt.j2", words))
    made.add_alternative(rendered(f"{template}.html.j2", words), subtype="html")
    if attachment is not None:
        made.add_attachment(attachment.content, maintype="application", subtype="pdf", filename=attachment.filename)
    return made


def rendered(template: str, words: dict[str, Any]) -> str:
    return _templates.get_template(template).render(words)


def local_time(instant: datetime, zone: ZoneInfo) -> str:
    """To the minute, as the zone's clocks show it."""
    local = instant.astimezone(zone)
    return f"{local.day} {local:%B %Y, %H:%M} ({zone.key})"


def _mailbox(address: str, name: str = "") -> Address:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("not one plain address")
    local, _, domain = ascii_address(address).rpartition("@")
    return Address(name, local, domain)


def ascii_address(address: str) -> str:
    """The address with its domain as the DNS has it (RFC 5890); the part before the @ stays as it is."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        return address


def one_line(text: str) -> str:
    """Without the line breaks that would begin another header."""
    return " ".join(text.split())
