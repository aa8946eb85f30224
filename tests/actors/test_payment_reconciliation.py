"""Which attempts are asked about: rules that need no database."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from decabilld.actors.tenant.dispatch import decide
from decabilld.actors.tenant.handlers.payment_reconciliation import AT_A_TIME, Asked, outcome_of
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import AttemptStatus, PaymentAttempt
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import NotFound
from decabilld.ids import new_id
from decabilld.messages.commands import AskPayment, ConfirmCheckoutMissing, ReconcilePayments
from decabilld.messages.decision import Command, Context, Decision, Deferred
from decabilld.messages.effects import AskCheckout

NOW = datetime(2024, 2, 11, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def attempt(status: AttemptStatus = "open", *, age: timedelta = 2 * HOUR, **fields: Any) -> PaymentAttempt:
    return PaymentAttempt(
        id=new_id(), invoice_id=new_id(), user_id=new_id(), amount_minor=1190, currency="EUR", status=status,
        created_at=NOW - age, updated_at=NOW - age, **fields,
    )  # fmt: skip


def decided(command: Command, *attempts: PaymentAttempt, online_payment: bool = True) -> Decision:
    policy = BillingPolicy(zone=ZoneInfo("UTC"), online_payment=online_payment)
    context = Context(
        tenant_id="default", now=NOW, wall=NOW, policy=policy, new_id=new_id, who="job:payments", cause="test"
    )
    return decide(TenantState(tenant_id="default").with_changes(attempts), command, context)


def test_all_that_hang_are_asked_about_page_by_page() -> None:
    hanging = [attempt() for _ in range(2 * AT_A_TIME + 5)]
    others = [attempt(age=HOUR / 2), attempt("paid"), attempt("expired")]
    asked: list[str] = []
    following: list[Command] = [ReconcilePayments()]
    while following:
        decision = decided(following[0], *hanging, *others)
        asks = [command.attempt_id for command in decision.then if isinstance(command, AskPayment)]
        assert decision.reply == len(asks) <= AT_A_TIME
        assert not decision.changes
        asked += asks
        following = [command for command in decision.then if isinstance(command, ReconcilePayments)]
    assert asked == sorted(one.id for one in hanging)


def test_nothing_is_asked_without_a_processor() -> None:
    assert decided(ReconcilePayments(), attempt(), online_payment=False) == Decision(reply=0)


@pytest.mark.parametrize("status", ["open", "processing", "opening"])
def test_an_attempt_is_asked_about_under_its_own_id(status: AttemptStatus) -> None:
    hanging = attempt(status, session_id=None if status == "opening" else "cs_1")
    first, second = (decided(AskPayment(attempt_id=hanging.id), hanging) for _ in range(2))
    (effect,) = first.effects
    assert isinstance(effect, AskCheckout)
    assert (effect.attempt_id, effect.session_id) == (hanging.id, hanging.session_id)
    assert first.reply == second.reply == Deferred(effect.id)


def test_what_is_settled_or_just_being_opened_is_not_asked_about() -> None:
    opening = attempt("opening", age=timedelta(minutes=5))
    assert decided(AskPayment(attempt_id=opening.id), opening) == Decision(reply="pending")
    in_doubt = attempt("opening", age=timedelta(minutes=5), failure="Stripe did not answer in time")
    assert decided(AskPayment(attempt_id=in_doubt.id), in_doubt).effects
    with pytest.raises(NotFound):
        decided(AskPayment(attempt_id=new_id()))


def test_an_opening_that_was_asked_for_again_meanwhile_stands() -> None:
    now_again = attempt("opening", age=timedelta(minutes=1))
    missing = ConfirmCheckoutMissing(attempt_id=now_again.id, updated_at=NOW - HOUR)
    assert decided(missing, now_again) == Decision(reply="pending")
    missing = ConfirmCheckoutMissing(attempt_id=now_again.id, updated_at=now_again.updated_at)
    (failed,) = decided(missing, now_again).changes
    assert isinstance(failed, PaymentAttempt)
    assert failed.status == "failed"


def test_every_reply_counts_as_something() -> None:
    replies = ["applied", "overpayment", "expired", "failed", "not_applicable", "processing", "pending", "duplicate",
               "already_applied", "unused", "unknown_invoice", None]  # fmt: skip
    assert {outcome_of(reply) for reply in replies} == set(get_args(Asked))
    assert (outcome_of(attempt("open")), outcome_of(attempt("paid"))) == ("pending", "known")
