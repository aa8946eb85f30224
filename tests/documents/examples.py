"""Invoices of many shapes, their amounts computed by the domain."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from decabilld.domain.entities import Invoice, InvoiceLine, Party, TaxCategory
from decabilld.domain.tax import line_net_minor, tax_lines

BERLIN = ZoneInfo("Europe/Berlin")
USER = "0b54e0a8-4f6e-4d6c-9f53-2f4b0f8b7c11"

SELLER = Party(
    name="Nordlicht Hosting GmbH",
    address_line1="Käthe-Kollwitz-Straße 12",
    postal_code="04109",
    city="Leipzig",
    country="DE",
    vat_id="DE123456789",
    tax_number="231/123/45678",
    email="billing@nordlicht.example",
    phone="+49 341 1234567",
    website="nordlicht.example",
    iban="DE89 3704 0044 0532 0130 00",
    bic="COBADEFFXXX",
    bank_name="Commerzbank Leipzig",
    register_entry="HRB 12345, Amtsgericht Leipzig",
    managing_director="Johanna Weiß",
)
COMPANY = Party(
    name="Müller & Söhne Maschinenbau GmbH",
    contact_name="Anke Müller",
    address_line1="Hafenstraße 7",
    address_line2="Gebäude C, 3. Stock",
    postal_code="1010",
    city="Wien",
    country="AT",
    vat_id="ATU12345678",
    email="rechnung@mueller.example",
    phone="+43 1 5550123",
)
CONSUMER = Party(
    name="Zoë Żółć",
    address_line1="Lange Gasse 3",
    postal_code="20095",
    city="Hamburg",
    country="DE",
    email="zoe@z.example",
)

Item = tuple[str, str, str, TaxCategory]
"""Description, quantity, unit price, tax category."""


def invoice(
    items: Iterable[Item] = (("Server M, 2026-01-01 to 2026-01-31", "1", "49.00", "standard"),),
    *,
    buyer: Party = COMPANY,
    seller: Party = SELLER,
    rates: tuple[str, str] = ("19", "7"),
    currency: str = "EUR",
    periods: bool = True,
) -> Invoice:
    """Issued on 1 February 2026 and void since the 3rd, so that it has both documents."""
    items = list(items)
    rate_of = {"standard": Decimal(rates[0]), "reduced": Decimal(rates[1])}
    nets = [
        (category, rate_of[category], line_net_minor(Decimal(quantity), Decimal(price), currency))
        for _, quantity, price, category in items
    ]
    taxes, groups = tax_lines(nets)
    start = datetime(2026, 1, 1, tzinfo=BERLIN).astimezone(UTC)
    end = datetime(2026, 2, 1, tzinfo=BERLIN).astimezone(UTC)
    lines = tuple(
        InvoiceLine(
            description=text,
            quantity=Decimal(quantity),
            unit_price_net=Decimal(price),
            tax_category=category,
            tax_rate=rate,
            net_minor=net,
            tax_minor=tax,
            gross_minor=net + tax,
            period_start=start if periods else None,
            period_end=end if periods else None,
        )
        for (text, quantity, price, category), (_, rate, net), tax in zip(items, nets, taxes, strict=True)
    )
    net, tax = sum(g.net_minor for g in groups), sum(g.tax_minor for g in groups)
    issued = datetime(2026, 2, 1, 9, tzinfo=UTC)
    return Invoice(
        id="7d9f0c52-6a62-4f3b-8a51-5f0a4b1f6f10",
        user_id=USER,
        origin="billing_run",
        number="INV-2026-00042",
        status="void",
        currency=currency,
        lines=lines,
        tax_groups=groups,
        subtotal_net_minor=net,
        tax_total_minor=tax,
        total_gross_minor=net + tax,
        balance_minor=0,
        seller=seller,
        buyer=buyer,
        issued_at=issued,
        issue_date=date(2026, 2, 1),
        due_date=date(2026, 2, 15),
        voided_at=issued + timedelta(days=2),
        credit_note_number="INV-2026-00042-CN",
        credit_note_date=date(2026, 2, 3),
        created_at=issued,
        updated_at=issued,
    )


def many(count: int) -> list[Item]:
    return [
        (f"Virtual server CX{i} in Falkenstein, 2026-01-01 to 2026-01-31", "1", f"{4 + i}.9{i % 10}", "standard")
        for i in range(count)
    ]


_HOSTILE = 'O\'Brien <b>&amp; "Co"</b> \x00\x0b\ufffe 東京 서울 😀👩‍💻 العربية ไทย \u202eevil\u202c e\u0301 ∑\ue000'

SHAPES: dict[str, Invoice] = {
    "one line": invoice(),
    "sixty lines": invoice(many(60)),
    "both categories": invoice(
        [
            ("Server", "2", "49.99", "standard"),
            ("Handbook", "3", "9.95", "reduced"),
            ("Domain", "1", "0.83", "standard"),
        ]
    ),
    "both categories at one rate": invoice(
        [("Server", "1", "0.03", "standard"), ("Handbook", "1", "0.03", "reduced")], rates=("19", "19")
    ),
    "no tax": invoice([("Server", "1", "10", "standard"), ("Handbook", "1", "5", "reduced")], rates=("0", "0")),
    "taxed and not": invoice([("Server", "1", "10", "standard"), ("Handbook", "1", "5", "reduced")], rates=("19", "0")),
    "fractional rate": invoice(rates=("8.1", "2.6")),
    "zero total": invoice([("Trial month", "1", "0", "standard")]),
    "discounted to zero": invoice([("Server", "1", "20", "standard"), ("Goodwill", "1", "-20", "standard")]),
    "one cent": invoice([("Traffic", "1", "0.01", "standard")]),
    "many cents": invoice([("Traffic", "1", "0.01", "standard")] * 7),
    "four decimals": invoice([("Object storage, GB hours", "1234.5678", "0.0123", "standard")]),
    "large": invoice([("Data centre", "9999", "9999999.99", "standard")]),
    "umlauts": invoice(
        buyer=replace(COMPANY, name="Ärzte für Öffnungsübungen e. V.", city="Åre", country="SE", vat_id=None)
    ),
    "consumer": invoice(buyer=CONSUMER),
    "hostile text": invoice(
        [(_HOSTILE, "1", "5", "standard")], buyer=replace(COMPANY, name=_HOSTILE, address_line2=_HOSTILE, phone=" ")
    ),
    "nothing but control characters": invoice(buyer=replace(COMPANY, name="\x01\x02", contact_name="\x03")),
    "very long names": invoice(
        [("Donaudampfschifffahrtselektrizitätenhauptbetriebswerk" * 6, "1", "5", "standard")],
        buyer=replace(
            COMPANY, name="Gesellschaft " * 25, address_line1="W" * 250, email="x" * 60 + "@" + "y" * 180 + ".example"
        ),
        seller=replace(SELLER, name="Nordlicht " * 12, managing_director="M" * 200, website="w" * 200),
    ),
    "a buyer in Kosovo": invoice(buyer=replace(COMPANY, country="XK", vat_id="XK123456")),
    "buyer's VAT id is none": invoice(buyer=replace(COMPANY, vat_id="12 34/ab")),
    "buyer's VAT id with ornaments": invoice(buyer=replace(COMPANY, vat_id="atu 123.456-78")),
    "seller without IBAN": invoice(seller=replace(SELLER, iban=None, bic=None, bank_name=None)),
    "seller without VAT id": invoice(seller=replace(SELLER, vat_id=None)),
    "bare seller": invoice(
        seller=Party(
            name="Uta Uhl", address_line1="Weg 1", city="Ulm", country="DE", vat_id="DE123456789", email="u@u.example"
        )
    ),
    "without periods": invoice(periods=False),
    "dollars": invoice(currency="USD"),
    "yen": invoice([("Server", "2", "1500", "standard")], currency="JPY"),
}
