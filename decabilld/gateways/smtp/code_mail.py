"""Sends one-time codes: opens the sealed code at the last moment, writes the letter, hands it over."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

import structlog

from decabilld.actors.ports import GivenUp
from decabilld.clock import Clock
from decabilld.gateways.smtp.letters import Letterhead, letter
from decabilld.gateways.smtp.server import MailServer
from decabilld.messages.effects import SendMail
from decabilld.sealing import NotOpened

_log = structlog.get_logger("mail")


class CodeMail:
    """`open_code(sealed, tenant_id)` unseals; it raises NotOpened. `clock` is real time."""

    def __init__(
        self,
        server: MailServer,
        head: Letterhead,
        *,
        zone: ZoneInfo,
        open_code: Callable[[str, str], str],
        clock: Clock,
    ) -> None:
        self._server, self._head, self._zone, self._open_code, self._clock = server, head, zone, open_code, clock

    async def send(self, tenant_id: str, effect: SendMail) -> None:
        """Raises GivenUp for what will never arrive; anything else may be tried again, and is the same mail then."""
        if self._clock() >= effect.expires_at:
            raise GivenUp("the code had expired before the mail could be sent")
        try:
            message = letter(
                effect.template,
                effect_id=effect.id,
                to=effect.to,
                code=self._open_code(effect.sealed_code, tenant_id),
                expires_at=effect.expires_at,
                head=self._head,
                zone=self._zone,
            )
        except NotOpened as shut:
            raise GivenUp(f"the code can't be unsealed: {shut}") from None
        except ValueError as unfit:
            raise GivenUp(f"no mail can be written to this address: {unfit}") from None
        await self._server.send(message, self._head.domain)
        _log.info("mail_sent", tenant=tenant_id, effect=effect.id, template=effect.template)
