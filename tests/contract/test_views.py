"""Every view against what its operation declares: for any entity, its JSON is as the schema and the document say."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from datetime import date
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from marshmallow import Schema

from decabilld.actors.availability import Availability
from decabilld.actors.preview import Preview
from decabilld.actors.provider import Server, ServerType
from decabilld.actors.tenant.state import TenantState
from decabilld.domain import entities as e
from decabilld.domain.journal import JournalRow
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.provisioning import ProvisioningOption
from decabilld.http import views
from decabilld.http.app import all_operations
from decabilld.http.call import encode
from decabilld.http.openapi import openapi_document
from decabilld.http.openapi_fields import component_name
from decabilld.http.schemas import admin_billing, catalog, explained, identity, invoices, profiles, provisioning
from decabilld.http.schemas import statistics as totals
from decabilld.http.schemas import subscriptions as sold
from decabilld.messages.replies import Registered
from decabilld.store.readers import Behind
from decabilld.store.statistics import PeriodTotal, ProductTotal, Scope
from tests.contract.entities import entities as any_of

Arguments = st.SearchStrategy[tuple[Any, ...]]
EXAMPLES = 40
NO_ANSWER_OF_THEIR_OWN = {"alternatives_view"}
"""Parts that other views put into theirs."""
ADDED = {"preview_view": {"at": "2026-02-01T00:00:00.000Z"}}
"""What a route adds to its view."""
_policy = st.just(BillingPolicy(zone=ZoneInfo("Europe/Berlin"), online_payment=True))
_nobody = TenantState(tenant_id="default")
_state = st.just(_nobody)
_email = st.none() | st.just("ada@example.com")
_number = st.none() | st.just("SUB-000001")
_currency = st.sampled_from(["EUR", "JPY"])
_wishes = st.just({"service": "controller", "hetznerApiToken": "secret", "smtp": {"password": "secret"}})


def of(kind: type[Any], *more: st.SearchStrategy[Any]) -> Arguments:
    return st.tuples(any_of(kind), *more)


@st.composite
def scopes(draw: Any) -> Scope:
    day = draw(st.dates(date(1, 1, 1), date(9999, 12, 31)))
    return Scope(tenant_id="default", currency=draw(_currency), first=day, last=day)


@st.composite
def explained_invoices(draw: Any) -> tuple[e.Invoice, Behind]:
    """An invoice, and what some of its lines came from."""
    invoice: e.Invoice = draw(any_of(e.Invoice))
    positions = {line.position_id: draw(any_of(e.Position)) for line in invoice.lines if line.position_id}
    origins = {position.subscription_id: draw(any_of(e.Subscription)) for position in positions.values()}
    used = {position.source: draw(any_of(e.UsageRecord)) for position in positions.values() if draw(st.booleans())}
    return invoice, Behind(positions=positions, subscriptions=origins, usage=used)


@st.composite
def previews(draw: Any) -> tuple[Preview, TenantState]:
    issued = st.lists(any_of(e.Invoice), max_size=2).map(tuple)
    foreseen = draw(st.builds(Preview, invoices=issued, errors=st.just(())))
    dated = tuple(
        msgspec.structs.replace(one, issue_date=date(2026, 1, 31), due_date=date(2026, 2, 14))
        for one in foreseen.invoices
    )
    return msgspec.structs.replace(foreseen, invoices=dated), _nobody


_providers = st.builds(SimpleNamespace, id=st.just("none"), display_name=st.just("None"), config_schema=st.just({}))
CASES: dict[str, tuple[Arguments, type[Schema]]] = {
    "summary_view": (st.tuples(_state, _currency), admin_billing.AdminBillingSummaryResponseSchema),
    "bill_now_view": (of(e.BillingRun), admin_billing.AdminBillNowResponseSchema),
    "run_view": (of(e.BillingRun), admin_billing.AdminBillNowStatusResponseSchema),
    "audit_log_view": (of(JournalRow, st.just("default")), admin_billing.BillingAuditLogResponseSchema),
    "test_clock_view": (
        of(e.Timetable).filter(lambda drawn: drawn[0].test_clock is not None),
        admin_billing.TestClockResponseSchema,
    ),
    "service_type_view": (of(e.ServiceType), catalog.ServiceTypeResponseSchema),
    "service_plan_view": (of(e.ServicePlan), catalog.ServicePlanResponseSchema),
    "ordered_plan_view": (of(e.ServicePlan), catalog.ServicePlanResponseSchema),
    "offering_view": (
        of(e.ServicePlan, st.none() | any_of(e.ServiceType), _currency),
        catalog.PublicServicePlanOfferingSchema,
    ),
    "pricing_view": (of(e.ServicePlan, _currency), catalog.PricingPreviewResponseSchema),
    "explanation_view": (explained_invoices(), explained.InvoiceExplanationSchema),
    "preview_view": (previews(), explained.BillingPreviewResponseSchema),
    "user_view": (of(e.User), identity.UserResponseSchema),
    "registered_view": (of(Registered), identity.RegisterResponseSchema),
    "invoice_view": (of(e.Invoice, _number, _policy), invoices.InvoiceResponseSchema),
    "invoice_detail_view": (of(e.Invoice, _policy), invoices.InvoiceDetailResponseSchema),
    "admin_invoice_view": (of(e.Invoice, _number, _email, _policy), admin_billing.AdminInvoiceListItemSchema),
    "admin_invoice_detail_view": (of(e.Invoice, _email, _policy), admin_billing.ManualInvoiceDetailResponseSchema),
    "invoices_summary_view": (
        of(e.User, st.lists(any_of(e.Invoice), max_size=2), st.just([]), _currency),
        invoices.InvoicesSummaryResponseSchema,
    ),
    "created_invoice_view": (of(e.Invoice), invoices.CreateInvoiceResponseSchema),
    "payment_view": (
        of(e.PaymentAttempt).filter(lambda drawn: drawn[0].checkout_url is not None),
        invoices.InitiatePaymentResponseSchema,
    ),
    "line_view": (of(e.InvoiceLine, _currency), invoices.InvoiceLineItemResponseSchema),
    "tax_view": (of(e.TaxGroup, _currency), invoices.InvoiceTaxBreakdownSchema),
    "profile_view": (of(e.CustomerProfile), profiles.CustomerProfileResponseSchema),
    "admin_profile_view": (of(e.CustomerProfile, _email), profiles.AdminCustomerProfileDetailResponseSchema),
    "listed_profile_view": (of(e.CustomerProfile, _email), profiles.AdminCustomerProfileListItemSchema),
    "no_profile_view": (st.just(()), profiles.CustomerProfileResponseSchema),
    "statistics_summary_view": (
        st.tuples(st.lists(any_of(PeriodTotal), max_size=2), scopes(), st.sampled_from(["day", "month"])),
        totals.BillingStatisticsSummarySchema,
    ),
    "statistics_by_product_view": (
        st.tuples(st.lists(any_of(ProductTotal), max_size=2), scopes()),
        totals.BillingStatisticsByProductSchema,
    ),
    "subscription_view": (of(e.Subscription), sold.SubscriptionResponseSchema),
    "item_view": (of(e.SubscriptionItem), sold.SubscriptionItemResponseSchema),
    "usage_record_view": (of(e.UsageRecord), sold.UsageRecordResponseSchema),
    "usage_summary_view": (
        of(e.Subscription, st.lists(any_of(e.UsageRecord), max_size=3)),
        sold.UsageSummarySchema,
    ),
    "provider_view": (st.tuples(_providers), provisioning.ProviderDetailSchema),
    "server_type_view": (of(ServerType), provisioning.ServerTypeSchema),
    "provisioning_option_view": (
        st.tuples(
            st.builds(
                ProvisioningOption,
                key=st.sampled_from(["controller", "manager"]),
                label=st.text(),
                description=st.text(),
            )
        ),
        provisioning.ProvisioningOptionSchema,
    ),
    "availability_view": (of(Availability), provisioning.AvailabilityResponseSchema),
    "server_info_view": (
        of(e.SubscriptionItem, any_of(Server), st.none() | st.just("example.com")),
        provisioning.ServerInfoResponseSchema,
    ),
    "server_action_view": (of(e.SubscriptionItem), provisioning.ServerActionResponseSchema),
    "backorder_view": (of(e.Backorder, _wishes), provisioning.BackorderResponseSchema),
}


def all_views() -> dict[str, Callable[..., Any]]:
    modules = [importlib.import_module(f"{views.__name__}.{one.name}") for one in pkgutil.iter_modules(views.__path__)]
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if name.endswith("_view") and inspect.isfunction(value) and not name.startswith("_")
    }


@pytest.fixture(scope="module")
def whole_document() -> dict[str, Any]:
    """With the test clock's operations."""
    return openapi_document(all_operations(test_clock=True))


def test_no_view_is_forgotten() -> None:
    assert all_views().keys() - NO_ANSWER_OF_THEIR_OWN == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_view_is_what_its_schema_says(name: str, whole_document: dict[str, Any]) -> None:
    arguments, schema = CASES[name]
    view, added = all_views()[name], ADDED.get(name, {})
    declared = {field.data_key for field in schema().fields.values()}
    components = whole_document["components"]
    component = components["schemas"][component_name(schema)]
    published = Draft202012Validator({**component, "components": components})

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(arguments)
    def holds(drawn: tuple[Any, ...]) -> None:
        shown = msgspec.json.decode(encode({**view(*drawn), **added}))
        assert shown.keys() <= declared
        assert [error.message for error in published.iter_errors(shown)] == []

    holds()
