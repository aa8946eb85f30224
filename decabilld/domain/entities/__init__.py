"""The things a tenant owns, as frozen values; each with `table` is a row of PostgreSQL, column for field.

Owns names, types and which of them are *live* (kept in memory). Rules that compute with them live beside, in
`domain/`; how a field becomes a column lives in `store/columns.py`. `tenant_id` is no field: the state that holds an
entity says whose it is. Ids are canonical lower-case UUID text. Instants are aware UTC datetimes; amounts end in
`_minor` and count the currency's minor unit; rates and prices are exact `Decimal`.
"""

from decabilld.domain.entities.base import (
    AttemptStatus,
    BackorderStatus,
    CodePurpose,
    CustomerType,
    Entity,
    Id,
    Interval,
    InvoiceStatus,
    PositionKind,
    Role,
    RunStatus,
    SubscriptionStatus,
    TaxCategory,
    Value,
)
from decabilld.domain.entities.bookkeeping import BillingRun, NumberRange, RunError, Timetable
from decabilld.domain.entities.catalog import OrderingHighlight, PlanTerms, ServicePlan, ServiceType
from decabilld.domain.entities.identity import CustomerProfile, LinkedSubject, OneTimeCode, RevokedToken, User
from decabilld.domain.entities.invoices import Invoice, InvoiceLine, Party, TaxGroup
from decabilld.domain.entities.payments import Payment, PaymentAttempt, WebhookEvent
from decabilld.domain.entities.provisioning import Backorder, OrphanServer, ServerStep, SubscriptionItem
from decabilld.domain.entities.subscriptions import Position, Subscription, UsageRecord

__all__ = [
    "AttemptStatus",
    "Backorder",
    "BackorderStatus",
    "BillingRun",
    "CodePurpose",
    "CustomerProfile",
    "CustomerType",
    "Entity",
    "Id",
    "Interval",
    "Invoice",
    "InvoiceLine",
    "InvoiceStatus",
    "LinkedSubject",
    "NumberRange",
    "OneTimeCode",
    "OrderingHighlight",
    "OrphanServer",
    "Party",
    "Payment",
    "PaymentAttempt",
    "PlanTerms",
    "Position",
    "PositionKind",
    "RevokedToken",
    "Role",
    "RunError",
    "RunStatus",
    "ServerStep",
    "ServicePlan",
    "ServiceType",
    "Subscription",
    "SubscriptionItem",
    "SubscriptionStatus",
    "TaxCategory",
    "TaxGroup",
    "Timetable",
    "UsageRecord",
    "User",
    "Value",
    "WebhookEvent",
]
