"""Payments as the operator has them looked after at the command line. Owns how many are asked about at a time."""

import asyncio
from collections import Counter
from collections.abc import Container
from datetime import timedelta
from typing import Protocol

from msgspec import Struct

from decabilld.actors.tenant.handlers.payment_reconciliation import Asked, outcome_of, pending_payments
from decabilld.actors.tenant.state import TenantState
from decabilld.clock import Clock
from decabilld.domain.refusals import Invalid, PaymentNotConfigured
from decabilld.ids import new_id
from decabilld.messages.commands import AskPayment
from decabilld.messages.decision import Command

WHO = "operator"
ASK_SECONDS = 90.0
AT_A_TIME, ATTEMPTS_MAX = 8, 2_000


class Asks(Protocol):
    """As `registry.Tenants` has them."""

    def published(self, tenant_id: str) -> TenantState: ...

    async def ask(
        self, tenant_id: str, command: Command, *, who: str, cause: str, timeout_seconds: float
    ) -> object: ...


class Reconciled(Struct, frozen=True, kw_only=True):
    """What became of attempts that hung. `known`: a webhook told it meanwhile; `unanswered`: Stripe didn't answer."""

    asked: int = 0
    booked: int = 0
    expired: int = 0
    failed: int = 0
    pending: int = 0
    known: int = 0
    unanswered: int = 0


class Payments:
    """Of all tenants in `tenant_ids`. `clock` is real time; `configured`: whether there is a processor to ask."""

    def __init__(self, tenants: Asks, tenant_ids: Container[str], *, clock: Clock, configured: bool) -> None:
        self._tenants, self._tenant_ids, self._clock, self._configured = tenants, tenant_ids, clock, configured

    async def reconcile(self, tenant_id: str, older_than_minutes: int) -> Reconciled:
        """Asks Stripe about every attempt that has been pending for so long, the first `ATTEMPTS_MAX` of them.

        Once Stripe answers to none of several, the rest is left for another time, and counted as unanswered.
        """
        if tenant_id not in self._tenant_ids:
            raise Invalid(f"{tenant_id} is not among the TENANTS that are served")
        if not self._configured:
            raise PaymentNotConfigured("Online payment is not configured")
        before = self._clock() - timedelta(minutes=older_than_minutes)
        attempts = [a.id for a in pending_payments(self._tenants.published(tenant_id), before)][:ATTEMPTS_MAX]
        counts: Counter[str] = Counter()
        asked = 0
        while some := attempts[asked : asked + AT_A_TIME]:
            told = await asyncio.gather(*(self._ask(tenant_id, attempt_id) for attempt_id in some))
            counts.update(told)
            asked += len(some)
            if set(told) == {"unanswered"}:
                counts["unanswered"] += len(attempts) - asked
                break
        return Reconciled(asked=asked, **counts)

    async def _ask(self, tenant_id: str, attempt_id: str) -> Asked:
        command = AskPayment(attempt_id=attempt_id)
        try:
            told = await self._tenants.ask(tenant_id, command, who=WHO, cause=new_id(), timeout_seconds=ASK_SECONDS)
        except Invalid:
            return "pending"  # found open, which it shall be no more
        return outcome_of(told)
