"""What payment processors tell us. The signature is the proof, the metadata names the tenant."""

import structlog
from aiohttp import web
from msgspec.structs import replace

from decabilld.domain.refusals import PaymentNotConfigured
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.messages.commands import RecordReversal

_log = structlog.get_logger("http")


@operation(
    "POST",
    "/webhooks/payments/stripe",
    id="stripePaymentWebhook",
    auth=Auth.SIGNED,
    tag="Payments",
    summary="An event of Stripe's",
    description="Verified on the raw body by `Stripe-Signature`, then handled once per event. What doesn't concern "
    "us is answered 200, too: Stripe has nothing to repeat. A refund or a dispute finds its invoice by the payment.",
    answer=None,
)
async def stripe_payment_webhook(call: Call) -> web.Response:
    read_event = call.deps.read_payment_event
    if read_event is None:
        raise PaymentNotConfigured("No payment processor is configured")
    tenant_id, command = read_event(call.raw_body, call.request.headers.get("Stripe-Signature", ""))
    if isinstance(command, RecordReversal):
        tenant_id, command = await _traced(call, tenant_id, command)
    if tenant_id is not None and tenant_id in call.deps.settings.tenant_ids:
        outcome = await call.deps.tenants.ask(tenant_id, command, who="stripe", cause=call.correlation_id)
        if isinstance(command, RecordReversal) and outcome != "duplicate":
            _tell_operator(tenant_id, command)
    else:
        _log.warning("webhook_of_no_tenant", event_id=command.event_id, type=command.type, tenant=tenant_id)
    return web.Response(status=200)


async def _traced(call: Call, tenant_id: str | None, reversal: RecordReversal) -> tuple[str | None, RecordReversal]:
    """With the tenant and invoice that the payment was booked for, where the event names none: disputes never do."""
    if reversal.reference is None or (tenant_id is not None and reversal.invoice_id is not None):
        return tenant_id, reversal
    paid = await call.deps.readers.invoice_paid_by(reversal.reference, call.deps.settings.tenant_ids)
    if paid is None or tenant_id not in (None, paid.tenant_id):
        return tenant_id, reversal
    return paid.tenant_id, replace(reversal, invoice_id=paid.invoice_id)


def _tell_operator(tenant_id: str | None, reversal: RecordReversal) -> None:
    _log.warning(
        "payment_reversed",
        tenant=tenant_id,
        kind=reversal.kind,
        invoice_id=reversal.invoice_id,
        amount_minor=reversal.amount_minor,
        currency=reversal.currency,
        event_id=reversal.event_id,
    )
