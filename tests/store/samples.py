"""Entities to write and read back: valid ones, every optional field filled, with an id of their own."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from decabilld.actors.ports import Batch, Head, OutboxRow, StoredAnswer
from decabilld.domain import entities as e
from decabilld.domain.journal import JournalRow, digest_of

NOW = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
TERMS = e.PlanTerms(plan_name="Größe „M“ 100%", price_minor=1_999, currency="EUR", interval="month", interval_count=1)
PARTY = e.Party(name="Käufer & Söhne", address_line1="Weg 1", city="Leipzig", country="DE", vat_id="DE123456789")


def new_id() -> e.Id:
    return str(uuid4())


def user(**fields: Any) -> e.User:
    key = new_id()
    return e.User(
        **{
            "id": new_id(), "email": f"{key}@Example.org", "email_key": f"{key}@example.org", "password_hash": "argon2",
            "role": "admin", "email_confirmed_at": NOW, "locked_at": None, "token_version": 3, "billing_day": 28,
            "created_at": NOW, "updated_at": NOW, **fields,
        }
    )  # fmt: skip


def code(of: e.User, **fields: Any) -> e.OneTimeCode:
    return e.OneTimeCode(
        **{"id": of.id, "purpose": "confirm_email", "digest": "ab", "expires_at": NOW, "tries_left": 5, **fields}
    )


def revoked(of: e.User, **fields: Any) -> e.RevokedToken:
    return e.RevokedToken(**{"id": new_id(), "user_id": of.id, "expires_at": NOW, **fields})


def linked(of: e.User) -> e.LinkedSubject:
    return e.LinkedSubject(id=new_id(), user_id=of.id, created_at=NOW)


def profile(of: e.User, **fields: Any) -> e.CustomerProfile:
    return e.CustomerProfile(
        **{
            "id": new_id(), "user_id": of.id, "first_name": "Zoë", "last_name": "O'Neil", "customer_type": "business",
            "vat_id": "DE123456789", "stripe_customer_id": "cus_1", "country": "DE", "created_at": NOW,
            "updated_at": NOW, **fields,
        }
    )  # fmt: skip


def service_type(**fields: Any) -> e.ServiceType:
    schema = {"type": "object", "limit": 1.5, "none": None, "list": [1, "a", True], "back\\slash": '"%s"'}
    return e.ServiceType(
        **{
            "id": new_id(), "key": new_id(), "name": "Server", "provider": "none", "config_schema": schema,
            "created_at": NOW, "updated_at": NOW, **fields,
        }
    )  # fmt: skip


def plan(of: e.ServiceType | None = None, **fields: Any) -> e.ServicePlan:
    return e.ServicePlan(
        **{
            "id": new_id(), "service_type_id": of and of.id, "name": "M", "interval": "month", "interval_count": 3,
            "billing_day_of_month": 31, "base_price": Decimal("19.9000"), "margin_percent": Decimal("0.1234"),
            "ordering_highlights": (e.OrderingHighlight(icon="cpu", text="2 vCPU"),), "allowed_server_types": ("a",),
            "created_at": NOW, "updated_at": NOW, **fields,
        }
    )  # fmt: skip


def subscription(of: e.User, to: e.ServicePlan, **fields: Any) -> e.Subscription:
    return e.Subscription(
        **{
            "id": new_id(), "number": f"SUB-{new_id()}", "plan_id": to.id, "user_id": of.id, "status": "active",
            "terms": TERMS, "anchor": NOW, "period_index": 2, "period_start": NOW, "period_end": NOW,
            "charged_through": NOW, "cancel_effective_at": NOW + timedelta(days=9), "created_at": NOW,
            "updated_at": NOW, **fields,
        }
    )  # fmt: skip


def item(of: e.Subscription, **fields: Any) -> e.SubscriptionItem:
    return e.SubscriptionItem(
        **{
            "id": new_id(), "subscription_id": of.id, "user_id": of.user_id, "provisioning_status": "active",
            "provider": "hetzner", "server_type": "cx22", "location": "fsn1", "image": "debian-13",
            "service": "manager", "config_defaults": {"smtp": {"host": "a"}}, "sealed_secrets": "v1:…",
            "ssh_public_key": "ssh-ed25519 A", "host_public_key": "ssh-ed25519 B", "hostname": f"calm-heron-{new_id()}",
            "server_id": "4711", "public_ip": "203.0.113.7", "step": "publish_name", "created_at": NOW,
            "updated_at": NOW, **fields,
        }
    )  # fmt: skip


def backorder(of: e.SubscriptionItem, plan_id: e.Id, service_type_id: e.Id, **fields: Any) -> e.Backorder:
    return e.Backorder(
        **{
            "id": new_id(), "user_id": of.user_id, "service_type_id": service_type_id, "plan_id": plan_id,
            "subscription_id": of.subscription_id, "item_id": of.id, "status": "pending", "failure_reason": "sold out",
            "provider_errors": {"hetzner": "sold out"}, "preferred_alternatives": {"regions": ["nbg1"]},
            "attempts": 2, "retry_at": NOW, "created_at": NOW, "updated_at": NOW, **fields,
        }
    )  # fmt: skip


def orphan(**fields: Any) -> e.OrphanServer:
    return e.OrphanServer(
        **{
            "id": new_id(), "provider": "hetzner", "server_id": "4712", "name": "calm-heron-x2345",
            "label_id": new_id(), "found_at": NOW, **fields,
        }
    )  # fmt: skip


def usage(of: e.Subscription, **fields: Any) -> e.UsageRecord:
    return e.UsageRecord(
        **{
            "id": new_id(), "subscription_id": of.id, "period_start": NOW, "period_end": NOW + timedelta(hours=1),
            "payload": {"units": 3, "unitPrice": "0.1"}, "digest": new_id(), "cost_minor": 30, "recorded_at": NOW,
            **fields,
        }
    )  # fmt: skip


def position(of: e.Subscription, **fields: Any) -> e.Position:
    return e.Position(
        **{
            "id": new_id(), "user_id": of.user_id, "subscription_id": of.id, "plan_id": of.plan_id, "kind": "period",
            "period_start": NOW, "period_end": NOW + timedelta(days=31), "description": "M, März", "net_minor": 1_999,
            "currency": "EUR", "tax_category": "standard", "price_minor": 1_999, "share_numerator": 2_678_400_000_000,
            "share_denominator": 2_678_400_000_000, "created_at": NOW, **fields,
        }
    )  # fmt: skip


def invoice(of: e.Subscription, **fields: Any) -> e.Invoice:
    line = e.InvoiceLine(
        description="M, März", quantity=Decimal(1), unit_price_net=Decimal("19.99"), tax_category="standard",
        tax_rate=Decimal(19), net_minor=1_999, tax_minor=380, gross_minor=2_379, subscription_id=of.id,
        period_start=NOW, period_end=NOW + timedelta(days=31),
    )  # fmt: skip
    group = e.TaxGroup(tax_category="standard", tax_rate=Decimal(19), net_minor=1_999, tax_minor=380)
    return e.Invoice(
        **{
            "id": new_id(), "user_id": of.user_id, "subscription_id": of.id, "subscription_ids": (of.id,),
            "origin": "billing_run", "number": f"INV-2026-{new_id()}", "status": "issued", "currency": "EUR",
            "lines": (line,), "tax_groups": (group,), "subtotal_net_minor": 1_999, "tax_total_minor": 380,
            "total_gross_minor": 2_379, "balance_minor": 2_379, "seller": PARTY, "buyer": PARTY, "issued_at": NOW,
            "issue_date": date(2026, 3, 29), "due_date": date(2026, 4, 12), "overdue_from": NOW + timedelta(days=15),
            "created_at": NOW, "updated_at": NOW, **fields,
        }
    )  # fmt: skip


DRAFT = {"status": "draft", "number": None, "issued_at": None}
PAID = {"status": "paid", "paid_minor": 2_379, "balance_minor": 0, "paid_at": NOW}


def void(number: str) -> dict[str, Any]:
    return {"status": "void", "number": number, "balance_minor": 0, "credit_note_number": f"{number}-CN"}


def attempt(of: e.Invoice, **fields: Any) -> e.PaymentAttempt:
    return e.PaymentAttempt(
        **{
            "id": new_id(), "invoice_id": of.id, "user_id": of.user_id, "amount_minor": 2_379, "currency": "EUR",
            "status": "open", "session_id": "cs_1", "checkout_url": "https://x", "expires_at": NOW, "created_at": NOW,
            "updated_at": NOW, **fields,
        }
    )  # fmt: skip


def payment(of: e.Invoice, **fields: Any) -> e.Payment:
    return e.Payment(
        **{
            "id": new_id(), "invoice_id": of.id, "user_id": of.user_id, "amount_minor": 2_379, "currency": "EUR",
            "source": "stripe", "reference": "pi_1", "received_at": NOW, **fields,
        }
    )  # fmt: skip


def webhook_event(**fields: Any) -> e.WebhookEvent:
    return e.WebhookEvent(
        **{"id": new_id(), "event_id": new_id(), "type": "t", "outcome": "ignored", "received_at": NOW, **fields}
    )


def billing_run(**fields: Any) -> e.BillingRun:
    return e.BillingRun(
        **{
            "id": new_id(), "status": "running", "billing_date": date(2026, 3, 28), "billing_days": (28, 29),
            "only_user_id": new_id(), "cursor": new_id(), "user_count": 2, "done": 1, "failed": 1,
            "errors": (e.RunError(user_id=new_id(), message="no"),), "created_at": NOW, "updated_at": NOW, **fields,
        }
    )  # fmt: skip


def one_of_each() -> list[e.Entity]:
    """An entity of every kind that belong together, in an order that no foreign key would accept."""
    buyer, kind = user(), service_type()
    terms = plan(kind)
    bought = subscription(buyer, terms)
    bill = invoice(bought)
    charge = position(bought, invoice_id=bill.id, closed_at=NOW)
    server = item(bought, service_type_id=kind.id)
    entities: list[e.Entity] = [
        buyer, code(buyer), revoked(buyer), linked(buyer), profile(buyer), kind, terms, bought,
        server, backorder(server, terms.id, kind.id), orphan(), bill, charge,
        usage(bought, position_id=charge.id), attempt(bill), payment(bill), webhook_event(),
        e.NumberRange(id=new_id(), series="INV-2026", last=1), billing_run(),
        e.Timetable(id=new_id(), billing_date_done=date(2026, 3, 28), zone="Europe/Berlin", test_clock=NOW),
    ]  # fmt: skip
    return entities[::-1]


def journal(head: Head, count: int, **fields: Any) -> list[JournalRow]:
    """The next rows of a chain."""
    rows: list[JournalRow] = []
    digest = head.digest
    for seq in range(head.seq + 1, head.seq + 1 + count):
        row = JournalRow(
            **{
                "seq": seq, "at": NOW, "kind": "invoice.issued", "level": "info", "message": "Ausgestellt – 100%",
                "who": "job:billing", "cause": new_id(), "entity": "invoices", "entity_id": new_id(),
                "user_id": new_id(), "invoice_id": new_id(),
                "data": {"z": 1, "aa": {"ö": None, "b": [True, "x"]}, "amount_minor": 10**15}, **fields,
            }
        )  # fmt: skip
        digest = digest_of(digest, row)
        rows.append(JournalRow(**{name: getattr(row, name) for name in row.__struct_fields__ if name != "digest"},
                               digest=digest))  # fmt: skip
    return rows


def effect(**fields: Any) -> OutboxRow:
    return OutboxRow(**{"id": new_id(), "kind": "RenderDocument", "lane": "documents", "cause": new_id(),
                        "payload": '{"a": "%s"}', "due_at": NOW, "created_at": NOW, **fields})  # fmt: skip


def answer(**fields: Any) -> StoredAnswer:
    return StoredAnswer(**{"who": "user:1", "key": new_id(), "request_digest": "ab", "status": 201,
                           "body": '{"a":"%s"}', "expires_at": datetime.now(UTC) + timedelta(hours=1),
                           **fields})  # fmt: skip


def batch(
    head: Head,
    entities: list[e.Entity] | None = None,
    *,
    rows: list[JournalRow] | None = None,
    effects: list[OutboxRow] | None = None,
    done: list[e.Id] | None = None,
    answers: list[StoredAnswer] | None = None,
) -> Batch:
    """A batch that follows `head`."""
    last = rows[-1] if rows else head
    return Batch(
        expected=head,
        head=Head(n=head.n + 1, seq=last.seq, digest=last.digest),
        entities=entities or [],
        journal=rows or [],
        outbox=effects or [],
        done_effects=done or [],
        answers=answers or [],
    )
