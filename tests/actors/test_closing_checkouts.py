"""What is told of a checkout that fits no more, and which ones do: rules that need no database."""

from typing import Literal
from zoneinfo import ZoneInfo

import pytest

from decabilld.actors.tenant.dispatch import decide
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import AttemptStatus, Entity, Invoice, PaymentAttempt
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Invalid
from decabilld.ids import new_id
from decabilld.messages.commands import ApplyPaymentEvent, ConfirmCheckoutMissing, ConfirmCheckoutOpened, VoidInvoice
from decabilld.messages.decision import Command, Context, Decision
from decabilld.messages.effects import CloseCheckout, SendNotice
from tests.store import samples

ANNA = samples.user()
HOME = samples.subscription(ANNA, samples.plan())
OWED = samples.invoice(HOME)
VOID = samples.invoice(HOME, **samples.void("INV-2026-00007"))


def decided(command: Command, *known: Entity) -> Decision:
    policy = BillingPolicy(zone=ZoneInfo("UTC"), online_payment=True, mail=True)
    context = Context(
        tenant_id="t", now=samples.NOW, wall=samples.NOW, policy=policy, new_id=new_id, who="stripe", cause="test"
    )
    state = TenantState(tenant_id="t").with_changes([ANNA, HOME, *known])
    return decide(state, command, context)


def told(outcome: Literal["processing", "failed", "expired"], attempt: PaymentAttempt) -> ApplyPaymentEvent:
    return ApplyPaymentEvent(
        record_id=new_id(), event_id="evt_1", type="t", outcome=outcome, invoice_id=attempt.invoice_id,
        attempt_id=attempt.id,
    )  # fmt: skip


@pytest.mark.parametrize(("invoice", "mails"), [(OWED, 1), (VOID, 0)], ids=["owed", "void"])
def test_a_failure_is_mailed_only_while_something_is_owed(invoice: Invoice, mails: int) -> None:
    attempt = samples.attempt(invoice, status="processing")
    decision = decided(told("failed", attempt), invoice, attempt)
    assert len([effect for effect in decision.effects if isinstance(effect, SendNotice)]) == mails
    assert [entry.kind for entry in decision.entries] == ["payment.failed", "payment.event_handled"]


@pytest.mark.parametrize(("status", "level"), [("open", "warning"), ("closing", "info")])
def test_what_was_closed_by_ourselves_warns_nobody(status: AttemptStatus, level: str) -> None:
    attempt = samples.attempt(OWED, status=status)
    decision = decided(told("expired", attempt), OWED, attempt)
    assert (decision.entries[0].level, decision.effects) == (level, ())


def test_only_open_checkouts_of_that_invoice_are_closed() -> None:
    other = samples.invoice(HOME)
    open_one = samples.attempt(OWED, session_id="cs_open")
    others = [samples.attempt(OWED, status=status) for status in ("opening", "closing", "processing", "failed")]
    elsewhere = samples.attempt(other)
    decision = decided(VoidInvoice(invoice_id=OWED.id), OWED, other, open_one, *others, elsewhere)
    (effect,) = [effect for effect in decision.effects if isinstance(effect, CloseCheckout)]
    assert (effect.attempt_id, effect.session_id) == (open_one.id, "cs_open")
    assert [c.id for c in decision.changes if isinstance(c, PaymentAttempt)] == [open_one.id]


@pytest.mark.parametrize(
    ("other", "fits"),
    [(None, True), ("open", False), ("processing", False), ("closing", True), ("opening", True), ("expired", True)],
)
def test_one_checkout_at_a_time(other: AttemptStatus | None, fits: bool) -> None:
    attempt = samples.attempt(OWED, status="opening", session_id=None)
    known = [] if other is None else [samples.attempt(OWED, status=other)]
    opened = ConfirmCheckoutOpened(
        attempt_id=attempt.id, session_id="cs_2", checkout_url="https://pay", expires_at=samples.NOW
    )
    decision = decided(opened, OWED, attempt, *known)
    assert isinstance(decision.reply, PaymentAttempt if fits else Invalid)
    assert bool(decision.effects) is not fits


def test_a_bank_at_work_closes_the_other_pages() -> None:
    quicker, left = samples.attempt(OWED, status="closing"), samples.attempt(OWED)
    (effect,) = decided(told("processing", quicker), OWED, quicker, left).effects
    assert isinstance(effect, CloseCheckout)
    assert effect.attempt_id == left.id


def test_it_is_tried_for_as_long_as_a_session_lives() -> None:
    pauses = (min(2.0**attempt, CloseCheckout.pause_seconds_max) for attempt in range(1, CloseCheckout.attempts_max))
    assert 0.8 * sum(pauses) >= 20 * 3600
    assert sum(pauses) <= 30 * 3600


def test_a_closing_one_that_stripe_has_forgotten_has_an_end() -> None:
    closing = samples.attempt(OWED, status="closing")
    missing = ConfirmCheckoutMissing(attempt_id=closing.id, updated_at=closing.updated_at)
    assert decided(missing, OWED, closing).reply == "expired"
