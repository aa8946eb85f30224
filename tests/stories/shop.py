"""A daemon with its Stripe on loopback, both on one clock, and a customer who owes: where stories of paying begin."""

import asyncio
from typing import Any

from decabilld.control.client import remote_payments
from decabilld.control.payments import Reconciled
from decabilld.control.socket_file import control_path
from tests.harness.daemons import RunningDaemon, StoryClock
from tests.harness.people import Admin, Customer
from tests.stripe.fake_stripe import Delivery, FakeStripe


class Shop:
    """A daemon with its Stripe, and Anna, who owes an invoice of 11.90. `clock` is the real time of both."""

    def __init__(
        self,
        daemon: RunningDaemon,
        clock: StoryClock,
        stripe: FakeStripe,
        admin: Admin,
        anna: Customer,
        subscription: str,
        invoice_id: str,
    ) -> None:
        self.daemon, self.clock, self.stripe, self.admin, self.anna = daemon, clock, stripe, admin, anna
        self.subscription, self.invoice_id = subscription, invoice_id

    async def invoice(self) -> Any:
        return await self.anna.invoice(self.invoice_id)

    async def pays(self) -> str:
        return await self.anna.pays(self.invoice_id)

    @property
    def sessions(self) -> list[str]:
        """Ids of what was opened at Stripe, the oldest first."""
        return list(self.stripe.sessions)

    async def delivers(self, deliveries: list[Delivery]) -> None:
        """Stripe posts its events; each must be answered 200."""
        assert set(await self.stripe.deliver(self._webhook, deliveries)) == {200}

    async def delivers_at_once(self, deliveries: list[Delivery]) -> None:
        answers = await asyncio.gather(*(self.stripe.deliver(self._webhook, [one]) for one in deliveries))
        assert {status for statuses in answers for status in statuses} == {200}

    async def reconciles(self, older_than_minutes: int = 0, tenant: str = "default") -> Reconciled:
        """As the command does, over the control socket."""
        async with remote_payments(control_path(self.daemon.settings.data_path)) as payments:
            return await payments.reconcile(tenant, older_than_minutes)

    async def kept(self, kind: Any) -> list[Any]:
        return list(await self.admin.audit.rows(kind, self.admin.tenant))

    async def logs(self) -> list[Any]:
        """The invoice's audit log, the oldest first."""
        path = f"/admin/billing/invoices/{self.invoice_id}/audit-logs?limit=100"
        return list(reversed((await self.admin.get(path))["items"]))

    async def journal(self) -> list[str]:
        return [kind for kind in await self.admin.audit.journal_kinds(self.admin.tenant) if kind.startswith("payment")]

    @property
    def _webhook(self) -> str:
        return f"{self.admin.url}/webhooks/payments/stripe"


async def opened_shop(daemon: RunningDaemon, clock: StoryClock, stripe: FakeStripe) -> Shop:
    admin = await daemon.admin()
    await admin.move_to("2024-01-10 00:00")
    anna = await admin.customer("anna")
    subscription = await anna.orders(await admin.plan())
    await admin.move_to("2024-02-11 00:00")
    (invoice,) = await anna.invoices(subscription)
    return Shop(daemon, clock, stripe, admin, anna, subscription, invoice["id"])


def paying_at(stripe: FakeStripe) -> dict[str, Any]:
    """The settings of a daemon that takes payments there."""
    return {
        "stripe_secret_key": stripe.secret_key,
        "stripe_webhook_secret": stripe.webhook_secret,
        "stripe_api_base": stripe.base_url,
    }
