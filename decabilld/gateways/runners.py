"""Who does which effect: one function each, from the effect to the command that reports its outcome."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from decabilld.actors.ports import GivenUp, Runners, Unavailable
from decabilld.domain.entities import Id, Invoice
from decabilld.domain.refusals import PaymentProviderFailed, PaymentProviderTimedOut, PaymentProviderUnreachable
from decabilld.gateways.documents.document import DocumentImpossible, Kind
from decabilld.gateways.documents.storage import DocumentStorage
from decabilld.messages.commands import ConfirmCheckoutFailed, ConfirmCheckoutOpened, ConfirmEffectDone
from decabilld.messages.decision import Command, Effect
from decabilld.messages.effects import MailDocument, OpenCheckout, RenderDocument, SendMail, SendNotice

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
        self._find_invoice, self._documents, self._stripe, self._mail = find_invoice, documents, stripe, mail
        self._notices, self._success_url, self._cancel_url = notices, success_url, cancel_url

    @property
    def runners(self) -> Runners:
        return {
            RenderDocument: self.render_document,
            MailDocument: self.mail_document,
            SendNotice: self.send_notice,
            OpenCheckout: self.open_checkout,
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

    async def open_checkout(self, tenant_id: str, effect: Effect) -> Command:
        """Failures are outcomes, told to the customer at once; only a crash leads to another try by the outbox."""
        assert isinstance(effect, OpenCheckout)
        if self._stripe is None:
            return ConfirmCheckoutFailed(attempt_id=effect.id, reason="Online payment is not configured any more")
        try:
            session = await self._stripe.open_session(
                attempt_id=effect.id,
                amount_minor=effect.amount_minor,
                currency=effect.currency,
                invoice_number=effect.invoice_number,
                invoice_id=effect.invoice_id,
                subscription_id=effect.subscription_id,
                user_id=effect.user_id,
                tenant_id=tenant_id,
                customer_email=effect.customer_email,
                success_url=self._success_url,
                cancel_url=self._cancel_url,
            )
        except PaymentProviderUnreachable as failed:
            return ConfirmCheckoutFailed(attempt_id=effect.id, reason=failed.message, in_doubt=True)
        except PaymentProviderFailed as failed:
            return ConfirmCheckoutFailed(attempt_id=effect.id, reason=failed.message)
        except PaymentProviderTimedOut as late:
            return ConfirmCheckoutFailed(attempt_id=effect.id, reason=late.message, in_doubt=True, timed_out=True)
        return ConfirmCheckoutOpened(
            attempt_id=effect.id,
            session_id=session.session_id,
            checkout_url=session.url,
            expires_at=session.expires_at,
        )

    async def send_mail(self, tenant_id: str, effect: Effect) -> Command:
        assert isinstance(effect, SendMail)
        if self._mail is None:
            raise Unavailable("mail is not configured any more")
        await self._mail.send(tenant_id, effect)
        return ConfirmEffectDone()
