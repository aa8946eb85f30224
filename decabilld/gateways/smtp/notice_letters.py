"""What a notice says: the letter of each fact, made of the facts that its decision fixed.

Owns how amounts and days are written in mails, and which of them stand below the words. The words are the templates'.
"""

import re
from datetime import date, datetime
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from decabilld.domain.entities import Interval
from decabilld.domain.money import to_decimal
from decabilld.gateways.smtp.letters import Attachment, Letterhead, local_time, message, one_line, rendered
from decabilld.messages.effects import (
    InvoiceFacts,
    InvoiceLetter,
    MailDocument,
    SendNotice,
    SubscriptionFacts,
    SubscriptionLetter,
)

SUBJECTS: dict[InvoiceLetter | SubscriptionLetter, str] = {
    "invoice_issued": "Invoice {number}",
    "invoice_voided": "Invoice {number} is cancelled",
    "payment_succeeded": "Payment received for invoice {number}",
    "payment_failed": "Payment failed for invoice {number}",
    "invoice_overdue": "Invoice {number} is overdue",
    "renewal_reminder": "{plan} renews on {day}",
    "subscription_ordered": "Your order {number}",
    "cancel_scheduled": "Cancellation of {plan} noted",
    "subscription_ended": "{plan} has ended",
    "order_backordered": "Your order {number} waits for capacity",
    "order_refused": "Your order {number} can't be fulfilled",
    "order_cancelled": "Your order {number} is cancelled",
    "server_ready": "Your server is ready",
}
_BLANK_LINES = re.compile(r"\n\s*\n")


def notice_letter(
    notice: SendNotice | MailDocument, *, head: Letterhead, zone: ZoneInfo, attachment: Attachment | None = None
) -> EmailMessage:
    """The message. Made again for the same effect it has the same Message-ID.

    Raises ValueError for an address that no header can hold.
    """
    match notice.facts:
        case InvoiceFacts() as facts:
            words, rows = _of_invoice(facts)
        case SubscriptionFacts() as facts:
            words, rows = _of_subscription(facts, zone)
    text = rendered(f"notices/{notice.template}.j2", words)
    name = one_line(notice.name)
    return message(
        "notice",
        {
            "greeting": f"Hello {name}," if name else "Hello,",
            "paragraphs": [one_line(paragraph) for paragraph in _BLANK_LINES.split(text.strip())],
            "rows": [(label, value) for label, value in rows if value],
        },
        effect_id=notice.id,
        to=notice.to,
        subject=SUBJECTS[notice.template].format(**words),
        head=head,
        attachment=attachment,
    )


def _of_invoice(facts: InvoiceFacts) -> tuple[dict[str, object], list[tuple[str, str]]]:
    total, balance = _amount(facts.total_minor, facts.currency), _amount(facts.balance_minor, facts.currency)
    amount = "" if facts.amount_minor is None else _amount(facts.amount_minor, facts.currency)
    due = "" if facts.due_date is None else _day(facts.due_date)
    owes = facts.balance_minor > 0
    words: dict[str, object] = {
        "number": facts.number,
        "credit_note": facts.credit_note_number,
        "total": total,
        "balance": balance,
        "amount": amount,
        "due": due,
        "owes": owes,
    }
    rows = [
        ("Invoice", facts.number),
        ("Credit note", facts.credit_note_number or ""),
        ("Total", total),
        ("Payment", amount),
        ("Owed", balance),
        ("Due", due if owes else ""),
    ]
    return words, rows


def _of_subscription(facts: SubscriptionFacts, zone: ZoneInfo) -> tuple[dict[str, object], list[tuple[str, str]]]:
    plan = one_line(facts.plan_name)
    words: dict[str, object] = {
        "number": facts.number,
        "plan": plan,
        "at": "" if facts.at is None else local_time(facts.at, zone),
        "day": "" if facts.at is None else _day(facts.at.astimezone(zone)),
    }
    price = _amount(facts.price_minor, facts.currency)
    rows = [
        ("Subscription", facts.number),
        ("Plan", plan),
        ("Price", f"{price} net {_every(facts.interval, facts.interval_count)}"),
        ("Server", facts.hostname or ""),
        ("IP address", facts.address or ""),
    ]
    return words, rows


def _amount(minor: int, currency: str) -> str:
    return f"{to_decimal(minor, currency):,f} {currency}"


def _day(day: date | datetime) -> str:
    return f"{day.day} {day:%B %Y}"


def _every(interval: Interval, count: int) -> str:
    return f"every {count} {interval}s" if count > 1 else f"per {interval}"
