"""Who has an invoice isn't deleted, even if the invoice is paid while the request is on its way to the actor."""

from zoneinfo import ZoneInfo

import pytest

from decabilld.actors.tenant.dispatch import decide
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Entity
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Invalid
from decabilld.ids import new_id
from decabilld.messages.commands import DeleteUser
from decabilld.messages.decision import Context, Decision
from tests.store import samples

ANNA = samples.user(role="user")


def deleted(*known: Entity, invoices: int) -> Decision:
    """`invoices` is what the database had when the edge asked it, before the decision."""
    context = Context(
        tenant_id="t", now=samples.NOW, wall=samples.NOW, policy=BillingPolicy(zone=ZoneInfo("UTC")), new_id=new_id,
        who="user:admin", cause="test",
    )  # fmt: skip
    state = TenantState(tenant_id="t").with_changes([ANNA, *known])
    return decide(state, DeleteUser(user_id=ANNA.id, invoices=invoices), context)


def test_an_invoice_that_was_open_a_moment_ago_counts() -> None:
    with pytest.raises(Invalid, match="there are 1 invoice"):
        deleted(invoices=1)


def test_an_open_invoice_counts_once() -> None:
    bought = samples.subscription(ANNA, samples.plan())
    owed = samples.invoice(bought, status="issued")
    for seen in (0, 1):
        with pytest.raises(Invalid, match="there are 1 invoice"):
            deleted(owed, invoices=seen)


def test_who_has_nothing_is_deleted() -> None:
    assert deleted(invoices=0).changes
