"""Invoices as documents: made of positions, issued, paid, voided. Each function gives the invoice that shall be.

Owns the steps and sums of an invoice. Which positions go on it, and when, the tenant's handlers choose; numbers are
drawn by them; rates and rounding are `tax`'s.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from decabilld.domain.checkout_amounts import payable
from decabilld.domain.entities import CustomerProfile, Id, Invoice, InvoiceLine, Party, Position, TaxCategory
from decabilld.domain.lifecycle import INVOICE, step
from decabilld.domain.money import to_decimal
from decabilld.domain.numbering import credit_note_number
from decabilld.domain.periods import local_date, start_of_day
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Invalid, IssuerIncomplete, ProfileIncomplete
from decabilld.domain.tax import line_net_minor, rate_of, tax_lines

LARGEST_TOTAL_MINOR = 10**13

_REQUIRED_OF_PROFILE = {
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "email",
    "address_line1": "addressLine1",
    "city": "city",
    "country": "country",
}


def missing_of_profile(profile: CustomerProfile | None) -> tuple[str, ...]:
    """Names of the fields (as on the wire) without which nobody can order or be invoiced."""
    return tuple(
        wire
        for field, wire in _REQUIRED_OF_PROFILE.items()
        if not (profile and (getattr(profile, field) or "").strip())
    )


def check_profile(profile: CustomerProfile | None) -> CustomerProfile:
    """Raises ProfileIncomplete, naming what lacks."""
    missing = missing_of_profile(profile)
    if missing or profile is None:
        raise ProfileIncomplete(f"The customer profile is incomplete; missing: {', '.join(missing)}")
    return profile


def check_issuer(policy: BillingPolicy) -> Party:
    """Raises IssuerIncomplete, naming the settings that lack."""
    if policy.issuer is None or policy.issuer_missing:
        raise IssuerIncomplete(f"Nothing can be issued before the issuer is set: {', '.join(policy.issuer_missing)}")
    return policy.issuer


def buyer_of(profile: CustomerProfile) -> Party:
    """The buyer as printed: the company, or the person."""
    person = f"{profile.first_name} {profile.last_name}".strip()
    return Party(
        name=profile.company or person,
        contact_name=person if profile.company else None,
        address_line1=profile.address_line1 or "",
        address_line2=profile.address_line2,
        postal_code=profile.postal_code,
        city=profile.city or "",
        state=profile.state,
        country=profile.country or "",
        vat_id=profile.vat_id,
        email=profile.email,
        phone=profile.phone,
    )


def line_of(position: Position, policy: BillingPolicy) -> InvoiceLine:
    """The line of a position, its tax still to be allotted. The amount is the position's, never computed anew."""
    return InvoiceLine(
        description=position.description,
        quantity=Decimal(1),
        unit_price_net=to_decimal(position.net_minor, position.currency),
        tax_category=position.tax_category,
        tax_rate=rate_of(position.tax_category, policy),
        net_minor=position.net_minor,
        tax_minor=0,
        gross_minor=position.net_minor,
        position_id=position.id,
        subscription_id=position.subscription_id,
        plan_id=position.plan_id,
        period_start=position.period_start,
        period_end=position.period_end,
    )


def manual_line(
    description: str,
    quantity: Decimal,
    unit_price_net: Decimal,
    category: TaxCategory,
    *,
    currency: str,
    subscription_id: Id | None,
    policy: BillingPolicy,
) -> InvoiceLine:
    """A line that the operator wrote, its tax still to be allotted; quantity x unit price is rounded here, once."""
    net_minor = line_net_minor(quantity, unit_price_net, currency)
    return InvoiceLine(
        description=description,
        quantity=quantity,
        unit_price_net=unit_price_net,
        tax_category=category,
        tax_rate=rate_of(category, policy),
        net_minor=net_minor,
        tax_minor=0,
        gross_minor=net_minor,
        subscription_id=subscription_id,
    )


def with_lines(invoice: Invoice, lines: Sequence[InvoiceLine], now: datetime) -> Invoice:
    """The draft with these lines and their sums. Raises Invalid below zero, and for more than an amount may be."""
    made = draft(
        lines, invoice_id=invoice.id, user_id=invoice.user_id, origin=invoice.origin, currency=invoice.currency, now=now
    )
    if min(made.subtotal_net_minor, made.total_gross_minor) < 0:
        raise Invalid("lineItems: come to less than zero; what was billed wrongly is voided")
    if max(made.total_gross_minor, *(abs(line.net_minor) for line in made.lines)) > LARGEST_TOTAL_MINOR:
        largest = to_decimal(LARGEST_TOTAL_MINOR, invoice.currency)
        raise Invalid(f"lineItems: come to more than {largest}, all of them or one")
    return replace(
        invoice,
        lines=made.lines,
        tax_groups=made.tax_groups,
        subtotal_net_minor=made.subtotal_net_minor,
        tax_total_minor=made.tax_total_minor,
        total_gross_minor=made.total_gross_minor,
        balance_minor=made.balance_minor,
        updated_at=now,
    )


def at_rates_of(invoice: Invoice, policy: BillingPolicy, now: datetime) -> Invoice:
    """The draft taxed by the rates in force: they are kept only from its issue on."""
    lines = [replace(line, tax_rate=rate_of(line.tax_category, policy)) for line in invoice.lines]
    return with_lines(invoice, lines, now)


def draft(
    lines: Sequence[InvoiceLine], *, invoice_id: Id, user_id: Id, origin: str, currency: str, now: datetime
) -> Invoice:
    """A draft of these lines, taxed and summed up."""
    taxes, groups = tax_lines([(line.tax_category, line.tax_rate, line.net_minor) for line in lines])
    taxed = tuple(
        replace(line, tax_minor=tax, gross_minor=line.net_minor + tax) for line, tax in zip(lines, taxes, strict=True)
    )
    net_minor = sum(line.net_minor for line in taxed)
    tax_minor = sum(taxes)
    subscriptions = tuple(dict.fromkeys(line.subscription_id for line in taxed if line.subscription_id))
    return Invoice(
        id=invoice_id,
        user_id=user_id,
        subscription_id=subscriptions[0] if subscriptions else None,
        subscription_ids=subscriptions,
        origin=origin,  # type: ignore[arg-type]
        status="draft",
        currency=currency,
        lines=taxed,
        tax_groups=groups,
        subtotal_net_minor=net_minor,
        tax_total_minor=tax_minor,
        total_gross_minor=net_minor + tax_minor,
        balance_minor=net_minor + tax_minor,
        created_at=now,
        updated_at=now,
    )


def issue(
    invoice: Invoice,
    *,
    number: str,
    seller: Party,
    buyer: Party,
    now: datetime,
    policy: BillingPolicy,
    due_in_days: int | None = None,
) -> Invoice:
    """The draft as a legal document of today (billing zone). One with a total of zero is paid at once."""
    today = local_date(now, policy.zone)
    due = today + timedelta(days=policy.payment_term_days if due_in_days is None else due_in_days)
    issued = replace(
        invoice,
        status=step(INVOICE, invoice.status, "issue"),
        number=number,
        seller=seller,
        buyer=buyer,
        issued_at=now,
        issue_date=today,
        due_date=due,
        overdue_from=start_of_day(due + timedelta(days=1), policy.zone),
        updated_at=now,
    )
    return issued if issued.total_gross_minor else replace(issued, status="paid", paid_at=now)


def can_pay(invoice: Invoice, policy: BillingPolicy) -> bool:
    """Whether the balance is owed, and an amount that a checkout can be opened over."""
    owed = invoice.status in ("issued", "partially_paid", "overdue")
    return owed and payable(invoice.balance_minor, invoice.currency, policy)


def pay(invoice: Invoice, amount_minor: int, now: datetime) -> Invoice:
    """With so much more paid; at most the balance."""
    assert 0 < amount_minor <= invoice.balance_minor, "what is over the balance is an overpayment, not a payment"
    balance = invoice.balance_minor - amount_minor
    return replace(
        invoice,
        status=step(INVOICE, invoice.status, "pay_part" if balance else "pay_all"),
        paid_minor=invoice.paid_minor + amount_minor,
        balance_minor=balance,
        paid_at=None if balance else now,
        updated_at=now,
    )


def mark_unpaid(invoice: Invoice, now: datetime) -> Invoice:
    """With everything owed again; overdue if the due date has passed."""
    late = invoice.overdue_from is not None and invoice.overdue_from <= now
    return replace(
        invoice,
        status=step(INVOICE, invoice.status, "mark_unpaid_overdue" if late else "mark_unpaid"),
        paid_minor=0,
        balance_minor=invoice.total_gross_minor,
        paid_at=None,
        updated_at=now,
    )


def void(invoice: Invoice, now: datetime, policy: BillingPolicy) -> Invoice:
    """Cancelled by its credit note. Raises Invalid when anything of it is paid."""
    status = step(INVOICE, invoice.status, "void")
    if invoice.paid_minor:
        raise Invalid("An invoice with payments can't be voided; mark it unpaid first")
    assert invoice.number is not None, "an issued invoice has a number"
    return replace(
        invoice,
        status=status,
        balance_minor=0,
        voided_at=now,
        credit_note_number=credit_note_number(invoice.number),
        credit_note_date=local_date(now, policy.zone),
        updated_at=now,
    )


def issue_year(now: datetime, policy: BillingPolicy) -> int:
    """The year that a document issued now is numbered in."""
    day: date = local_date(now, policy.zone)
    return day.year
