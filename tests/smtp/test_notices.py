"""The mails of a customer's story: each fact is told once, to the customer, with the document if there is one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from decabilld.store.embedded import read_dsn
from tests.harness.daemons import DaemonProcess, RunningDaemon, daemon_process, running_daemon
from tests.harness.people import Admin
from tests.harness.ports import free_port
from tests.smtp.post_office import PostOffice, text_of
from tests.smtp.test_codes_by_mail import mailing, rows, until
from tests.stripe.fake_stripe import FakeStripe


class Town:
    """A daemon with a post office, its administrator, and what has arrived since one last looked."""

    def __init__(self, office: PostOffice, daemon: RunningDaemon, admin: Admin) -> None:
        self.office, self.daemon, self.admin = office, daemon, admin
        self._seen = 0

    async def arrived(self) -> list[EmailMessage]:
        await self.admin.audit.quiet(self.admin.tenant)
        new, self._seen = self.office.received[self._seen :], len(self.office.received)
        return new

    async def told(self) -> list[str]:
        """The subjects of what has arrived, in no order of their own."""
        return sorted(str(mail["Subject"]).removesuffix(" - Seller GmbH") for mail in await self.arrived())

    async def only(self) -> EmailMessage:
        (mail,) = await self.arrived()
        return mail


@asynccontextmanager
async def town(database: str, home: Path, **settings: Any) -> AsyncIterator[Town]:
    async with PostOffice().opened() as office, mailing(database, home, office.port, **settings) as daemon:
        admin = await daemon.admin()
        await admin.move_to("2024-01-10 00:00")
        yield Town(office, daemon, admin)


def attached(mail: EmailMessage) -> tuple[str | None, bytes]:
    (part,) = mail.iter_attachments()
    return part.get_filename(), part.get_content()


async def test_a_subscription_from_its_order_to_its_end(database: str, tmp_path: Path) -> None:
    async with town(database, tmp_path, typeset=True, billing_timezone=ZoneInfo("Europe/Berlin")) as here:
        admin = here.admin
        anna = await admin.customer("anna", firstName="Änne", lastName="Großmann", email="änne@bücher.example")
        subscription = await anna.orders(await admin.plan("Größe M", cancelAtPeriodEnd=True))
        mail = await here.only()
        assert str(mail["Subject"]) == "Your order SUB-000001 - Seller GmbH"
        assert mail["To"] == "änne@xn--bcher-kva.example"
        assert "Hello Änne Großmann," in text_of(mail)
        assert "Price: 10.00 EUR net per month" in text_of(mail)

        await admin.move_to("2024-02-06 23:59")
        assert await here.told() == []
        await admin.move_to("2024-02-07 00:00")
        assert await here.told() == ["Größe M renews on 10 February 2024"]

        await admin.move_to("2024-02-11 00:00")
        mail = await here.only()
        (invoice,) = await anna.invoices(subscription)
        assert str(mail["Subject"]) == "Invoice INV-2024-00001 - Seller GmbH"
        assert "Please pay 11.90 EUR by 24 February 2024." in " ".join(text_of(mail).split())
        download = await anna.get(f"/invoices/ref/{invoice['id']}/pdf")
        assert download.startswith(b"%PDF-1.7")
        assert attached(mail) == ("INV-2024-00001.pdf", download)

        await admin.marks_paid(invoice["id"])
        mail = await here.only()
        assert str(mail["Subject"]) == "Payment received for invoice INV-2024-00001 - Seller GmbH"
        assert "your payment of 11.90 EUR" in " ".join(text_of(mail).split())

        await admin.move_to("2024-03-11 00:00")
        assert await here.told() == ["Größe M renews on 10 March 2024", "Invoice INV-2024-00002"]
        await admin.move_to("2024-03-25 00:00")
        assert await here.told() == ["Invoice INV-2024-00002 is overdue"]
        (_, invoice) = await anna.invoices(subscription)
        await admin.voids(invoice["id"])
        mail = await here.only()
        assert str(mail["Subject"]) == "Invoice INV-2024-00002 is cancelled - Seller GmbH"
        assert "Nothing is owed of this invoice any more." in text_of(mail)
        download = await anna.get(f"/invoices/ref/{invoice['id']}/void-document/pdf")
        assert attached(mail) == ("INV-2024-00002-CN.pdf", download)

        await anna.cancels(subscription)
        mail = await here.only()
        assert str(mail["Subject"]) == "Cancellation of Größe M noted - Seller GmbH"
        assert "It ends on 10 April 2024, 00:00 (Europe/Berlin)." in " ".join(text_of(mail).split())
        await admin.move_to("2024-04-10 00:00")
        assert await here.told() == ["Größe M has ended"], "what ends renews no more"
        await admin.move_to("2024-05-11 00:00")
        assert await here.told() == ["Invoice INV-2024-00003", "Invoice INV-2024-00003 is overdue"]

        ids = [str(mail["Message-ID"]) for mail in here.office.received]
        assert len(ids) == len(set(ids)) == 12
        assert set(here.office.recipients) == {"änne@xn--bcher-kva.example"}


async def test_every_period_of_months_is_reminded_of_once(database: str, tmp_path: Path) -> None:
    async with town(database, tmp_path) as here:
        admin = here.admin
        anna = await admin.customer("anna")
        await anna.orders(await admin.plan("Monthly", "0.00"))
        await anna.orders(await admin.plan("Yearly", "0.00", "year"))
        for interval in ("hour", "day"):
            await anna.orders(await admin.plan(interval, "0.00", interval, billingIntervalValue=900))
        await here.arrived()
        await admin.move_to("2024-02-08 12:00")
        assert await here.told() == ["Monthly renews on 10 February 2024"]
        await admin.move_to("2024-02-08 13:00")
        await admin.move_to("2024-02-09 23:00")
        assert await here.told() == []

        await admin.move_to("2025-01-08 00:00")
        subjects = await here.told()
        assert len([subject for subject in subjects if subject.startswith("Monthly renews")]) == 11
        assert [subject for subject in subjects if not subject.startswith("Monthly")] == [
            "Yearly renews on 10 January 2025"
        ]
        assert len(set(subjects)) == len(subjects)


async def test_who_has_cancelled_is_reminded_only_after_a_change_of_mind(database: str, tmp_path: Path) -> None:
    async with town(database, tmp_path) as here:
        admin = here.admin
        anna = await admin.customer("anna")
        subscription = await anna.orders(await admin.plan(cancelAtPeriodEnd=True))
        await anna.cancels(subscription)
        await admin.move_to("2024-02-08 00:00")
        assert await here.told() == ["Cancellation of M noted", "Your order SUB-000001"]
        await anna.resumes(subscription)
        await admin.move_to("2024-02-08 00:01")
        assert await here.told() == ["M renews on 10 February 2024"]


async def test_the_days_before_a_renewal_are_the_operators_to_choose(database: str, tmp_path: Path) -> None:
    async with town(database, tmp_path, reminder_days=10) as here:
        anna = await here.admin.customer("anna")
        await anna.orders(await here.admin.plan())
        stub = await here.admin.plan("Aligned", billingDayOfMonth=15)
        await anna.orders(stub)
        await here.arrived()
        await here.admin.move_to("2024-01-31 00:00")
        assert await here.told() == ["M renews on 10 February 2024"], "a stub of five days isn't worth a reminder"


async def test_what_ends_at_once_is_told_as_ended(database: str, tmp_path: Path) -> None:
    async with town(database, tmp_path) as here:
        anna = await here.admin.customer("anna")
        subscription = await anna.orders(await here.admin.plan())
        await anna.cancels(subscription)
        assert await here.told() == ["M has ended", "Your order SUB-000001"]


async def test_payments_that_come_and_that_fail(database: str, tmp_path: Path) -> None:
    async with FakeStripe() as stripe:
        keys = {
            "stripe_secret_key": stripe.secret_key,
            "stripe_webhook_secret": stripe.webhook_secret,
            "stripe_api_base": stripe.base_url,
        }
        async with town(database, tmp_path, **keys) as here:
            admin = here.admin
            anna = await admin.customer("anna")
            subscription = await anna.orders(await admin.plan())
            await admin.move_to("2024-02-11 00:00")
            await here.arrived()
            (invoice,) = await anna.invoices(subscription)
            webhook = f"{admin.url}/webhooks/payments/stripe"

            async def session() -> str:
                await anna.pays(invoice["id"])
                return list(stripe.sessions)[-1]

            await stripe.deliver(webhook, stripe.expire(await session()))
            assert await here.told() == [], "nobody wants a mail about a page that was closed"
            await stripe.deliver(webhook, stripe.complete(paid_later := await session(), delayed=True))
            assert await here.told() == [], "the bank takes some days"
            await stripe.deliver(webhook, stripe.settle(paid_later, succeeded=False))
            mail = await here.only()
            assert str(mail["Subject"]) == "Payment failed for invoice INV-2024-00001 - Seller GmbH"
            assert "your payment of 11.90 EUR for invoice" in " ".join(text_of(mail).split())
            await stripe.deliver(webhook, stripe.complete(await session(), amount_minor=1000, copies=3))
            mail = await here.only()
            assert "your payment of 10.00 EUR for invoice" in " ".join(text_of(mail).split())
            assert "1.90 EUR of it is still owed." in text_of(mail)


async def test_without_a_mail_server_nothing_waits_to_be_sent(database: str, tmp_path: Path) -> None:
    async with running_daemon(database, tmp_path) as daemon:
        admin = await daemon.admin()
        await admin.move_to("2024-01-10 00:00")
        anna = await admin.customer("anna")
        subscription = await anna.orders(await admin.plan())
        assert rows(database, "SELECT kind FROM outbox") == []
        await admin.move_to("2024-02-07 12:00")
        assert rows(database, "SELECT kind FROM outbox") == []
        await admin.move_to("2024-03-01 00:00")
        await anna.cancels(subscription)
        await admin.audit.quiet("default")
        assert rows(database, "SELECT kind FROM outbox") == []
        kinds = await admin.audit.journal_kinds("default")
        assert "subscription.renewal_reminded" not in kinds


async def test_a_preview_sends_nothing_and_reminds_nobody(database: str, tmp_path: Path) -> None:
    async with town(database, tmp_path) as here:
        anna = await here.admin.customer("anna")
        await anna.orders(await here.admin.plan())
        await here.arrived()
        at = here.admin.instant("2024-04-01 00:00").isoformat()
        await here.admin.post("/admin/billing/preview", {"at": at})
        assert await here.told() == []
        await here.admin.move_to("2024-02-07 00:00")
        assert await here.told() == ["M renews on 10 February 2024"]


async def test_a_refused_recipient_is_given_up_and_the_journal_says_so(database: str, tmp_path: Path) -> None:
    async with town(database, tmp_path) as here:
        anna = await here.admin.customer("anna")
        here.office.rcpt = "550 no such user"
        await anna.orders(await here.admin.plan())
        await until(lambda: rows(database, "SELECT 1 FROM journal WHERE kind = 'effect.given_up'"))
        [(message, level)] = rows(database, "SELECT message, level FROM journal WHERE kind = 'effect.given_up'")
        assert message == "SendNotice was given up: the mail server refused the recipient: 550 no such user"
        assert level == "error"
        assert rows(database, "SELECT kind, failed_at IS NOT NULL FROM outbox") == [("SendNotice", True)]


async def test_a_document_is_kept_even_if_its_mail_must_wait(database: str, tmp_path: Path) -> None:
    port = free_port()
    async with mailing(database, tmp_path, port) as daemon:
        admin = await daemon.admin()
        await admin.move_to("2024-01-10 00:00")
        anna = await admin.customer("anna")
        await anna.orders(await admin.plan())
        await admin.move_to("2024-02-11 00:00")
        await until(lambda: rows(database, "SELECT 1 FROM outbox WHERE kind = 'MailDocument' AND attempts > 0"))
        assert list(daemon.settings.documents_path.rglob("INV-2024-00001.pdf"))
        async with PostOffice().opened(port=port) as office:
            await until(lambda: rows(database, "SELECT count(*) FROM outbox") == [(0,)])
            assert len(office.received) == 3


@pytest.mark.heavy
async def test_killed_between_commit_and_mail_everything_is_told_after_the_restart() -> None:
    port = free_port()
    async with daemon_process(SMTP_HOST="127.0.0.1", SMTP_PORT=str(port), SMTP_SECURE="none") as daemon:
        await bought(await daemon.admin())
        await daemon.kill()
        async with PostOffice().opened(port=port) as office:
            await daemon.start()
            await until(lambda: len(office.received) == len(TOLD_OF_A_PURCHASE))
            await nothing_more(daemon)
            subjects = sorted(str(mail["Subject"]) for mail in office.received)
            assert subjects == TOLD_OF_A_PURCHASE


async def test_killed_between_mail_and_its_answer_the_same_mail_comes_again() -> None:
    async with PostOffice().opened() as office:
        taken = asyncio.Event()
        office.before_answer = taken.wait
        settings = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(office.port), "SMTP_SECURE": "none"}
        async with daemon_process(**settings) as daemon:
            await bought(await daemon.admin())
            await until(lambda: len(office.received) == len(TOLD_OF_A_PURCHASE))
            await daemon.kill()
            taken.set()
            await daemon.start()
            await until(lambda: len(office.received) == 2 * len(TOLD_OF_A_PURCHASE))
            await nothing_more(daemon)
            by_id: dict[str, list[str]] = {}
            for mail in office.received:
                by_id.setdefault(str(mail["Message-ID"]), []).append(str(mail["Subject"]))
            assert sorted(subjects[0] for subjects in by_id.values()) == TOLD_OF_A_PURCHASE
            assert all(first == second for first, second in by_id.values()), "never two different ones of a fact"


TOLD_OF_A_PURCHASE = [
    "Invoice INV-2027-00001 - Seller GmbH",
    "M renews on 1 February 2027 - Seller GmbH",
    "Your order SUB-000001 - Seller GmbH",
]


async def bought(admin: Admin) -> None:
    """An order, its renewal reminder and its invoice are committed."""
    await admin.move_to("2027-01-01 00:00")
    anna = await admin.customer("anna")
    await anna.orders(await admin.plan())
    await admin.move_to("2027-02-02 00:00")


async def nothing_more(daemon: DaemonProcess) -> None:
    """Everything that waited is done."""
    dsn = read_dsn(daemon.data_dir)
    assert dsn is not None
    await until(lambda: rows(dsn, "SELECT count(*) FROM outbox") == [(0,)])
