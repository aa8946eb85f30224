"""The plot: what is sold, who buys, and what half a year brings.

It begins on a 4th of January that is still to come, since a test clock only moves forward; every year gives the same
amounts.
"""

from datetime import UTC, datetime
from decimal import Decimal

from decabilld.demo.teller import Teller
from decabilld.demo.world import Customer, Tenant, instant

SETTINGS = {
    "TENANTS": "hosting,metering",
    "TENANTS_ALLOW_DEFAULT": "false",
    "TEST_CLOCK": "true",
    "BILLING_ISSUER_NAME": "Nordlicht Cloud GmbH",
    "BILLING_ISSUER_ADDRESS_LINE1": "Hafenstraße 12",
    "BILLING_ISSUER_POSTAL_CODE": "24103",
    "BILLING_ISSUER_CITY": "Kiel",
    "BILLING_ISSUER_COUNTRY": "DE",
    "BILLING_ISSUER_VAT_ID": "DE123456789",
    "BILLING_ISSUER_EMAIL": "rechnung@nordlicht.example",
    "BILLING_ISSUER_PHONE": "+49 431 5550 100",
    "BILLING_ISSUER_WEBSITE": "https://nordlicht.example",
    "BILLING_ISSUER_IBAN": "DE02120300000000202051",
    "BILLING_ISSUER_BIC": "BYLADEM1001",
    "BILLING_ISSUER_BANK_NAME": "Deutsche Kreditbank",
    "BILLING_ISSUER_REGISTER_ENTRY": "HRB 12345, Amtsgericht Kiel",
    "BILLING_ISSUER_MANAGING_DIRECTOR": "Dr. Frauke Petersen",
}


class Story:
    """Tells itself in order: `catalog`, then `half_a_year`. `end` is where the clocks stand afterwards."""

    def __init__(self, address: str, teller: Teller) -> None:
        self._teller = teller
        self.year = datetime.now(UTC).year + 1
        self.now = self.end = self._at("01-04 08:00")
        self.hosting = Tenant(address, "hosting", teller)
        self.metering = Tenant(address, "metering", teller)
        self.tenants = (self.hosting, self.metering)
        for tenant in self.tenants:
            tenant.walk(self.now)

    def catalog(self) -> None:
        hosting, metering = self.hosting, self.metering
        servers, builds = hosting.open_line("servers", "Servers"), metering.open_line("builds", "Builds")
        self._web = hosting.sell(
            servers,
            "Web Hosting M",
            "20.0000",
            "month",
            marginPercent="20.0000",
            marginFixed="0.9000",
            billingDayOfMonth=15,
        )
        self._server = hosting.sell(
            servers,
            "Managed Server",
            "270.0000",
            "month",
            3,
            marginPercent="10.0000",
            noticeDays=30,
            cancelAtPeriodEnd=False,
        )
        self._runner = metering.sell(
            builds, "Build Runner", "0.1000", "hour", marginPercent="20.0000", cancelAtPeriodEnd=False
        )
        for tenant, plan, name, terms in (
            (hosting, self._web, "Web Hosting M", "a month, from the 15th to the 15th (20.00 + 20 % + 0.90)"),
            (hosting, self._server, "Managed Server", "every three months, to be cancelled with 30 days' notice"),
            (metering, self._runner, "Build Runner", "an hour, and traffic by use; can be cancelled at any time"),
        ):
            self._teller.note(f"{tenant.name:<8}  {name:<14}  {tenant.price(plan):>6,.2f} EUR net {terms}")

    def half_a_year(self) -> None:
        self._winter()
        self._spring()
        self._until("07-10 00:00")
        self.end = self.now

    def _winter(self) -> None:
        self._until("01-09 10:00")
        self.anna = self.hosting.welcome(
            "Bergmann Keramik",
            "anna@bergmann.example",
            firstName="Anna",
            lastName="Bergmann",
            company="Bergmann Keramik",
            addressLine1="Lindenweg 7",
            postalCode="04109",
            city="Leipzig",
            country="DE",
            customerType="business",
        )
        self._order(self.anna, self._web, "Web Hosting M")
        self._until("01-12 14:30")
        self.jonas = self.hosting.welcome(
            "Weiß & Partner",
            "jonas@weiss-partner.example",
            firstName="Jonas",
            lastName="Weiß",
            company="Weiß & Partner Steuerberatung mbB",
            addressLine1="Große Bleichen 21",
            postalCode="20354",
            city="Hamburg",
            country="DE",
            customerType="business",
            vatId="DE987654321",
        )
        self._server_subscription = self._order(self.jonas, self._server, "Managed Server")
        self._until("02-15 09:00")
        self._pay(self.anna, "bank transfer")
        self._a_few_hours_of_building()

    def _a_few_hours_of_building(self) -> None:
        self._until("03-02 09:00")
        self.clara = self.metering.welcome(
            "Clara Nowak",
            "clara@nowak.example",
            firstName="Clara",
            lastName="Nowak",
            addressLine1="Am Graben 3",
            postalCode="99084",
            city="Erfurt",
            country="DE",
            customerType="consumer",
        )
        subscription_id = self._order(self.clara, self._runner, "Build Runner")
        for since, until, gigabytes in (
            ("03-02 09:00", "03-03 00:00", "18.5"),
            ("03-03 00:00", "03-04 00:00", "42.25"),
            ("03-04 00:00", "03-05 00:00", "7"),
        ):
            self._until(until)
            self._use(subscription_id, since, until, gigabytes)
        self._until("03-05 11:30")
        self.clara.cancel(subscription_id, "the release is out")
        self._say(self.clara, "cancels, without notice to keep: the last hour counts by its half")
        self._say(self.clara, "asks for the bill at once")
        self.metering.bill_now(self.clara.user_id)
        self._until("03-08 09:00")
        self._pay(self.clara, "bank transfer")

    def _spring(self) -> None:
        self._until("03-29 09:00")
        self._pay(self.anna, "bank transfer, with an apology")
        self._until("04-14 09:00")
        self._void_last(self.anna, "goodwill for two days without service")
        self._pay(self.jonas, "bank transfer")
        self._until("04-20 10:00")
        cancelled = self.jonas.cancel(self._server_subscription, "the practice moves to its own data centre")
        ends = instant(cancelled["cancelEffectiveAt"])
        self._say(self.jonas, f"cancels {cancelled['number']}; with 30 days' notice that is {ends:%d %b %H:%M}")
        for day in ("05-20 09:00", "06-18 09:00"):
            self._until(day)
            self._pay(self.anna, "bank transfer")
            self._pay(self.jonas, "bank transfer")

    def _order(self, customer: Customer, plan_id: str, plan_name: str) -> str:
        subscription = customer.order(plan_id)
        ends = instant(subscription["currentPeriodEnd"])
        what = f"orders {plan_name}: {subscription['number']}, first period until {ends:%d %b %H:%M}"
        self._say(customer, what)
        return str(subscription["id"])

    def _use(self, subscription_id: str, since: str, until: str, gigabytes: str) -> None:
        record = {
            "subscriptionId": subscription_id,
            "periodStart": self._at(since).isoformat(),
            "periodEnd": self._at(until).isoformat(),
            "usagePayload": {"gigabytes": gigabytes, "units": gigabytes, "unitPrice": "0.08"},
        }
        for _ in range(2):  # a meter that isn't sure posts again: it is the same record
            self.metering.admin.post("/usage/record", record)
        cost = Decimal(gigabytes) * Decimal("0.08")
        self._say(self.clara, f"has used {gigabytes} GB of traffic, {cost:.2f} EUR net")

    def _void_last(self, customer: Customer, reason: str) -> None:
        invoice = customer.api.get("/invoices/open-overdue")[0]
        voided = self.hosting.admin.post(f"/admin/billing/invoices/{invoice['id']}/void")
        what = f"{invoice['invoiceNumber']} is voided by {voided['voidDocumentNumber']}: {reason}"
        self._teller.event(self.now, self.hosting.name, customer.name, what, kind="warning")

    def _pay(self, customer: Customer, reason: str) -> None:
        customer.tenant.pay(self.now, customer, reason)

    def _say(self, customer: Customer, what: str) -> None:
        self._teller.event(self.now, customer.tenant.name, customer.name, what)

    def _until(self, day: str) -> None:
        """Let time pass in both tenants, and tell what it brought."""
        self.now = self._at(day)
        with self._teller.waiting(f"time passes until {self.now:%d %b %H:%M}"):
            news = []
            for tenant in self.tenants:
                tenant.walk(self.now)
                news += tenant.news()
        for one in sorted(news, key=lambda one: one.when):
            self._teller.event(one.when, one.tenant, one.who, one.what, *one.amounts, kind=one.kind)

    def _at(self, day: str) -> datetime:
        """`MM-DD HH:MM` of the story's year, in UTC, which is the daemon's billing zone."""
        return datetime.strptime(f"{self.year}-{day} +0000", "%Y-%m-%d %H:%M %z")
