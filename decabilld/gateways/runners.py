"""Who does which effect: one function each, from the effect to the command that reports its outcome."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from decabilld.actors.ports import GivenUp, Runners, Unavailable
from decabilld.domain.entities import Id, Invoice
from decabilld.gateways.documents.document import DocumentImpossible, Kind
from decabilld.gateways.documents.storage import DocumentStorage
from decabilld.gateways.stripe.effects import CheckoutEffects
from decabilld.messages.commands import ConfirmEffectDone
from decabilld.messages.decision import Command, Effect
from decabilld.messages.effects import (
    AskCheckout,
    CloseCheckout,
    MailDocument,
    OpenCheckout,
    RenderDocument,
    SendMail,
    SendNotice,
    UpdateCustomer,
)

if TYPE_CHECKING:
    from decabilld.gateways.smtp.code_mail import CodeMail
    from decabilld.gateways.smtp.notice_mail import NoticeMail
    from decabilld.gateways.stripe.checkout import StripeCheckout

FindInvoice = Callable[[str, Id], Awaitable[Invoice | None]]


class Effects:
    """`stripe` is None while online payment is not configured, `mail` and `notices` while no mail server is."""

    def __init__(
        self,
        find_invoice: FindInvoice,
        documents: DocumentStorage,
        stripe: "StripeCheckout | None",
        mail: "CodeMail | None",
        notices: "NoticeMail | None",
        *,
        success_url: str,
        cancel_url: str,
    ) -> None:
        self._find_invoice, self._documents, self._mail, self._notices = find_invoice, documents, mail, notices
        self._checkout = CheckoutEffects(stripe, success_url=success_url, cancel_url=cancel_url)

    @property
    def runners(self) -> Runners:
        return {
            RenderDocument: self.render_document,
            MailDocument: self.mail_document,
            SendNotice: self.send_notice,
            OpenCheckout: self._checkout.open_checkout,
            AskCheckout: self._checkout.ask_checkout,
            CloseCheckout: self._checkout.close_checkout,
            UpdateCustomer: self._checkout.update_customer,
            SendMail: self.send_mail,
        }

    async def render_document(self, tenant_id: str, effect: Effect) -> Command:
        assert isinstance(effect, RenderDocument)
        await self._document(tenant_id, effect.invoice_id, effect.document)
        return ConfirmEffectDone()

    async def mail_document(self, tenant_id: str, effect: Effect) -> Command:
        """The document is kept even if the mail must wait."""
        assert isinstance(effect, MailDocument)
        pdf = await self._document(tenant_id, effect.invoice_id, effect.document)
        await self._configured_notices().send(tenant_id, effect, pdf)
        return ConfirmEffectDone()

    async def send_notice(self, tenant_id: str, effect: Effect) -> Command:
        assert isinstance(effect, SendNotice)
        await self._configured_notices().send(tenant_id, effect)
        return ConfirmEffectDone()

    def _configured_notices(self) -> "NoticeMail":
        if self._notices is None:
            raise Unavailable("mail is not configured any more")
        return self._notices

    async def _document(self, tenant_id: str, invoice_id: Id, kind: Kind) -> bytes:
        invoice = await self._find_invoice(tenant_id, invoice_id)
        assert invoice is not None, "the effect was written with its invoice, which is never deleted"
        try:
            return await self._documents.document(invoice, kind, tenant_id)
        except DocumentImpossible as impossible:
            raise GivenUp(f"the document can't be made: {impossible}") from None

    async def send_mail(self, tenant_id: str, effect: Effect) -> Command:
        assert isinstance(effect, SendMail)
        if self._mail is None:
            raise Unavailable("mail is not configured any more")
        await self._mail.send(tenant_id, effect)
        return ConfirmEffectDone()
