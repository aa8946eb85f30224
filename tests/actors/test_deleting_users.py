"""Who has an invoice isn't deleted, even if the invoice is paid while the request is on its way to the actor."""

from zoneinfo import ZoneInfo

import pytest

from decabilld.actors.tenant.dispatch import decide
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Entity
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Invalid, NotFound
from decabilld.ids import new_id
from decabilld.messages.commands import (
    CreateManualInvoice,
    CreateServicePlan,
    DeleteServiceType,
    DeleteUser,
    StartBillNow,
    UpdateCustomerProfile,
)
from decabilld.messages.decision import Command, Context, Decision
from tests.store import samples

ANNA = samples.user(role="user")
CONTEXT = Context(
    tenant_id="t", now=samples.NOW, wall=samples.NOW, policy=BillingPolicy(zone=ZoneInfo("UTC")), new_id=new_id,
    who="user:admin", cause="test",
)  # fmt: skip


def deleted(*known: Entity, invoices: int) -> Decision:
    """`invoices` is what the database had when the edge asked it, before the decision."""
    state = TenantState(tenant_id="t").with_changes([ANNA, *known])
    return decide(state, DeleteUser(user_id=ANNA.id, invoices=invoices), CONTEXT)


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


@pytest.mark.parametrize(
    "command",
    [
        UpdateCustomerProfile(user_id=ANNA.id, fields={"city": "Berlin"}),
        CreateManualInvoice(user_id=ANNA.id, lines=()),
        StartBillNow(only_user_id=ANNA.id),
    ],
)
def test_nothing_is_kept_of_who_was_deleted_a_moment_ago(command: Command) -> None:
    """In the same batch: a deleted customer with an order would stop the billing of everybody."""
    state = TenantState(tenant_id="t").with_changes([ANNA])
    gone = state.with_changes(deleted(invoices=0).changes)
    with pytest.raises(NotFound):
        decide(gone, command, CONTEXT)


def test_no_plan_is_of_a_service_type_that_was_deleted_a_moment_ago() -> None:
    kind = samples.service_type()
    state = TenantState(tenant_id="t").with_changes([kind])
    gone = state.with_changes(decide(state, DeleteServiceType(service_type_id=kind.id), CONTEXT).changes)
    fields = {"service_type_id": kind.id, "name": "M", "interval": "month", "interval_count": 1}
    with pytest.raises(Invalid, match="no such service type"):
        decide(gone, CreateServicePlan(fields=fields), CONTEXT)
