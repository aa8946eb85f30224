"""What payment processors tell us. The signature is the proof, the metadata names the tenant."""

import structlog
from aiohttp import web

from decabilld.domain.refusals import PaymentNotConfigured
from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation

_log = structlog.get_logger("http")


@operation(
    "POST",
    "/webhooks/payments/stripe",
    id="stripePaymentWebhook",
    auth=Auth.SIGNED,
    tag="Payments",
    summary="An event of Stripe's",
    description="Verified on the raw body by `Stripe-Signature`, then handled once per event. What doesn't concern "
    "us is answered 200, too: Stripe has nothing to repeat.",
    answer=None,
)
async def stripe_payment_webhook(call: Call) -> web.Response:
    read_event = call.deps.read_payment_event
    if read_event is None:
        raise PaymentNotConfigured("No payment processor is configured")
    tenant_id, command = read_event(await call.request.read(), call.request.headers.get("Stripe-Signature", ""))
    if tenant_id in call.deps.settings.tenant_ids:
        await call.deps.tenants.ask(tenant_id, command, who="stripe", cause=call.correlation_id)
    else:
        _log.warning("webhook_of_no_tenant", event_id=command.event_id, type=command.type, tenant=tenant_id)
    return web.Response(status=200)
