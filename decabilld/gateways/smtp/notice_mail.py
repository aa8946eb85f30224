"""Sends notices: writes the letter of a fact, with its document if it has one, and hands it over."""

from zoneinfo import ZoneInfo

import structlog

from decabilld.actors.ports import GivenUp
from decabilld.gateways.smtp.letters import Attachment, Letterhead
from decabilld.gateways.smtp.notice_letters import notice_letter
from decabilld.gateways.smtp.server import MailServer
from decabilld.messages.effects import MailDocument, SendNotice

_log = structlog.get_logger("mail")


class NoticeMail:
    """`zone` is the billing zone, which days and times are told in."""

    def __init__(self, server: MailServer, head: Letterhead, *, zone: ZoneInfo) -> None:
        self._server, self._head, self._zone = server, head, zone

    async def send(self, tenant_id: str, notice: SendNotice | MailDocument, pdf: bytes | None = None) -> None:
        """Raises GivenUp for what will never arrive; anything else may be tried again, and is the same mail then."""
        number = notice.facts.number
        if isinstance(notice, MailDocument) and notice.document == "credit_note":
            number = notice.facts.credit_note_number or number
        attachment = None if pdf is None else Attachment(f"{number}.pdf", pdf)
        try:
            message = notice_letter(notice, head=self._head, zone=self._zone, attachment=attachment)
        except ValueError as unfit:
            raise GivenUp(f"no mail can be written to this address: {unfit}") from None
        await self._server.send(message, self._head.domain)
        _log.info("mail_sent", tenant=tenant_id, effect=notice.id, template=notice.template)
