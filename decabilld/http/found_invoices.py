"""Finding invoices and their documents for whoever may see them: the customer's own, or any for the operator."""

from aiohttp import web

from decabilld.domain.entities import Id, Invoice, Subscription
from decabilld.domain.refusals import Invalid, NotFound
from decabilld.http.call import Call


async def invoice_of(call: Call) -> Invoice:
    """The one that the path names, open or closed; under a subscription's path it must have a line of it.

    Raises NotFound.
    """
    invoice_id = call.ids["invoiceRefId"]
    invoice = call.state.get(Invoice, invoice_id) or await call.deps.readers.invoice(call.tenant_id, invoice_id)
    subscription_id = call.ids.get("subscriptionId")
    if invoice is None or (subscription_id is not None and subscription_id not in invoice.subscription_ids):
        raise NotFound("Invoice")
    return invoice


async def own_invoice(call: Call) -> Invoice:
    """Likewise, if it is the customer's and no draft. Raises NotFound."""
    invoice = await invoice_of(call)
    if invoice.user_id != call.user_id or invoice.status == "draft":
        raise NotFound("Invoice")
    return invoice


async def subscription_numbers(call: Call, invoices: list[Invoice]) -> dict[Id, str]:
    """The numbers of the subscriptions that invoices bear; ended ones are looked up in the database."""
    state, wanted = call.state, {invoice.subscription_id for invoice in invoices if invoice.subscription_id}
    live = [found for one in wanted if (found := state.get(Subscription, one)) is not None]
    numbers = {subscription.id: subscription.number for subscription in live}
    if ended := wanted - numbers.keys():
        numbers |= await call.deps.readers.subscription_numbers(call.tenant_id, ended)
    return numbers


async def subscription_number_of(call: Call, invoice: Invoice) -> str | None:
    numbers = await subscription_numbers(call, [invoice])
    return numbers.get(invoice.subscription_id or "")


async def invoice_pdf(call: Call, invoice: Invoice) -> web.Response:
    """Raises Invalid for a draft: it has no number, hence no document."""
    if invoice.number is None:
        raise Invalid("A draft has no document yet")
    content = await call.deps.documents.document(invoice, "invoice", call.tenant_id)
    return call.answer_pdf(content, invoice.number)


async def credit_note_pdf(call: Call, invoice: Invoice) -> web.Response:
    """Raises Invalid while the invoice is not void."""
    if invoice.credit_note_number is None:
        raise Invalid("The invoice is not void, so there is no credit note")
    content = await call.deps.documents.document(invoice, "credit_note", call.tenant_id)
    return call.answer_pdf(content, invoice.credit_note_number)
