"""What a mail says: its templates, in text and HTML, between the company's header and footer.

Owns the words and headers of a message. How it is sent is `server.py`'s, when `actors/outbox.py`'s.
"""

import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
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


def letter(
    template: MailTemplate, *, effect_id: Id, to: str, code: str, expires_at: datetime, head: Letterhead, zone: ZoneInfo
) -> EmailMessage:
    """The message that tells `code`. Made again for the same effect it has the same Message-ID.

    Raises ValueError for an address that no header can hold.
    """
    subject = SUBJECTS[template]
    until = expires_at.astimezone(zone)
    words = {
        "subject": subject,
        "code": code,
        "until": f"{until.day} {until:%B %Y, %H:%M} ({zone.key})",
        "company": head.company,
        "lines": head.lines,
    }
    # RFC 6531 where the part before the @ needs it; such mail only goes through servers that know it.
    message = EmailMessage(policy=SMTP.clone(utf8=not to.rpartition("@")[0].isascii()))
    message["From"] = _mailbox(head.sender, one_line(head.sender_name))
    message["To"] = _mailbox(to)
    if head.reply_to is not None:
        message["Reply-To"] = _mailbox(head.reply_to)
    message["Subject"] = one_line(f"{subject} - {head.company}")
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = f"<{effect_id}@{head.domain}>"
    # RFC 3834: an automatic answer to this would reach nobody.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_templates.get_template(f"{template}.txt.j2").render(words))
    message.add_alternative(_templates.get_template(f"{template}.html.j2").render(words), subtype="html")
    return message


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
